"""The API's description: valid, complete, from this server alone, under the same strict policy."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from playwright.sync_api import Error, Page, sync_playwright
from rest_framework import exceptions
from rest_framework.test import APIClient

from classifier.api import urls
from classifier.api.problems import unknown_address
from classifier.models import User
from ml.images import CODES
from tests.api.checks import assert_problem
from tests.api.conftest import MakeClient

SCHEMA, DOCS = "/api/v1/schema/", "/api/v1/docs/"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def browser_session(alice: User) -> Client:
    client = Client()
    client.force_login(alice, backend=BACKEND)
    return client


@pytest.mark.parametrize("path", [SCHEMA, DOCS])
@pytest.mark.django_db
def test_a_program_without_token_gets_401(path: str) -> None:
    assert_problem(APIClient().get(path), 401, "not_authenticated")


@pytest.mark.django_db
def test_a_person_who_is_not_signed_in_is_sent_to_the_sign_in() -> None:
    response = Client().get(DOCS, headers={"accept": "text/html,*/*"})
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("login"))
    assert f"next={DOCS}" in response["Location"]


def test_a_session_opens_the_description(browser_session: Client) -> None:
    assert browser_session.get(SCHEMA).status_code == 200
    assert browser_session.get(DOCS).status_code == 200


@pytest.mark.parametrize("scope", ["scans:read", "reviews:write"])
def test_a_token_of_any_scope_opens_the_description(client_of: MakeClient, alice: User, scope: str) -> None:
    api = client_of(alice, scope)
    described = api.get(SCHEMA, HTTP_ACCEPT="application/json")
    assert described.json()["info"]["title"] == "MRI portal API"
    assert api.get(DOCS).status_code == 200


def test_the_description_is_valid_and_without_warnings(tmp_path: Path) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))


def test_every_address_and_error_is_described() -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    validate_schema(schema)
    views = [
        p for p in urls.urlpatterns if p.callback is not unknown_address and p.name not in ("schema", "docs")
    ]
    assert len(schema["paths"]) == len(views)
    for path in schema["paths"].values():
        for operation in path.values():
            assert operation["security"] == [{"token": []}]
            assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_the_page_holds_no_inline_script_or_style_and_its_files_are_ours(browser_session: Client) -> None:
    page = browser_session.get(DOCS).content.decode()
    assert "<style" not in page
    assert "<script>" not in page
    assert "http://" not in page.replace("http://testserver", "")
    assert "https://" not in page
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert finders.find(f"drf_spectacular_sidecar/swagger-ui-dist/{name}")


@pytest.fixture
def page(live_server, browser_session: Client) -> Iterator[Page]:
    with sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        except Error:
            pytest.skip("Debian's chromium is not installed")
        context = browser.new_context()
        cookie = browser_session.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        yield context.new_page()
        browser.close()


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_browser_shows_the_documentation_under_the_strict_policy(page: Page, live_server) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.goto(live_server.url + DOCS)
    page.wait_for_selector("text=/api/v1/predict/")
    page.click("text=/api/v1/predict/")
    page.wait_for_selector("text=Idempotency-Key")
    assert complaints == []


MANUAL = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def test_the_manual_names_every_address() -> None:
    manual = MANUAL.read_text(encoding="utf-8")
    for path in SchemaGenerator().get_schema(request=None, public=True)["paths"]:
        assert f"`{path}`" in manual


def test_every_code_of_the_manual_is_given_somewhere() -> None:
    table = MANUAL.read_text(encoding="utf-8").split("| Status | Codes |")[1].split("## How")[0]
    codes = set(re.findall(r"`([a-z]+(?:_[a-z]+)+|invalid|throttled)`", table))
    root = MANUAL.parents[1]
    sources = "".join(
        path.read_text(encoding="utf-8")
        for part in ("classifier", "ml")
        for path in (root / part).rglob("*.py")
    )
    given_by_the_framework = {
        exception.default_code for exception in exceptions.APIException.__subclasses__()
    }
    made_from_the_field = {f"{field}_invalid" for field in ("patient", "name", "question")}
    assert {c for c in codes if f'"{c}"' not in sources} <= given_by_the_framework | made_from_the_field


def test_every_code_an_image_is_refused_with_is_in_the_manual() -> None:
    assert all(f"`{code}`" in MANUAL.read_text(encoding="utf-8") for code in CODES)
