"""Search and filters of the admin site find what they say, without counting large tables."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from classifier.admin.paging import BoundedPaginator
from classifier.audit import Actor
from classifier.models import Case, User
from classifier.services.cases import open_case
from tests.admin.conftest import History
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.signed import Signed, read_and_signed
from tests.worker import Worker

Statements = Callable[[str], list[str]]
CLINICAL = ["patient", "case", "scan", "analysis", "review"]
LISTS = [*CLINICAL, "adjudication", "report", "auditevent"]


@pytest.fixture
def listed(otto: User, browser: Callable[[User], Client]) -> Callable[..., list[Any]]:
    """``listed("case", q="MRN")`` is what that list shows to an auditor."""
    client = browser(otto)

    def ask(name: str, **query: str) -> list[Any]:
        answer = client.get(reverse(f"admin:classifier_{name}_changelist"), query)
        assert answer.status_code == 200
        return list(answer.context["cl"].result_list)

    return ask


@pytest.fixture
def statements(otto: User, browser: Callable[[User], Client]) -> Statements:
    """``statements(address)``: what an auditor's look at it asks of the database."""
    client = browser(otto)

    def ask(address: str) -> list[str]:
        client.get(address)  # the first one also writes the session
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200
        return [query["sql"] for query in captured]

    return ask


@pytest.fixture
def elsewhere(bob: User) -> Case:
    return open_case(actor=Actor(user=bob, via="page"), patient_reference="OTHER-2")


@pytest.mark.parametrize("name", CLINICAL)
def test_a_row_is_found_by_the_beginning_of_its_patients_reference_in_any_case(
    name: str, history: History, elsewhere: Case, listed: Callable[..., list[Any]]
) -> None:
    assert listed(name, q="mrn") == [getattr(history, name)]
    assert listed(name, q="RN-1") == []


@pytest.mark.parametrize("name", CLINICAL)
@pytest.mark.parametrize("digits", [8, 36])
def test_a_row_is_found_by_its_id_as_lists_show_it(
    name: str, digits: int, history: History, elsewhere: Case, listed: Callable[..., list[Any]]
) -> None:
    row = getattr(history, name)
    assert listed(name, q=str(row.pk)[:digits]) == [row]


def test_a_reference_made_of_digits_is_not_taken_for_an_id(
    alice: User, listed: Callable[..., list[Any]]
) -> None:
    case = open_case(actor=Actor(user=alice, via="page"), patient_reference="20260012")
    assert listed("case", q="20260012") == [case]


@pytest.mark.parametrize(
    ("name", "query", "found"),
    [
        ("analysis", {"status__exact": "succeeded"}, 1),
        ("analysis", {"status__exact": "failed"}, 0),
        ("analysis", {"outcome__exact": "glioma"}, 1),
        ("analysis", {"outcome__exact": "refused"}, 0),
        ("case", {"triage__exact": str(Case.Triage.REVIEWED)}, 1),
        ("case", {"triage__exact": str(Case.Triage.SUSPECTED)}, 0),
        ("review", {"verdict__exact": "correct"}, 1),
        ("review", {"label__exact": "glioma"}, 0),
        ("auditevent", {"action__exact": "review_submitted"}, 1),
        ("auditevent", {"action__exact": "exported"}, 0),
    ],
)
def test_a_filter_keeps_what_it_names(
    name: str, query: dict[str, str], found: int, history: History, listed: Callable[..., list[Any]]
) -> None:
    assert len(listed(name, **query)) == found


@pytest.mark.parametrize("name", ["patient", "case", "scan", "analysis"])
def test_the_department_filter_keeps_one_department_and_offers_no_role(
    name: str,
    history: History,
    elsewhere: Case,
    otto: User,
    browser: Callable[[User], Client],
    listed: Callable[..., list[Any]],
) -> None:
    assert listed(name, department=str(history.case.department_id)) == [getattr(history, name)]
    assert getattr(history, name) not in listed(name, department=str(elsewhere.department_id))
    page = browser(otto).get(reverse(f"admin:classifier_{name}_changelist")).content.decode()
    assert f"?department={history.case.department_id}" in page
    assert ">clinician<" not in page


@pytest.mark.parametrize("name", ["case", "scan", "analysis", "review"])
def test_the_trail_of_a_case_is_found_by_whatever_belongs_to_it(
    name: str, history: History, elsewhere: Case, listed: Callable[..., list[Any]]
) -> None:
    events = listed("auditevent", q=str(getattr(history, name).pk))
    assert {event.case_id for event in events} == {history.case.pk}
    assert "review_submitted" in {event.action for event in events}


@pytest.mark.parametrize("name", ["report", "adjudication"])
def test_the_trail_of_a_case_is_found_by_its_report_and_its_adjudication(
    name: str, history: History, signed: Signed, listed: Callable[..., list[Any]]
) -> None:
    events = listed("auditevent", q=str(getattr(signed, name).pk))
    assert {event.case_id for event in events} == {history.case.pk}


def test_the_trail_of_a_user_is_found_by_name(
    history: History, elsewhere: Case, listed: Callable[..., list[Any]]
) -> None:
    assert {event.actor_name for event in listed("auditevent", q="rita")} == {"rita"}
    assert listed("auditevent", q="nobody") == []


@pytest.mark.parametrize("name", LISTS)
def test_no_list_counts_its_whole_table(name: str, signed: Signed, statements: Statements) -> None:
    asked = statements(reverse(f"admin:classifier_{name}_changelist"))
    counting = [sql for sql in asked if "COUNT(" in sql]
    assert counting
    assert all(f"LIMIT {BoundedPaginator.REACH + 1}" in sql for sql in counting)


def signed_case(reference: str, clinician: User, reader: User, worker: Worker) -> Signed:
    actor = Actor(user=clinician, via="page")
    case = open_case(actor=actor, patient_reference=reference)
    [result] = upload_scans(actor=actor, case=case, files=[upload(brain_png())])
    return read_and_signed(worker.finish(result.scan), reader)


@pytest.mark.parametrize("name", LISTS)
def test_a_longer_list_costs_no_more_queries(
    name: str, rung: list[str], alice: User, rita: User, worker: Worker, statements: Statements
) -> None:
    address = reverse(f"admin:classifier_{name}_changelist")
    signed_case("FIRST", alice, rita, worker)
    few = statements(address)
    for number in range(3):
        signed_case(f"MORE-{number}", alice, rita, worker)
    assert len(statements(address)) == len(few)


@pytest.mark.parametrize("name", LISTS)
def test_no_list_reads_what_an_analysis_says_of_each_slice_or_a_report_of_everything(
    name: str, signed: Signed, statements: Statements
) -> None:
    asked = "".join(statements(reverse(f"admin:classifier_{name}_changelist")))
    long = {"slices", "finding", "timings", "content"}
    assert not {column for column in long if f'"{column}"' in asked}


def test_the_tables_below_a_case_read_nothing_of_each_slice(
    signed: Signed, case: Case, statements: Statements
) -> None:
    asked = "".join(statements(reverse("admin:classifier_case_change", args=[case.pk])))
    assert not {column for column in ("slices", "finding", "timings") if f'"{column}"' in asked}


def test_a_list_that_is_cut_says_so(
    alice: User, otto: User, browser: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedPaginator, "REACH", 3)
    for number in range(4):
        open_case(actor=Actor(user=alice, via="page"), patient_reference=f"P-{number}")
    page = browser(otto).get(reverse("admin:classifier_case_changelist")).content.decode()
    assert "The first 3 cases; search or filter for others." in page
