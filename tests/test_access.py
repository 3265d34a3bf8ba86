"""Who gets what, at every address of the portal: one table of (method, address) -> status by role.

The pages' rows stand beside the pages' tests, where each is tried for each person; a superuser gets
what an administrator gets. A new address without a row fails here.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from rest_framework.test import APIClient

from classifier.audit import Actor
from classifier.models import AuditEvent, ModelVersion, Scan, User, WorkerHeartbeat
from classifier.models.tokens import Scope
from classifier.services.tokens import issue_token
from tests.conftest import NEURO
from tests.pages.test_access import TABLE as PAGES
from tests.pages.test_access import address_of  # noqa: F401
from tests.signed import Signed, signed  # noqa: F401
from tests.worker import worker  # noqa: F401

# alice: clinician; rita: reviewer of the same department; bob: clinician of another; otto: auditor;
# ada: administrator; root: superuser
PEOPLE = ("alice", "rita", "bob", "otto", "ada", "root", "nobody")
Row = tuple[int, ...]
Table = Mapping[tuple[str, str], Row]

# --- Admin site: nobody but overseers enters, a visitor is sent to the sign-in ----------------------
OVERSEERS: Row = (403, 403, 403, 200, 200, 200, 302)
SENT_ON: Row = (403, 403, 403, 302, 302, 302, 302)
NO_TRAIL: Row = (403, 403, 403, 404, 404, 404, 302)
NOBODY: Row = (403, 403, 403, 403, 403, 403, 302)
EVERYBODY_TO_SIGN_IN: Row = (302,) * 7


def administrators(status: int) -> Row:
    return (403, 403, 403, 403, status, status, 302)


def shown(model: str, *, who: Row, history: Row, added: tuple[Row, Row] = (NOBODY, NOBODY)) -> Table:
    """The pages Django makes for a model: to read for ``who``, to change or delete for nobody."""
    name = f"admin:{model}"
    return {
        ("GET", f"{name}_changelist"): who,
        ("GET", f"{name}_change"): who,
        ("POST", f"{name}_change"): NOBODY,
        ("GET", f"{name}_delete"): NOBODY,
        ("POST", f"{name}_delete"): NOBODY,
        ("GET", f"{name}_history"): history,
        ("GET", f"{name}_add"): added[0],
        ("POST", f"{name}_add"): added[1],
    }


def act(name: str, posted: int) -> Table:
    """An administrator's page: asking shows it, an empty POST does it (302) or lacks something (400)."""
    return {
        ("GET", f"admin:{name}"): administrators(200),
        ("POST", f"admin:{name}"): administrators(posted),
    }


ADDED = (administrators(200), administrators(400))
ADMIN: Table = {
    ("GET", "admin:index"): OVERSEERS,
    ("GET", "admin:app_list"): OVERSEERS,
    ("GET", "admin:jsi18n"): OVERSEERS,
    ("GET", "admin:login"): EVERYBODY_TO_SIGN_IN,
    ("POST", "admin:login"): EVERYBODY_TO_SIGN_IN,
    ("POST", "admin:logout"): SENT_ON,
    ("GET", "admin:password_change"): SENT_ON,
    **shown("classifier_patient", who=OVERSEERS, history=NO_TRAIL),
    **shown("classifier_case", who=OVERSEERS, history=SENT_ON),
    **shown("classifier_scan", who=OVERSEERS, history=SENT_ON),
    **shown("classifier_analysis", who=OVERSEERS, history=SENT_ON),
    **shown("classifier_review", who=OVERSEERS, history=SENT_ON),
    **shown("classifier_adjudication", who=OVERSEERS, history=SENT_ON),
    **shown("classifier_report", who=OVERSEERS, history=SENT_ON),
    **shown("classifier_auditevent", who=OVERSEERS, history=NO_TRAIL),
    **shown("classifier_modelversion", who=OVERSEERS, history=NO_TRAIL),
    **shown("classifier_workerheartbeat", who=OVERSEERS, history=NO_TRAIL),
    **shown("classifier_user", who=administrators(200), history=administrators(302), added=ADDED),
    **shown("classifier_apitoken", who=administrators(200), history=administrators(404), added=ADDED),
    **shown("auth_group", who=administrators(200), history=administrators(404), added=ADDED),
    **act("classifier_modelversion_register", posted=302),
    **act("classifier_modelversion_activate", posted=400),
    **act("classifier_user_details", posted=400),
    **act("classifier_user_access", posted=302),
    **act("classifier_user_password", posted=400),
    **act("classifier_user_unlock", posted=302),
    **act("classifier_apitoken_revoke", posted=302),
    **act("auth_group_rename", posted=400),
    **act("auth_group_reading", posted=302),
}

# --- API: with a token of every scope; without one 401 -----------------------------------------------
READERS: Row = (200, 200, 404, 200, 200, 200, 401)
LISTED: Row = (200, 200, 200, 200, 200, 200, 401)
INCOMPLETE: Row = (400, 400, 400, 400, 400, 400, 401)
API: Table = {
    ("GET", "api:patients"): LISTED,
    ("GET", "api:patient"): READERS,
    ("GET", "api:cases"): LISTED,
    ("POST", "api:cases"): INCOMPLETE,
    ("GET", "api:case"): READERS,
    ("GET", "api:scans"): LISTED,
    ("POST", "api:scans"): INCOMPLETE,
    ("GET", "api:scan"): READERS,
    ("GET", "api:scan-file"): READERS,
    ("GET", "api:scan-slice"): READERS,
    ("GET", "api:scan-volume"): READERS,
    ("GET", "api:scan-analyses"): READERS,
    ("POST", "api:scan-analyses"): (202, 403, 404, 403, 403, 403, 401),
    ("GET", "api:analysis"): READERS,
    ("GET", "api:analysis-overlay"): READERS,
    ("GET", "api:analysis-mask"): READERS,
    ("GET", "api:analysis-mask-volume"): READERS,
    ("GET", "api:reviews"): READERS,
    ("POST", "api:reviews"): INCOMPLETE,
    ("POST", "api:adjudication"): INCOMPLETE,
    ("GET", "api:reports"): READERS,
    ("POST", "api:reports"): (409, 409, 404, 403, 403, 403, 401),
    ("GET", "api:report"): READERS,
    ("GET", "api:report-pdf"): READERS,
    ("GET", "api:models"): LISTED,
    ("POST", "api:predict"): INCOMPLETE,
    ("GET", "api:schema"): LISTED,
    ("GET", "api:docs"): LISTED,
}

TABLE: Table = {
    **{address: (*row[:5], row[4], row[5]) for address, row in PAGES.items()},
    **ADMIN,
    **API,
}


@pytest.fixture
def root(make_user: Callable[..., User]) -> User:
    return make_user("root", is_superuser=True, is_staff=True)


@pytest.fixture
def keys(scan: Scan, alice: User, signed: Signed) -> dict[str, Any]:  # noqa: F811
    """What stands in an address, by the model or page it names; every row belongs to Neuroradiology."""
    token, _ = issue_token(actor=Actor.command(), user=alice, name="bridge", scopes=["scans:read"])
    now = timezone.now()
    beat = WorkerHeartbeat.objects.create(
        name="host:1", model_version="1", load_seconds=1, rss_bytes=1, loaded_at=now, seen_at=now
    )
    return {
        "patient": scan.case.patient_id,
        "case": scan.case_id,
        "scan": scan.pk,
        "analysis": signed.analysis.pk,
        "review": signed.first.pk,
        "adjudication": signed.adjudication.pk,
        "report": signed.report.pk,
        "apitoken": token.pk,
        "user": alice.pk,
        "group": Group.objects.get(name=NEURO).pk,
        "modelversion": ModelVersion.objects.create(version="spare", sha256="1" * 64).pk,
        "workerheartbeat": beat.pk,
        "auditevent": AuditEvent.objects.latest("pk").pk,
    }


API_KEYS = {
    "api:scan-file": "scan",
    "api:scan-analyses": "scan",
    "api:scan-slice": "scan",
    "api:scan-volume": "scan",
    "api:analysis-overlay": "analysis",
    "api:analysis-mask": "analysis",
    "api:analysis-mask-volume": "analysis",
    "api:reviews": "analysis",
    "api:adjudication": "analysis",
    "api:reports": "case",
    "api:report-pdf": "report",
    **{f"api:{name}": name for name in ("patient", "case", "scan", "analysis", "report")},
}
OF_A_SLICE = {"api:scan-slice", "api:analysis-overlay", "api:analysis-mask"}
WITHOUT_ROW = ("changelist", "add", "register")


def url_of(name: str, keys: dict[str, Any]) -> str:
    if name in API_KEYS:
        return reverse(name, args=[keys[API_KEYS[name]], *([0] if name in OF_A_SLICE else [])])
    if name == "admin:app_list":
        return reverse(name, args=["classifier"])
    _, model, page = ("", *name.rsplit("_", 2)[-2:]) if name.count("_") == 2 else ("", "", "")
    needs_row = model in keys and page not in WITHOUT_ROW
    return reverse(name, args=[keys[model]] if needs_row else [])


def client_for(name: str, user: User | None) -> Client:
    cache.clear()  # nobody is throttled for asking everything at once
    client = APIClient() if name.startswith("api:") else Client()
    if user is None:
        return client
    if isinstance(client, APIClient):
        _, secret = issue_token(actor=Actor.command(), user=user, name="test", scopes=Scope.values)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    else:
        client.force_login(user)
    return client


@pytest.mark.parametrize("person", PEOPLE)
def test_each_role_gets_the_status_of_the_table(
    person: str, keys: dict[str, Any], request: pytest.FixtureRequest, root: User, rung: list[str]
) -> None:
    user = None if person == "nobody" else request.getfixturevalue(person)
    wrong = {}
    for (method, name), row in {**ADMIN, **API}.items():
        with transaction.atomic():
            status = client_for(name, user).generic(method, url_of(name, keys)).status_code
            transaction.set_rollback(True)
        if status != row[PEOPLE.index(person)]:
            wrong[method, name] = status
    assert wrong == {}


def test_a_superuser_gets_of_the_pages_what_an_administrator_gets(
    address_of: Callable[[str], str],  # noqa: F811
    root: User,
    rung: list[str],
) -> None:
    wrong = {}
    for (method, name), row in PAGES.items():
        with transaction.atomic():
            status = client_for(name, root).generic(method, address_of(name)).status_code
            transaction.set_rollback(True)
        if status != row[PEOPLE.index("ada")]:
            wrong[method, name] = status
    assert wrong == {}


def addresses(resolver: Any = None, namespace: str = "") -> Iterator[str]:
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from addresses(pattern, inner)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield namespace + pattern.name


def test_the_table_names_every_address_of_the_portal() -> None:
    assert {name for _, name in TABLE} == set(addresses())


def test_an_address_that_is_not_in_the_table_is_noticed() -> None:
    assert "admin:classifier_case_change" in set(addresses())
    assert "worklist" in set(addresses())


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_a_probe_is_open_to_everybody_and_tells_no_names(address: str, scan: Scan, alice: User) -> None:
    answer = Client().get(address)
    assert answer.status_code in {200, 503}
    assert b"MRN-1" not in answer.content and b"alice" not in answer.content


def test_a_department_that_is_taken_away_closes_its_cases_at_once(scan: Scan, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    assert client.get(reverse("case", args=[scan.case_id])).status_code == 200
    alice.groups.remove(Group.objects.get(name=NEURO))
    assert client.get(reverse("case", args=[scan.case_id])).status_code == 404
