"""Who gets in: tokens only, each method by its scope, closed by default, strangers get 404."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory

from classifier.api import urls
from classifier.api.problems import unknown_address
from classifier.api.views.base import ApiView
from classifier.api.views.docs import DocsView, SchemaView
from classifier.audit import Actor
from classifier.models import Analysis, ApiToken, AuditEvent, Case, Scan, User
from classifier.models.tokens import Scope
from classifier.services.tokens import issue_token, revoke_token
from classifier.throttling import TokenRateThrottle
from tests.api.checks import actions, assert_problem
from tests.api.conftest import MakeClient
from tests.conftest import upload
from tests.ml.pictures import brain_png

CASES = "/api/v1/cases/"
DESCRIPTION = (SchemaView, DocsView)


def views() -> Iterator[tuple[URLPattern, type]]:
    for pattern in urls.urlpatterns:
        if pattern.callback is not unknown_address:
            yield pattern, pattern.callback.cls


def methods(view: type) -> list[str]:
    return [name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)]


EVERY_METHOD = [
    pytest.param(pattern, method, id=f"{method} {pattern.name}")
    for pattern, view in views()
    if view not in DESCRIPTION
    for method in methods(view)
]


def address(pattern: URLPattern) -> str:
    keys = {"uuid:pk": uuid.uuid4(), "int:index": 0}
    return reverse(
        f"api:{pattern.name}", args=[key for name, key in keys.items() if name in str(pattern.pattern)]
    )


@pytest.mark.parametrize(("pattern", "method"), EVERY_METHOD)
def test_every_method_of_every_view_declares_its_scope(pattern: URLPattern, method: str) -> None:
    assert pattern.callback.cls.scopes[method] in Scope.values


@pytest.mark.parametrize(("pattern", "method"), EVERY_METHOD)
@pytest.mark.django_db
def test_without_a_token_every_view_answers_401(pattern: URLPattern, method: str) -> None:
    response = APIClient().generic(method, address(pattern))
    assert_problem(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize(("pattern", "method"), EVERY_METHOD)
def test_a_token_without_the_scope_is_403(
    pattern: URLPattern, method: str, client_of: MakeClient, alice: User
) -> None:
    others = set(Scope.values) - {pattern.callback.cls.scopes[method]}
    response = client_of(alice, *others).generic(method, address(pattern))
    assert_problem(response, 403, "scope_missing")


@pytest.mark.parametrize(("pattern", "method"), EVERY_METHOD)
def test_a_session_does_not_open_the_api(pattern: URLPattern, method: str, alice: User) -> None:
    browser = Client()
    browser.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert_problem(browser.generic(method, address(pattern)), 401, "not_authenticated")


def test_a_head_request_needs_the_scope_of_a_get(client_of: MakeClient, alice: User) -> None:
    assert client_of(alice, "scans:read").head(CASES).status_code == 200
    assert client_of(alice, "scans:write").head(CASES).status_code == 403


def test_a_view_that_declares_no_scope_is_closed_to_everybody(alice: User) -> None:
    class Forgotten(ApiView):
        def get(self, request: object) -> Response:
            return Response("secrets")

    _, secret = issue_token(actor=Actor.command(), user=alice, name="all", scopes=Scope.values)
    request = APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert Forgotten.as_view()(request).status_code == 403


@pytest.mark.parametrize(
    "header",
    ["Bearer mri_unknown", "Bearer", "Bearer a b c", "bearer \xff", "Bearer " + "x" * 5000],
)
@pytest.mark.django_db
def test_a_token_that_is_none_is_401_and_says_only_that(header: str) -> None:
    response = APIClient().get(CASES, HTTP_AUTHORIZATION=header)
    body = assert_problem(response, 401, "token_invalid")
    assert body["detail"] == "This token is not valid."
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.django_db
def test_another_scheme_is_not_a_token() -> None:
    assert_problem(APIClient().get(CASES, HTTP_AUTHORIZATION="Basic YTpi"), 401, "not_authenticated")


def test_expired_revoked_and_orphaned_tokens_are_all_the_same_401(client_of: MakeClient, alice: User) -> None:
    def expire() -> None:
        ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    def revoke() -> None:
        revoke_token(actor=Actor.command(), token=ApiToken.objects.get())

    def dismiss() -> None:
        User.objects.filter(pk=alice.pk).update(is_active=False)

    answers = []
    for end in (expire, revoke, dismiss):
        ApiToken.objects.all().delete()
        api = client_of(alice)
        assert api.get(CASES).status_code == 200
        end()
        answers.append(assert_problem(api.get(CASES), 401, "token_invalid"))
    assert answers[0] == answers[1] == answers[2]


def test_a_scheme_is_read_whatever_its_case(alice: User) -> None:
    _, secret = issue_token(actor=Actor.command(), user=alice, name="t", scopes=["scans:read"])
    assert APIClient().get(CASES, HTTP_AUTHORIZATION=f"bEaReR {secret}").status_code == 200


def test_a_refused_token_is_recorded_once_a_minute_and_never_in_full(
    client_of: MakeClient, alice: User
) -> None:
    api = client_of(alice)
    revoke_token(actor=Actor.command(), token=ApiToken.objects.get())
    for _ in range(5):
        api.get(CASES)
    event = AuditEvent.objects.get(action="sign_in_failed")
    assert (event.object_type, event.object_id) == ("apitoken", str(ApiToken.objects.get().pk))
    assert (event.actor, event.via, event.address) == (None, "api", "127.0.0.1")
    assert "mri_" not in str(event.detail)


def test_requests_are_counted_by_token(
    client_of: MakeClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TokenRateThrottle, "rate", "3/min", raising=False)
    first, second = client_of(alice), client_of(alice)
    assert [first.get(CASES).status_code for _ in range(3)] == [200, 200, 200]
    refused = first.get(CASES)
    assert_problem(refused, 429, "throttled")
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert second.get(CASES).status_code == 200


def test_a_throttled_upload_leaves_nothing(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TokenRateThrottle, "rate", "1/hour", raising=False)
    api.get(CASES)
    response = api.post("/api/v1/scans/", {"file": upload(brain_png()), "patient": "P"})
    assert_problem(response, 429, "throttled")
    assert not Case.objects.exists()


@pytest.mark.parametrize("what", ["patient", "case", "scan", "file", "analyses", "analysis", "reviews"])
def test_a_stranger_gets_404_and_leaves_no_trace_of_a_view(
    strangers_api: APIClient, api: APIClient, scan: Scan, what: str
) -> None:
    url = {
        "patient": f"/api/v1/patients/{scan.case.patient_id}/",
        "case": f"/api/v1/cases/{scan.case_id}/",
        "scan": f"/api/v1/scans/{scan.pk}/",
        "file": f"/api/v1/scans/{scan.pk}/file/",
        "analyses": f"/api/v1/scans/{scan.pk}/analyses/",
        "analysis": f"/api/v1/analyses/{scan.analyses.get().pk}/",
        "reviews": f"/api/v1/analyses/{scan.analyses.get().pk}/reviews/",
    }[what]
    before = actions()
    refused = assert_problem(strangers_api.get(url), 404, "not_found")
    unknown = strangers_api.get(url.replace(url.split("/")[4], str(uuid.uuid4())))
    assert unknown.json() == refused
    assert actions() == before
    assert api.get(url).status_code == 200


@pytest.mark.parametrize("what", ["patients", "cases", "scans"])
def test_a_strangers_lists_are_empty(strangers_api: APIClient, scan: Scan, what: str) -> None:
    assert strangers_api.get(f"/api/v1/{what}/").json() == {"results": [], "next": None}


@pytest.mark.parametrize(
    ("who", "may"),
    [
        ("alice", {"read": 200, "open": 201, "upload": 202, "again": 202, "review": 201}),
        ("rita", {"read": 200, "open": 403, "upload": 403, "again": 403, "review": 201}),
        ("otto", {"read": 200, "open": 403, "upload": 403, "again": 403, "review": 403}),
        ("ada", {"read": 200, "open": 403, "upload": 403, "again": 403, "review": 403}),
        ("bob", {"read": 404, "open": 201, "upload": 404, "again": 404, "review": 404}),
    ],
)
def test_roles_decide_what_a_token_may_do(
    who: str, may: dict[str, int], request: pytest.FixtureRequest, client_of: MakeClient, scan: Scan, work
) -> None:
    analysis: Analysis = work(scan.analyses.get().pk)
    api = client_of(request.getfixturevalue(who))
    scan_url, review = f"/api/v1/scans/{scan.pk}/", {"verdict": "agree"}
    done = {
        "read": api.get(scan_url),
        "open": api.post(CASES, {"patient": "P"}, format="json"),
        "upload": api.post("/api/v1/scans/", {"file": upload(brain_png(1)), "case": str(scan.case_id)}),
        "again": api.post(f"{scan_url}analyses/"),
        "review": api.post(f"/api/v1/analyses/{analysis.pk}/reviews/", review, format="json"),
    }
    assert {name: response.status_code for name, response in done.items()} == may
