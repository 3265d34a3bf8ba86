"""Every error is a page for a person, problem+json for a program, and never a bare traceback."""

import errno
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.test import Client
from django.urls import reverse

from classifier.audit import Actor
from classifier.errors import Conflict, UserFacingError
from classifier.models import Case, User
from classifier.services.preferences import keep_preferences
from tests.pages.reading import words

CARD = "classifier.pages.model_cards.registered_version"


@pytest.fixture
def broken(browser: Client, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``broken(error)``: a page in which ``error`` is raised, as a person and as a script gets it."""
    browser.raise_request_exception = False

    def load(error: Exception) -> tuple[Any, Any]:
        def fail(_version: str) -> None:
            raise error

        monkeypatch.setattr(CARD, fail)
        url = reverse("model_card", args=["any"])
        return browser.get(url), browser.get(url, headers={"Accept": "application/json"})

    return load


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UserFacingError("some_code", "A sentence."), 400, "some_code"),
        (Conflict("other_code", "A sentence."), 409, "other_code"),
        (SuspiciousOperation("secret detail"), 400, "bad_request"),
        (PermissionDenied("secret detail"), 403, "not_allowed"),
        (OperationalError("secret detail"), 503, "database_unavailable"),
        (InterfaceError("secret detail"), 503, "database_unavailable"),
        (OSError(errno.ENOSPC, "secret detail"), 503, "storage_unavailable"),
        (OSError(errno.EACCES, "secret detail"), 500, "internal_error"),
        (RuntimeError("secret detail"), 500, "internal_error"),
    ],
)
def test_an_error_has_its_status_its_code_and_no_inside(
    error: Exception, status: int, code: str, broken: Any
) -> None:
    page, problem = broken(error)
    assert page.status_code == problem.status_code == status
    assert f"Code {code}" in words(page)
    assert "To the worklist" in words(page)
    assert "Research use only" in words(page)
    assert problem["Content-Type"] == "application/problem+json"
    body = problem.json()
    assert (body["status"], body["code"]) == (status, code)
    assert "secret detail" not in page.content.decode() + problem.content.decode()
    assert "default-src 'none'" in page["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OperationalError("no route"), "The database does not answer: OperationalError"),
        (OSError(errno.ENOSPC, "No space left on device"), "A disk is full"),
    ],
)
def test_the_log_tells_what_is_behind_a_503(
    error: Exception, told: str, broken: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Django's own line about it is an answer's, and those of 503 are left out of the log."""
    broken(error)
    [ours, _] = [record for record in caplog.records if record.name == "classifier.pages.errors"]
    assert ours.message == told
    assert ours.exc_info is not None and ours.exc_info[1] is error


@pytest.mark.parametrize(
    ("status", "english", "spanish"),
    [
        (400, "repeat what you did", "repita lo que hizo"),
        (403, "ask an administrator", "pida la función"),
        (404, "look for the case", "busque el caso"),
        (409, "Load the page again", "Cargue de nuevo la página"),
        (413, "Send fewer or smaller files", "Envíe menos archivos"),
        (422, "Choose another file", "Elija otro archivo"),
        (429, "Wait for as long as it says", "Espere el tiempo indicado"),
        (500, "tell whoever runs the portal", "comunique el código y la hora"),
        (503, "What you had sent before is safe", "Lo que envió antes está a salvo"),
    ],
)
def test_an_error_says_what_to_do_next_in_the_readers_language(
    status: int, english: str, spanish: str, broken: Any, browser: Client, alice: User
) -> None:
    error = UserFacingError("some_code", "A sentence.", status=status)
    page, _ = broken(error)
    assert english in words(page)
    assert ("Try again" in words(page)) == (status in {500, 503})
    keep_preferences(actor=Actor(user=alice, via="page"), language="es")
    page, problem = broken(error)
    assert spanish in words(page)
    assert "Ir a la lista de trabajo" in words(page)
    assert problem["Content-Language"] == "es"


def test_a_page_that_a_role_does_not_allow_says_so_once(broken: Any) -> None:
    page, _ = broken(PermissionDenied())
    told = page.content.decode().partition("<main")[2]
    assert told.count("Your role does not allow this") == 1
    assert "This needs a role that you do not have." in told


def test_a_program_is_told_in_the_language_it_asks_for(client: Client, db: None) -> None:
    asked = {"Accept-Language": "es", "Accept": "application/json"}
    body = client.get("/api/v1/nothing/", headers=asked).json()
    assert body["code"] == "not_found"
    assert body["detail"].startswith("No hay nada en esta dirección")


def test_a_database_that_is_away_asks_to_come_back(broken: Any) -> None:
    page, _ = broken(OperationalError())
    assert page["Retry-After"] == "30"
    assert "Nothing was lost" in words(page)


def test_a_database_that_is_away_before_any_view_is_told_too(
    client: Client, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError

    client.raise_request_exception = False
    client.cookies["sessionid"] = "x" * 32
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", away)
    assert client.get("/").status_code == 503


def test_an_unknown_address_is_a_page(browser: Client) -> None:
    response = browser.get("/nothing/here/")
    assert response.status_code == 404
    assert "There is nothing here" in words(response)


def test_a_form_without_its_token_is_explained(client: Client, db: None) -> None:
    strict = Client(enforce_csrf_checks=True)
    response = strict.post("/sign-in/", {"username": "x", "password": "y"})
    assert response.status_code == 403
    assert "This form has expired" in words(response)


def test_what_a_stranger_sends_acts_on_nobody_who_reads_the_log(
    client: Client, db: None, caplog: pytest.LogCaptureFixture
) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.post("/sign-in/", headers={"Origin": "https://evil.example/\x1b[2J\x9b"})
    [line] = [record.getMessage() for record in caplog.records if "evil" in record.getMessage()]
    assert line.isprintable()


def test_a_host_that_is_not_ours_gets_no_page(client: Client, db: None) -> None:
    assert client.get("/sign-in/", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(method: str, browser: Client) -> None:
    assert browser.generic(method, "/").status_code == 405


def test_an_address_that_is_no_page_says_so(browser: Client) -> None:
    refused = browser.get(reverse("choose_look"))
    assert refused.status_code == 405
    assert refused["Allow"] == "POST"
    assert "Code method_not_allowed" in words(refused)
    assert "Go back to the page with the form" in words(refused)
