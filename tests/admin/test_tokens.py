"""Issuing and revoking API tokens in the admin site."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from classifier.audit import Actor
from classifier.models import ApiToken, AuditEvent, User
from classifier.services.tokens import authenticate_token, issue_token
from tests.admin.conftest import History

ISSUE = reverse("admin:classifier_apitoken_add")
LIST = reverse("admin:classifier_apitoken_changelist")


def wanted(user: User, **changes: object) -> dict[str, object]:
    return {"user": user.pk, "name": "PACS", "scopes": ["scans:read"], "days": 30} | changes


def test_the_secret_is_shown_once_in_an_answer_that_nobody_keeps(
    ada: User, alice: User, browser: Callable[[User], Client]
) -> None:
    client = browser(ada)
    answer = client.post(ISSUE, wanted(alice))
    secret = answer.context["secret"]
    assert secret in answer.content.decode() and "no-store" in answer["Cache-Control"]
    token = ApiToken.objects.get()
    assert authenticate_token(secret=secret) == token and token.user == alice
    row = reverse("admin:classifier_apitoken_change", args=[token.pk])
    for url in (row, LIST, ISSUE):
        assert secret not in client.get(url).content.decode()


def test_issuing_is_recorded_without_the_secret(
    ada: User, alice: User, browser: Callable[[User], Client]
) -> None:
    secret = browser(ada).post(ISSUE, wanted(alice)).context["secret"]
    event = AuditEvent.objects.get(action="token_issued")
    assert (event.actor, event.via, event.object_id) == (ada, "admin", str(ApiToken.objects.get().pk))
    assert event.detail == {"owner": alice.pk, "scopes": ["scans:read"]}
    assert secret not in str(event.detail)


@pytest.mark.parametrize(
    "changes", [{"name": " "}, {"scopes": []}, {"scopes": ["everything"]}, {"days": 0}, {"days": 9999}]
)
def test_a_token_that_cannot_be_is_refused(
    changes: dict[str, object], ada: User, alice: User, browser: Callable[[User], Client]
) -> None:
    assert browser(ada).post(ISSUE, wanted(alice, **changes)).status_code == 400
    assert not ApiToken.objects.exists()


def test_an_administrator_issues_no_token_of_a_superuser(
    ada: User, root: User, browser: Callable[[User], Client]
) -> None:
    assert browser(ada).post(ISSUE, wanted(root)).status_code == 400
    assert not ApiToken.objects.exists()
    assert browser(root).post(ISSUE, wanted(root)).status_code == 200


def test_a_revoked_token_ends_and_the_audit_says_who_ended_it(
    history: History, ada: User, browser: Callable[[User], Client]
) -> None:
    url = reverse("admin:classifier_apitoken_revoke", args=[history.token.pk])
    client = browser(ada)
    client.get(url)
    assert ApiToken.objects.usable().filter(pk=history.token.pk).exists()
    client.post(url)
    assert not ApiToken.objects.usable().filter(pk=history.token.pk).exists()
    event = AuditEvent.objects.get(action="token_revoked")
    assert (event.actor, event.object_id) == (ada, str(history.token.pk))


def test_an_administrator_is_not_offered_to_revoke_a_superusers_token(
    root: User, ada: User, browser: Callable[[User], Client]
) -> None:
    token, _ = issue_token(actor=Actor.command(), user=root, name="PACS", scopes=["scans:read"])
    revoke = reverse("admin:classifier_apitoken_revoke", args=[token.pk])
    page = reverse("admin:classifier_apitoken_change", args=[token.pk])
    assert revoke not in browser(ada).get(page).content.decode()
    assert b"Only a superuser manages a superuser" in browser(ada).post(revoke).content
    assert revoke in browser(root).get(page).content.decode()
    assert ApiToken.objects.usable().filter(pk=token.pk).exists()


@pytest.mark.parametrize("who", ["otto", "alice"])
def test_nobody_below_an_administrator_manages_tokens_here(
    who: str, history: History, request: pytest.FixtureRequest, browser: Callable[[User], Client]
) -> None:
    client = browser(request.getfixturevalue(who))
    revoke = reverse("admin:classifier_apitoken_revoke", args=[history.token.pk])
    assert client.post(revoke).status_code == 403
    assert client.post(ISSUE, wanted(request.getfixturevalue(who))).status_code == 403
    assert ApiToken.objects.usable().count() == 1
