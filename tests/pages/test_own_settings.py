"""A user's own page: tokens whose secret is shown once, and who one is here."""

import re

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from classifier.audit import Actor
from classifier.models import ApiToken, AuditEvent, User
from classifier.services.tokens import authenticate_token, issue_token
from tests.pages.conftest import SignedIn
from tests.pages.reading import actions, words

OWN = "/settings/"
FORM = {"name": "PACS bridge", "scopes": ["scans:read", "scans:write"], "days": "30"}


def secret_in(response: HttpResponse) -> str:
    found = re.search(r'<code id="secret">(mri_[\w-]+)</code>', response.content.decode())
    assert found
    return found[1]


def test_a_new_tokens_secret_works_and_is_shown_this_once(browser: Client, alice: User) -> None:
    response = browser.post(OWN, FORM)
    secret = secret_in(response)
    token = authenticate_token(secret=secret)
    assert token is not None
    assert (token.user, token.name, token.scopes) == (alice, "PACS bridge", ["scans:read", "scans:write"])
    assert "no-store" in response["Cache-Control"]
    again = browser.get(OWN)
    assert secret not in again.content.decode()
    assert token.prefix in words(again)
    assert actions() == [AuditEvent.Action.TOKEN_ISSUED]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("name", "", "required"),
        ("name", "x" * 101, "at most 100"),
        ("scopes", [], "required"),
        ("scopes", ["everything"], "valid choice"),
        ("days", "0", "greater than or equal to 1"),
        ("days", "367", "less than or equal to 366"),
    ],
)
def test_a_token_that_cannot_be_is_refused_with_the_reason(
    field: str, value: object, reason: str, browser: Client
) -> None:
    response = browser.post(OWN, {**FORM, field: value})
    assert response.status_code == 400
    assert reason in words(response)
    assert not ApiToken.objects.exists()


def test_a_revoked_token_no_longer_works(browser: Client) -> None:
    secret = secret_in(browser.post(OWN, FORM))
    page = browser.post(reverse("revoke_token", args=[ApiToken.objects.get().pk]), follow=True)
    assert "“PACS bridge” no longer works" in words(page)
    assert authenticate_token(secret=secret) is None
    assert AuditEvent.Action.TOKEN_REVOKED in actions()


def test_nobody_sees_or_revokes_anothers_token(
    browser: Client, bob: User, ada: User, signed_in: SignedIn
) -> None:
    token, _ = issue_token(actor=Actor.command(), user=bob, name="Bob's", scopes=["scans:read"])
    for client in (browser, signed_in(ada)):
        assert "Bob's" not in words(client.get(OWN))
        assert client.post(reverse("revoke_token", args=[token.pk])).status_code == 404
    token.refresh_from_db()
    assert token.is_usable


def test_the_page_tells_who_one_is_here(browser: Client, signed_in: SignedIn, otto: User) -> None:
    assert "Roles Clinician Departments Neuroradiology" in words(browser.get(OWN))
    assert "Roles Auditor Departments none" in words(signed_in(otto).get(OWN))
