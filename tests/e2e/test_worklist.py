"""The worklist in a browser: filters as one types, chips, choosing many rows, the next case by one key."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.browser import open_case
from tests.e2e.portal import CLINICIAN, RunningPortal


def test_filter_take_a_chip_away_choose_rows_and_go_on_to_the_next_case(
    at_work: Page, portal: RunningPortal, tmp_path: Path
) -> None:
    page = at_work
    for reference in ("ROW-1", "ROW-2", "ROW-3", "OTHER-1"):
        open_case(page, portal.url, reference)
    page.goto(f"{portal.url}/?all=1")
    rows = page.locator("[data-row]")
    expect(rows).to_have_count(4)

    page.get_by_label("Reference or question").fill("row-")
    expect(rows).to_have_count(3)
    expect(page).to_have_url(re.compile(r"[?&]q=row-"))
    page.get_by_label("Status", exact=True).select_option("No images yet")
    expect(page).to_have_url(re.compile(r"status=20"))
    page.get_by_role("link", name=re.compile("^Reference or question: row-")).click()
    expect(rows).to_have_count(4)
    expect(page).to_have_url(re.compile(r"\?status=20$"))
    expect(page.get_by_label("Reference or question")).to_have_value("")
    expect(page.locator("#found")).to_be_focused()

    page.goto(f"{portal.url}/?q=row-")
    acts = page.get_by_role("form", name="With the chosen cases")
    expect(acts).to_be_hidden()
    choices = page.locator("input[name=case]")
    choices.nth(0).check()
    choices.nth(2).click(modifiers=["Shift"])
    expect(page.get_by_text("Chosen: 3")).to_be_visible()
    page.get_by_label("Choose every case of this page").uncheck()
    expect(acts).to_be_hidden()
    page.get_by_label("Choose every case of this page").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as CSV").click()
    table = tmp_path / "worklist.csv"
    download.value.save_as(table)
    assert [
        reference for reference in ("ROW-1", "ROW-2", "ROW-3", "OTHER-1") if reference in table.read_text()
    ] == [
        "ROW-1",
        "ROW-2",
        "ROW-3",
    ]
    page.get_by_role("button", name="Assign", exact=True).click()
    expect(page.get_by_text("3 cases have changed hands.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?q=row-$"))
    expect(page.locator(".cell-assignee").first).to_contain_text(CLINICIAN)
    expect(page.get_by_role("link", name=re.compile("^Assigned to me"))).to_contain_text("3")

    rows.nth(0).click()
    for reference in ("ROW-3", "ROW-2", "ROW-1"):
        expect(page.get_by_role("heading", level=1)).to_contain_text(reference)
        page.keyboard.press("n")
    expect(page.get_by_text("That was the last case of this list.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?q=row-$"))


def test_the_worklist_fits_a_phone(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, "PHONE-1", "Headache for six weeks and weakness of the left arm, mass?")
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{portal.url}/?q=phone-1&status=20")
    expect(page.locator("[data-row]")).to_have_count(1)
    page.locator("input[name=case]").check()
    expect(page.get_by_text("Chosen: 1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_field_and_its_button_stand_in_one_line(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, "LINE-1")
    for width in (390, 768, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{portal.url}/?q=line-1&status=20")
        page.locator("input[name=case]").check()
        page.get_by_text("Keep as a view").click()
        for field, button in (("Assign to", "Assign"), ("Name of the view", "Keep")):
            line = page.locator(".one-line").filter(has=page.get_by_label(field, exact=True))
            boxes = [
                one.bounding_box()
                for one in (line.locator("select, input:visible"), line.get_by_role("button", name=button))
            ]
            assert len({round(box["y"] + box["height"]) for box in boxes if box}) == 1, (width, field)


def test_a_chip_taken_away_puts_an_end_to_a_search_that_is_still_under_way(
    at_work: Page, portal: RunningPortal
) -> None:
    page = at_work
    page.goto(f"{portal.url}/?status=20")
    page.route(re.compile(r"[?&]q=late"), lambda route: None)  # an answer that never comes
    search = page.get_by_label("Reference or question")
    # What was typed is asked for, and again on leaving the field.
    for act in (lambda: search.fill("late"), search.blur):
        with page.expect_request(re.compile(r"[?&]q=late")):
            act()
    with page.expect_event("requestfailed", lambda request: "q=late" in request.url):
        page.get_by_role("link", name=re.compile("^Status: No images yet")).click()
    expect(page).to_have_url(re.compile(r"\?all=1$"))
    expect(search).to_have_value("")
