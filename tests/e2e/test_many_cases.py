"""A worklist of ten thousand cases, walked as somebody does who reads all day."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import wait_for_keys
from tests.e2e.portal import RunningPortal

CASES = 10_000


@pytest.fixture(scope="module", autouse=True)
def many(portal: RunningPortal) -> None:
    portal.manage("seed_cases", "--cases", str(CASES), "--departments", "0")


def test_pages_lead_through_the_list_and_back_without_gap_or_repeat(
    at_work: Page, portal: RunningPortal
) -> None:
    page = at_work
    page.goto(f"{portal.url}/?status=60")
    rows = page.locator("[data-row]")
    pages = []
    for _ in range(6):
        expect(rows).to_have_count(50)
        pages.append([str(row.get_attribute("id")) for row in rows.all()])
        with page.expect_navigation():
            page.get_by_role("link", name="Next", exact=True).click()
    seen = [key for shown in pages for key in shown]
    assert len(set(seen)) == len(seen) == 300
    for shown in reversed(pages):
        with page.expect_navigation():
            page.get_by_role("link", name="Previous", exact=True).click()
        assert [row.get_attribute("id") for row in rows.all()] == shown
    expect(page.get_by_role("link", name="Previous", exact=True)).to_have_count(0)


def test_the_most_pressing_stand_first_and_the_likelier_above(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    page.goto(f"{portal.url}/?all=1")
    expect(page.locator("[data-row]")).to_have_count(50)
    results = page.locator(".cell-result")
    expect(results).to_have_text([re.compile("suspected")] * 50)
    shares = [
        float(re.sub(r"[^\d]", "", text)) for text in page.locator(".cell-tumour .figure").all_inner_texts()
    ]
    assert shares == sorted(shares, reverse=True)
    expect(page.locator(".counts .count").first).to_contain_text("Tumour suspected")
    expect(page.locator(".counts .figure").first).to_have_text(re.compile(r"^\d{3,4}\+?$"))


def test_one_case_of_ten_thousand_is_found_opened_and_gone_on_from_by_keys(
    at_work: Page, portal: RunningPortal
) -> None:
    page = at_work
    page.goto(f"{portal.url}/?status=50")
    second = page.locator("[data-row]").nth(1).inner_text()
    page.keyboard.press("j")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    wait_for_keys(page)
    page.keyboard.press("n")
    expect(page.get_by_role("heading", level=1)).to_have_text(second)
    wait_for_keys(page)
    page.keyboard.type("gw")
    page.get_by_role("heading", name="Worklist").wait_for()
    wait_for_keys(page)
    page.keyboard.press("/")
    page.keyboard.type(second)
    expect(page).to_have_url(re.compile(rf"[?&]q={second}"))
    expect(page.locator("[data-row]").first).to_have_text(second)


def test_many_are_chosen_and_assigned_and_the_counts_follow_by_themselves(
    at_work: Page, portal: RunningPortal
) -> None:
    page = at_work
    page.goto(f"{portal.url}/?status=60&assigned=nobody")
    page.get_by_label("Choose every case of this page").check()
    expect(page.get_by_text("Chosen: 50")).to_be_visible()
    mine = page.get_by_role("link", name=re.compile("^Assigned to me")).locator(".figure")
    before = int(mine.inner_text())
    other = page.context.new_page()
    other.goto(f"{portal.url}/?status=60&assigned=nobody")
    other.get_by_label("Choose every case of this page").check()
    other.get_by_role("button", name="Assign", exact=True).click()
    expect(other.get_by_text("50 cases have changed hands.")).to_be_visible()
    other.close()
    page.bring_to_front()
    counts = page.locator("#counts")
    counts.evaluate("element => { element.dataset.before = '1'; }")
    expect(mine).to_have_text(str(before + 50), timeout=40_000)
    expect(page.get_by_text("Chosen: 50")).to_be_visible()
