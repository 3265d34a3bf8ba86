"""An administrator at work in the admin site, under the policy that stops every inline script and style."""

import re

import pytest
from django.contrib.admin import site
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.e2e.browser import choose_files, open_case, sign_in
from tests.e2e.phantom import head_png
from tests.e2e.portal import ADMINISTRATOR, CLINICIAN, PASSWORD, RunningPortal

NEW_PASSWORD = "correct horse battery staple"


@pytest.fixture
def in_admin(page: Page, portal: RunningPortal) -> Page:
    sign_in(page, portal.url, ADMINISTRATOR, PASSWORD)
    page.goto(f"{portal.url}/admin/")
    return page


def act(page: Page, tool: str, submit: str) -> None:
    page.get_by_role("link", name=tool).click()
    page.get_by_role("button", name=submit).click()


def test_the_history_of_a_case_is_found_and_read(page: Page, portal: RunningPortal) -> None:
    sign_in(page, portal.url, CLINICIAN, PASSWORD)
    open_case(page, portal.url, "MRN-900")
    choose_files(page, {"axial.png": head_png(1, tumour="ring")})
    page.get_by_role("link", name="See the results").click()
    expect(page.locator(".outcome")).to_have_text(re.compile("suspected|seen|Uncertain|Refused"))
    page.context.clear_cookies()

    sign_in(page, portal.url, ADMINISTRATOR, PASSWORD)
    page.goto(f"{portal.url}/admin/classifier/case/")
    page.locator("#searchbar").fill("mrn-900")
    page.get_by_role("button", name="Search").click()
    page.locator("#result_list").get_by_role("link", name=re.compile("^Case ")).click()
    expect(page.get_by_role("heading", name="Analyses")).to_be_visible()
    expect(page.locator("#content")).to_contain_text("Finished")
    page.get_by_role("link", name="Audit trail").click()
    for action in ("Case opened", "Scan uploaded", "Analysis finished", "Case viewed"):
        expect(page.locator("#result_list")).to_contain_text(action)


def test_a_user_is_added_changed_and_given_a_token(in_admin: Page, portal: RunningPortal) -> None:
    page = in_admin
    page.goto(f"{portal.url}/admin/classifier/user/")
    page.get_by_role("link", name="Add a user").click()
    page.get_by_label("Username:").fill("carol")
    page.get_by_label("Password:", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("Password again:").fill(NEW_PASSWORD)
    page.get_by_label("Reviewer").check()
    page.get_by_label("Neuroradiology").check()
    page.get_by_role("button", name="Add").click()
    expect(page.locator(".messagelist")).to_have_text("User carol was created.")

    page.get_by_role("link", name="Roles and departments").click()
    page.get_by_label("Clinician").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#content")).to_contain_text("Clinician, Reviewer")

    page.get_by_role("link", name="Issue a token").click()
    page.get_by_label("Name:").fill("PACS bridge")
    page.get_by_label("Upload scans").check()
    page.get_by_role("button", name="Issue").click()
    secret = page.locator("#secret").inner_text()
    page.get_by_role("link", name="To the token").click()
    expect(page.locator("#content")).not_to_contain_text(secret)
    act(page, "Revoke", "Revoke")
    expect(page.locator(".messagelist")).to_contain_text("is revoked.")


def test_every_page_of_the_site_opens_without_a_complaint(in_admin: Page, portal: RunningPortal) -> None:
    links = in_admin.locator("#content-main th a").all()
    addresses = {str(link.get_attribute("href")) for link in links}
    assert addresses == {reverse(admin_urlname(model._meta, "changelist")) for model in site._registry}
    for address in sorted(addresses):
        in_admin.goto(f"{portal.url}{address}")
        first = in_admin.locator("#result_list th a")
        if first.count():
            first.first.click()
        expect(in_admin.locator("#footer")).to_contain_text("Research use only")


def test_the_theme_button_and_signing_out_work(in_admin: Page) -> None:
    in_admin.get_by_role("button", name=re.compile("Toggle theme")).first.click()
    expect(in_admin.locator("html")).to_have_attribute("data-theme", re.compile("light|dark|auto"))
    in_admin.get_by_role("button", name="Log out").click()
    expect(in_admin.get_by_role("button", name="Sign in")).to_be_visible()
