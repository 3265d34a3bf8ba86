"""Everything by keys: what they do, that fields keep their letters, and that they can be switched off."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import open_case, wait_for_keys
from tests.e2e.portal import RunningPortal


@pytest.fixture
def page(browser: Browser, session: Any, portal: RunningPortal) -> Iterator[Page]:
    """On a worklist of three cases, or more where this is not the first test."""
    context = browser.new_context(storage_state=session)
    page = context.new_page()
    for reference in ("KEY-1", "KEY-2", "KEY-3"):
        open_case(page, portal.url, reference)
    page.goto(f"{portal.url}/?q=KEY-")
    yield page
    context.close()


def test_a_question_mark_shows_the_keys_of_this_page(page: Page) -> None:
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys on this page")
    expect(keys).to_be_visible()
    for row in (
        re.compile("^j.*Next row"),
        re.compile("Reference or question$"),
        re.compile("^g w.*Worklist$"),
    ):
        expect(keys.get_by_role("row", name=row)).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()


def test_rows_are_walked_and_opened(page: Page) -> None:
    rows = page.locator("[data-row]")
    page.keyboard.press("j")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("j")
    expect(rows.nth(2)).to_be_focused()
    for _ in range(3):
        page.keyboard.press("k")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("KEY-")
    for keys, heading in (("gu", "Add scans"), ("gh", "History"), ("gw", "Worklist"), ("gf", "Figures")):
        wait_for_keys(page)
        page.keyboard.type(keys)
        expect(page.get_by_role("heading", level=1)).to_contain_text(heading)


def test_a_field_keeps_its_letters(page: Page) -> None:
    search = page.get_by_label("Reference or question")
    page.keyboard.press("/")
    expect(search).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.type("?tj")
    expect(search).to_have_value("KEY-?tj")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_colours_change_at_once_and_stay(page: Page) -> None:
    with page.expect_response("**/look/"):
        page.keyboard.press("t")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")
    with page.expect_response("**/look/"):
        page.keyboard.press("t")
    expect(root).to_have_attribute("data-theme", "dark")


def test_keys_of_one_letter_can_be_switched_off(page: Page, portal: RunningPortal) -> None:
    def switch(on: bool) -> None:
        page.goto(f"{portal.url}/settings/")
        page.get_by_label("Keys of one letter").set_checked(on)
        page.get_by_role("button", name="Keep").click()
        expect(page.get_by_text("Your settings are kept.")).to_be_visible()

    switch(False)
    wait_for_keys(page)
    page.keyboard.press("?")
    page.keyboard.type("gw")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    page.get_by_role("button", name="Keys", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("switched off")
    page.keyboard.press("Escape")
    switch(True)
