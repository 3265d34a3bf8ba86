"""axe-core finds nothing to complain of on any page, in either colours, on a desk and on a phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import choose_files, open_case
from tests.e2e.phantom import head_png
from tests.e2e.portal import RunningPortal

AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture
def plain_page(browser: Browser, session: Any) -> Iterator[Page]:
    """axe is no script of ours, and the content security policy would stop it."""
    context = browser.new_context(storage_state=session, bypass_csp=True)
    yield context.new_page()
    context.close()


def complaints(page: Page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    return [
        f"{page.url}: {rule['help']}: {node['html'][:200]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize(("theme", "width"), [("dark", 1280), ("light", 360)])
def test_no_page_keeps_anybody_out(theme: str, width: int, plain_page: Page, portal: RunningPortal) -> None:
    page = plain_page
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{portal.url}/settings/")
    page.get_by_role("combobox", name="Colours").select_option(theme)
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("html")).to_have_attribute("data-theme", theme)

    open_case(page, portal.url, f"AXE-{theme}", "Mass?")
    case = page.url.removesuffix("upload/")
    found = complaints(page)
    choose_files(page, {"a.png": head_png(20, tumour="ring"), "b.png": head_png(17), "c.png": b"%PDF"})
    page.get_by_role("link", name="See the results").wait_for()
    found += complaints(page)
    page.goto(case)
    expect(page.locator(".provenance a")).to_have_count(2)
    found += complaints(page)
    page.get_by_label("Cannot tell").first.check()
    with page.expect_navigation():
        page.get_by_role("button", name="Record review").first.click()
    found += complaints(page)

    scan = page.get_by_role("link", name="Open the viewer").first.get_attribute("href")
    card = page.locator(".provenance a").first.get_attribute("href")
    paths = ("/", "/?q=none", "/figures/", "/cases/new/", "/settings/password/", "/nothing/", scan, card)
    for url in (f"{case}history/", f"{case}report/", *(f"{portal.url}{path}" for path in paths)):
        page.goto(url)
        found += complaints(page)
    page.context.clear_cookies()
    page.goto(portal.url)
    assert found + complaints(page) == []
