"""Who gets what: one table of (page, person) -> status for every address of the pages."""

import re
import uuid
from collections.abc import Callable

import pytest
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from classifier.audit import Actor
from classifier.models import Scan, User
from classifier.pages.urls import urlpatterns
from classifier.services.saved_views import save_view
from classifier.services.tokens import issue_token
from tests.pages.conftest import SignedIn
from tests.signed import Signed, signed  # noqa: F401
from tests.worker import Worker

PEOPLE = ("alice", "rita", "bob", "otto", "ada", "nobody")
TO_SIGN_IN = 302

# alice: clinician; rita: reviewer of the same department; bob: a stranger; otto: auditor; ada: administrator
TABLE: dict[tuple[str, str], tuple[int, int, int, int, int, int]] = {
    ("GET", "worklist"): (200, 200, 200, 200, 200, TO_SIGN_IN),
    ("GET", "worklist_rows"): (200, 200, 200, 200, 200, TO_SIGN_IN),
    ("GET", "worklist_counts"): (200, 200, 200, 200, 200, TO_SIGN_IN),
    ("GET", "session"): (200, 200, 200, 200, 200, TO_SIGN_IN),
    ("POST", "worklist_act"): (302, 302, 302, 302, 302, TO_SIGN_IN),
    ("GET", "worklist_export"): (200, 200, 200, 200, 200, TO_SIGN_IN),
    ("GET", "saved_views"): (200, 200, 200, 200, 200, TO_SIGN_IN),
    ("POST", "saved_views"): (302, 302, 302, 302, 302, TO_SIGN_IN),
    ("POST", "saved_view"): (302, 404, 404, 404, 404, TO_SIGN_IN),
    ("GET", "figures"): (200, 200, 200, 200, 200, TO_SIGN_IN),
    ("GET", "login"): (302, 302, 302, 302, 302, 200),
    ("POST", "sign_out"): (302, 302, 302, 302, 302, TO_SIGN_IN),
    ("GET", "own_settings"): (200, 200, 200, 200, 200, TO_SIGN_IN),
    ("POST", "own_settings"): (400, 400, 400, 400, 400, TO_SIGN_IN),
    ("GET", "change_password"): (200, 200, 200, 200, 200, TO_SIGN_IN),
    ("POST", "choose_preferences"): (302, 302, 302, 302, 302, TO_SIGN_IN),
    ("POST", "choose_guide"): (302, 302, 302, 302, 302, TO_SIGN_IN),
    ("POST", "choose_look"): (302, 302, 302, 302, 302, 302),
    ("POST", "revoke_token"): (302, 404, 404, 404, 404, TO_SIGN_IN),
    ("GET", "new_case"): (200, 403, 200, 403, 403, TO_SIGN_IN),
    ("POST", "new_case"): (400, 403, 400, 403, 403, TO_SIGN_IN),
    ("GET", "case"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("GET", "next_case"): (302, 302, 404, 302, 302, TO_SIGN_IN),
    ("GET", "progress"): (204, 204, 404, 204, 204, TO_SIGN_IN),
    ("GET", "case_history"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("GET", "upload"): (200, 403, 404, 403, 403, TO_SIGN_IN),
    ("POST", "upload"): (400, 403, 404, 403, 403, TO_SIGN_IN),
    ("GET", "scan"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("GET", "thumbnail"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("GET", "picture"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("GET", "volume"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("GET", "result"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("GET", "overlay"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("GET", "mask"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("GET", "border"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("GET", "mask_volume"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("GET", "file"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("POST", "analyse"): (302, 403, 404, 403, 403, TO_SIGN_IN),
    ("GET", "review"): (200, 200, 404, 403, 403, TO_SIGN_IN),
    ("POST", "review"): (400, 400, 404, 403, 403, TO_SIGN_IN),
    ("GET", "adjudication"): (200, 200, 404, 403, 403, TO_SIGN_IN),
    ("POST", "adjudication"): (400, 400, 404, 403, 403, TO_SIGN_IN),
    ("GET", "report"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("POST", "report"): (400, 400, 404, 403, 403, TO_SIGN_IN),
    ("GET", "report_pdf"): (200, 200, 404, 200, 200, TO_SIGN_IN),
    ("GET", "model_card"): (200, 200, 200, 200, 200, TO_SIGN_IN),
}
ONLY_POST = {name for method, name in TABLE if method == "POST"} - {n for m, n in TABLE if m == "GET"}

Addresses = Callable[[str], str]


@pytest.fixture
def address_of(scan: Scan, alice: User, worker: Worker, signed: Signed) -> Addresses:  # noqa: F811
    actor = Actor(user=alice, via="page")
    analysis, report = signed.analysis, signed.report
    token, _ = issue_token(actor=Actor.command(), user=alice, name="bridge", scopes=["scans:read"])
    arguments: dict[str, list[object]] = {
        "case": [scan.case_id],
        "next_case": [scan.case_id],
        "progress": [scan.case_id],
        "case_history": [scan.case_id],
        "upload": [scan.case_id],
        "scan": [scan.pk],
        "thumbnail": [scan.pk],
        "picture": [scan.pk, 0],
        "volume": [scan.pk],
        "result": [analysis.pk],
        "overlay": [analysis.pk, 0],
        "mask": [analysis.pk, 0],
        "border": [analysis.pk, 0],
        "mask_volume": [analysis.pk],
        "file": [scan.pk, 0],
        "analyse": [scan.pk],
        "review": [analysis.pk],
        "adjudication": [analysis.pk],
        "report": [scan.case_id],
        "report_pdf": [report.pk],
        "model_card": [worker.model.version],
        "revoke_token": [token.pk],
        "saved_view": [save_view(actor=actor, name="Mine", query="assigned=me").pk],
    }
    return lambda name: reverse(name, args=arguments.get(name))


@pytest.mark.parametrize("person", PEOPLE)
def test_each_person_gets_the_status_of_the_table(
    person: str, address_of: Addresses, signed_in: SignedIn, request: pytest.FixtureRequest
) -> None:
    user = None if person == "nobody" else request.getfixturevalue(person)
    wrong = {}
    for (method, name), row in TABLE.items():
        with transaction.atomic():
            client = signed_in(user) if user else Client()
            response = client.generic(method, address_of(name))
            transaction.set_rollback(True)
        if response.status_code != row[PEOPLE.index(person)]:
            wrong[method, name] = response.status_code
        if person == "nobody" and response.status_code == TO_SIGN_IN and name != "choose_look":
            assert response["Location"].startswith(reverse("login")), name
    assert wrong == {}


def test_the_table_names_every_address() -> None:
    assert {name for _, name in TABLE} == {pattern.name for pattern in urlpatterns}


@pytest.mark.parametrize("name", sorted(ONLY_POST))
def test_what_changes_something_does_not_answer_to_get(
    name: str, address_of: Addresses, browser: Client
) -> None:
    assert browser.get(address_of(name)).status_code == 405


@pytest.mark.parametrize(
    "name",
    [
        "case",
        "next_case",
        "thumbnail",
        "progress",
        "case_history",
        "upload",
        "scan",
        "volume",
        "result",
        "analyse",
        "review",
        "adjudication",
        "report",
        "report_pdf",
    ],
)
def test_a_stranger_cannot_tell_a_hidden_row_from_none(
    name: str, address_of: Addresses, signed_in: SignedIn, bob: User
) -> None:
    method = "POST" if name in ONLY_POST else "GET"
    client = signed_in(bob)
    addresses = address_of(name), reverse(name, args=[uuid.uuid4()])
    hidden, absent = (told(client.generic(method, address), address) for address in addresses)
    assert hidden == absent


def told(response: HttpResponse, address: str) -> tuple[int, str]:
    """The answer without what differs between any two requests: the address, the form token, the time."""
    text = response.content.decode().replace(address, "")
    for varying in (r'name="csrfmiddlewaretoken" value="\w+"', r"<time.*?</time>"):
        text = re.sub(varying, "", text, flags=re.DOTALL)
    return response.status_code, text


def test_forms_need_their_token(scan: Scan, alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    response = client.post(reverse("analyse", args=[scan.pk]))
    assert response.status_code == 403
    assert b"form_expired" in response.content
