"""axe-core where pages are acted on: refused forms, dialogs, chosen rows, signing."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import choose_files, open_case
from tests.e2e.phantom import head_png
from tests.e2e.portal import RunningPortal
from tests.e2e.test_accessibility import complaints, plain_page  # noqa: F401

REFUSED = "/look/"  # takes only what a form sends: an error page


@pytest.mark.parametrize(("theme", "width", "language"), [("dark", 1280, "es"), ("light", 360, "en")])
def test_no_act_keeps_anybody_out(
    theme: str,
    width: int,
    language: str,
    plain_page: Page,  # noqa: F811
    portal: RunningPortal,
) -> None:
    page = plain_page
    prefer(page, portal, theme, "en")
    open_case(page, portal.url, f"ACT-{theme}", "Mass?")
    case = page.url.removesuffix("upload/")
    choose_files(page, {"a.png": head_png(20, tumour="ring")})
    page.get_by_role("link", name="See the results").click()
    expect(page.locator(".provenance a")).to_have_count(1)
    review = str(page.locator(".review-form").get_attribute("action"))
    prefer(page, portal, theme, language)
    page.set_viewport_size({"width": width, "height": 900})

    found = on_the_worklist(page, portal, theme)
    for path in (review, review.replace("review", "adjudication"), "/worklist/views/", "/settings/", REFUSED):
        page.goto(f"{portal.url}{path}")
        found += complaints(page)
    page.goto(f"{portal.url}/cases/new/")
    page.locator("form.case-form").evaluate("form => { form.noValidate = true; form.submit(); }")
    expect(page.locator(".errorlist").first).to_be_visible()
    found += complaints(page)

    page.goto(case)
    page.locator('input[value="cannot_tell"]').check()
    page.locator(".review-form .button-main").click()
    page.goto(f"{case}report/")
    expect(page.locator(".signed-scan")).to_have_count(1)
    found += complaints(page)
    page.locator('.button[data-key="S"], .button[data-key="s"]').last.click()
    expect(page.locator("#holds")).to_be_visible()
    assert found + complaints(page) == []


def prefer(page: Page, portal: RunningPortal, theme: str, language: str) -> None:
    page.goto(f"{portal.url}/settings/")
    page.locator("#id_theme").select_option(theme)
    page.locator("#id_language").select_option(language)
    page.locator("#id_theme").evaluate("field => field.form.submit()")
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("html")).to_have_attribute("data-theme", theme)


def on_the_worklist(page: Page, portal: RunningPortal, theme: str) -> list[str]:
    """With filters, a kept view, chosen rows and the dialog of the keys."""
    page.goto(f"{portal.url}/?q=act-{theme}&assigned=nobody")
    page.locator(".keep-view summary").click()
    page.locator("#view-name").fill(f"View {theme}")
    page.locator(".keep-view .button").click()
    expect(page.locator(".views li")).not_to_have_count(0)
    page.goto(f"{portal.url}/?q=act-{theme}")
    page.locator("[name=case]").check()
    expect(page.locator("#acts")).to_be_visible()
    found = complaints(page)
    page.locator("[data-keys-open]").click()
    expect(page.locator("#keys")).to_be_visible()
    return found + complaints(page)
