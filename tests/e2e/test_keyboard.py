"""A case read and signed without a mouse: from the sign-in to the signature."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.browser import choose_files, open_case, wait_for_keys
from tests.e2e.phantom import head_png
from tests.e2e.portal import CLINICIAN, PASSWORD, RunningPortal


def test_the_keyboard_alone_finds_reads_and_signs_a_case(
    at_work: Page, page: Page, portal: RunningPortal
) -> None:
    open_case(at_work, portal.url, "NO-MOUSE", "Mass?")
    choose_files(at_work, {"a.png": head_png(20, tumour="ring"), "b.png": head_png(17)})
    at_work.get_by_role("link", name="See the results").click()
    expect(at_work.locator(".provenance a")).to_have_count(2)

    keys, focus, heading = page.keyboard, page.locator(":focus"), page.get_by_role("heading", level=1)
    page.goto(portal.url)
    expect(page.get_by_label("Username")).to_be_focused()
    keys.type(CLINICIAN)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(heading).to_have_text("Worklist")
    wait_for_keys(page)

    keys.press("/")
    keys.type("no-mouse")
    expect(page).to_have_url(re.compile("q=no-mouse"))
    keys.press("ArrowDown")
    expect(focus).to_have_text("NO-MOUSE")
    keys.press("Enter")
    expect(heading).to_have_text("NO-MOUSE")
    wait_for_keys(page)
    keys.press("?")
    told = page.get_by_role("dialog")
    expect(told.get_by_role("row", name=re.compile("^r.*Review"))).to_have_count(1)
    expect(told.get_by_role("row", name=re.compile("^v.*Open the viewer"))).to_have_count(1)
    keys.press("Escape")

    for _ in range(2):
        keys.press("r")
        expect(focus).to_have_text("Review")
        keys.press("Tab")
        keys.press("Space")
        keys.press("ArrowUp")  # from the first answer round to the last
        expect(focus).to_have_value("cannot_tell")
        with page.expect_navigation():
            keys.press("Enter")
        expect(page.get_by_text("Your review is recorded.")).to_be_visible()
    keys.press("v")
    expect(page.locator("[data-stage]")).to_have_attribute("data-ready", "0")
    keys.press("i")
    expect(page.get_by_role("button", name="Invert")).to_have_attribute("aria-pressed", "true")
    keys.type("gc")
    expect(heading).to_have_text("NO-MOUSE")
    wait_for_keys(page)
    keys.type("gr")
    expect(page.get_by_role("heading", name="What you sign")).to_be_visible()
    wait_for_keys(page)
    keys.press("s")
    expect(page.get_by_text("That was the last case of this list.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="NO-MOUSE")).to_contain_text("Signed")
