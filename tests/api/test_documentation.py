"""The API's description: valid, complete, from this server alone, under the same strict policy."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


ROOT = Path(__file__).resolve().parents[2]
MANUAL = ROOT / "docs" / "api.md"
# The forms of the API refuse such a text or word first, and do not ask what somebody has seen.
ONLY_FOR_PAGES = {"case_changed", "comment_too_long", "verdict_invalid"}


def test_the_manual_names_every_address() -> None:
    manual = MANUAL.read_text(encoding="utf-8")
    for path in SchemaGenerator().get_schema(request=None, public=True)["paths"]:
        assert f"`{path}`" in manual


def test_every_code_of_the_manual_is_given_somewhere() -> None:
    table = MANUAL.read_text(encoding="utf-8").split("| Status | Codes |")[1].split("## How")[0]
    codes = set(re.findall(r"`([a-z]+(?:_[a-z]+)+|invalid|throttled)`", table))
    sources = "".join(
        path.read_text(encoding="utf-8")
        for part in ("classifier", "ml")
        for path in (ROOT / part).rglob("*.py")
    )
    given_by_the_framework = {
        exception.default_code for exception in exceptions.APIException.__subclasses__()
    }
    made_from_the_field = {"patient_invalid"}
    assert {c for c in codes if f'"{c}"' not in sources} <= given_by_the_framework | made_from_the_field


def test_every_code_an_image_is_refused_with_is_in_the_manual() -> None:
    assert all(f"`{code}`" in MANUAL.read_text(encoding="utf-8") for code in CODES)


@pytest.mark.parametrize("name", ["cases", "files", "intake", "analyses", "reviews", "reports", "reading"])
def test_every_code_a_verb_refuses_with_is_in_the_manual(name: str) -> None:
    source = (ROOT / "classifier" / "services" / f"{name}.py").read_text(encoding="utf-8")
    codes = set(re.findall(r'(?:UserFacingError|Conflict)\(\s*"(\w+)"', source))
    assert {c for c in codes - ONLY_FOR_PAGES if f"`{c}`" not in MANUAL.read_text(encoding="utf-8")} == set()


@pytest.mark.parametrize("name", ["bundle", "predictor"])
def test_every_code_a_chosen_model_fails_with_is_in_the_manual(name: str) -> None:
    codes = re.findall(r'code="(\w+)"', (ROOT / "ml" / f"{name}.py").read_text(encoding="utf-8"))
    assert codes and all(f"`{code}`" in MANUAL.read_text(encoding="utf-8") for code in codes)


def test_what_the_description_puts_in_backticks_is_part_of_it() -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    texts, words = list(described(schema)), set(re.findall(r"\w+", str(without_texts(schema))))
    assert len(texts) > 50
    assert {word for text in texts for word in re.findall(r"`+(\w+)`+", text)} - words == set()


def described(node: Any) -> Iterator[str]:
    """Every text of an OpenAPI description that is for people."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if key == "description" and isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            yield from described(value)


def without_texts(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: without_texts(value) for key, value in node.items() if key != "description"}
    return [without_texts(value) for value in node] if isinstance(node, list) else node
