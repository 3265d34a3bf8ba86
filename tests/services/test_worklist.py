"""The worklist's order, filters, next case, export and assignment, as the services give them."""

import importlib
import uuid
from collections.abc import Callable
from dataclasses import fields
from datetime import date, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.utils import timezone

from classifier.audit import Actor
from classifier.errors import Conflict, NotAllowed, NotFound, UserFacingError
from classifier.models import AuditEvent, Case, Patient, Scan, User
from classifier.services import worklist
from classifier.services.assignments import analyse_cases, assign_cases, readers_for
from classifier.services.reports import sign_report
from classifier.services.reviews import submit_review
from classifier.services.worklist_counts import AT_MOST, count_worklist
from classifier.services.worklist_selection import Filters, Position
from tests.conftest import NEURO, ORTHO, Reads, upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.worker import Worker, prediction

Triage = Case.Triage
MakeCase = Callable[..., Case]
Action = AuditEvent.Action


@pytest.fixture
def make_case(alice: User) -> MakeCase:
    """``make_case("P-1", triage=…)``: each an hour older than the one before."""
    moment = timezone.now()

    def make(reference: str, *, department: str = NEURO, **columns: Any) -> Case:
        nonlocal moment
        moment -= timedelta(hours=1)
        group = Group.objects.get(name=department)
        patient, _ = Patient.objects.get_or_create(department=group, reference=reference)
        case = Case.objects.create(
            department=group,
            patient=patient,
            opened_by=alice,
            **{name: columns.pop(name) for name in ("question",) if name in columns},
        )
        Case.objects.filter(pk=case.pk).update(**{"created_at": moment, **columns})
        return Case.objects.get(pk=case.pk)

    return make


@pytest.fixture
def blind(case: Case, reads: Reads) -> None:
    """Neuroradiology reads blind."""
    reads(blind=True)


def fresh(user: User) -> User:
    """As the next request reads them."""
    return User.objects.get(pk=user.pk)


def found(user: User, **filters: Any) -> list[str]:
    page = worklist.find_worklist(user=user, filters=Filters(**filters))
    return [row.case.patient.reference for row in page.rows]


def test_of_suspected_tumours_the_likelier_comes_first_whenever_it_came(
    make_case: MakeCase, alice: User
) -> None:
    make_case("newest", triage=Triage.SUSPECTED, urgency=710)
    make_case("likeliest", triage=Triage.SUSPECTED, urgency=990)
    make_case("uncertain", triage=Triage.UNCERTAIN, urgency=999)
    make_case("older", triage=Triage.SUSPECTED, urgency=710)
    assert found(alice) == ["likeliest", "newest", "older", "uncertain"]


def test_a_case_takes_the_probability_of_its_most_pressing_unread_scan(
    case: Case, scan: Scan, worker: Worker, as_alice: Actor
) -> None:
    [second] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=1))])
    likely = worker.finish(scan, prediction("glioma", tumour_probability=0.991))
    worker.finish(second.scan, prediction("pituitary", tumour_probability=0.7654))
    case.refresh_from_db()
    assert (case.triage, case.urgency, case.outcome) == (Triage.SUSPECTED, 991, "glioma")
    submit_review(actor=as_alice, analysis=likely, verdict="agree")
    case.refresh_from_db()
    assert (case.triage, case.urgency, case.outcome) == (Triage.SUSPECTED, 765, "glioma")
    assert case.reviewer == as_alice.user


def test_what_is_read_blind_is_in_order_of_arrival_alone(
    blind: None, case: Case, scan: Scan, worker: Worker
) -> None:
    worker.finish(scan, prediction(tumour_probability=0.9))
    case.refresh_from_db()
    assert (case.triage, case.urgency) == (Triage.TO_READ, 0)


def test_a_department_that_begins_to_read_blind_hides_its_order_too(
    case: Case, scan: Scan, worker: Worker, reads: Reads
) -> None:
    worker.finish(scan, prediction(tumour_probability=0.9))
    assert Case.objects.get().urgency == 900
    for blind_now, urgency in ((True, 0), (False, 900)):
        reads(blind=blind_now)
        assert Case.objects.get().urgency == urgency


def test_cases_of_before_get_the_place_that_they_would_have_now(
    case: Case, scan: Scan, worker: Worker, as_alice: Actor, make_case: MakeCase
) -> None:
    [second] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=1))])
    read = worker.finish(scan, prediction("glioma", tumour_probability=0.991))
    worker.finish(second.scan, prediction("pituitary", tumour_probability=0.7654))
    submit_review(actor=as_alice, analysis=read, verdict="agree")
    make_case("empty", question="Mass?")
    columns = ("pk", "triage", "urgency", "outcome", "reviewer", "search_text")
    now = set(Case.objects.values_list(*columns))
    Case.objects.update(urgency=0, outcome="", reviewer=None, search_text="")
    importlib.import_module("classifier.migrations.0011_worklist_places").fill(apps, None)
    assert set(Case.objects.values_list(*columns)) == now


def test_pages_by_position_cross_equal_urgencies_without_gap_or_repeat(
    make_case: MakeCase, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worklist, "PAGE", 2)
    for number in range(5):
        make_case(f"P-{number}", triage=Triage.SUSPECTED, urgency=800 + 100 * (number % 2))
    seen, position = [], None
    for _ in range(3):
        page = worklist.find_worklist(user=alice, filters=Filters(), after=position)
        seen += [row.case.patient.reference for row in page.rows]
        position = Position.decode(page.next or "")
    assert seen == ["P-1", "P-3", "P-0", "P-2", "P-4"]


# One case that every filter finds, and for each filter one that it alone leaves out.
TODAY = date(2026, 3, 10)


@pytest.fixture
def one_of_each(make_case: MakeCase, alice: User, rita: User, bob: User) -> dict[str, Any]:
    """The filters that find "wanted" and nothing else when all are given."""
    alice.groups.add(Group.objects.get(name=ORTHO))
    noon = timezone.make_aware(timezone.datetime(2026, 3, 10, 12))  # type: ignore[attr-defined]
    usual = {
        "triage": Triage.SUSPECTED,
        "outcome": "glioma",
        "reviewer": rita,
        "assignee": alice,
        "created_at": noon,
        "study_date": TODAY,
        "question": "Mass in the left lobe?",
    }
    make_case("wanted", **usual)
    make_case("triage", **usual | {"triage": Triage.UNCERTAIN})
    make_case("outcome", **usual | {"outcome": "pituitary"})
    make_case("text", **usual | {"question": "Headache"})
    make_case("department", **usual, department=ORTHO)
    make_case("reviewer", **usual | {"reviewer": alice})
    make_case("assignee", **usual | {"assignee": None})
    make_case("since", **usual | {"created_at": noon - timedelta(days=1)})
    make_case("until", **usual | {"created_at": noon + timedelta(days=1)})
    make_case("studied_since", **usual | {"study_date": TODAY - timedelta(days=1)})
    make_case("studied_until", **usual | {"study_date": TODAY + timedelta(days=1)})
    return {
        "triage": Triage.SUSPECTED,
        "outcome": "glioma",
        "text": "LEFT mass",
        "department": Group.objects.get(name=NEURO).pk,
        "reviewer": rita.pk,
        "assignee": alice.pk,
        "since": TODAY,
        "until": TODAY,
        "studied_since": TODAY,
        "studied_until": TODAY,
    }


def test_every_filter_is_tried(one_of_each: dict[str, Any]) -> None:
    elsewhere = {"unassigned", "open_only"}
    assert {field.name for field in fields(Filters)} == {*one_of_each, *elsewhere}


def test_all_filters_together_find_what_passes_each(one_of_each: dict[str, Any], alice: User) -> None:
    assert found(fresh(alice), **one_of_each) == ["wanted"]


@pytest.mark.parametrize(
    "left_out", [name.name for name in fields(Filters) if name.name not in {"unassigned", "open_only"}]
)
def test_without_one_of_the_filters_what_it_alone_leaves_out_comes_back(
    left_out: str, one_of_each: dict[str, Any], alice: User
) -> None:
    filters = {name: value for name, value in one_of_each.items() if name != left_out}
    assert sorted(found(fresh(alice), **filters)) == sorted(["wanted", left_out])


@pytest.mark.parametrize("given", [{"studied_since": TODAY}, {"studied_until": TODAY}])
def test_a_case_without_a_study_date_stays_whatever_dates_are_asked_for(
    given: dict[str, date], make_case: MakeCase, alice: User
) -> None:
    make_case("undated")
    assert found(alice, **given) == ["undated"]


def test_nobodys_cases_can_be_asked_for(make_case: MakeCase, alice: User, rita: User) -> None:
    make_case("hers", assignee=rita)
    make_case("nobodys")
    assert found(alice, unassigned=True) == ["nobodys"]


def test_an_outcome_that_is_hidden_cannot_be_filtered_for(
    blind: None, case: Case, scan: Scan, worker: Worker, as_alice: Actor, alice: User, rita: User, otto: User
) -> None:
    analysis = worker.finish(scan, prediction("glioma"))
    readers = [fresh(user) for user in (alice, rita)]
    assert [found(reader, outcome="glioma") for reader in readers] == [[], []]
    assert found(otto, outcome="glioma") == ["MRN-1"]
    submit_review(actor=as_alice, analysis=analysis, verdict="correct", label="glioma")
    assert [found(reader, outcome="glioma") for reader in readers] == [["MRN-1"], []]
    sign_report(actor=as_alice, case=case)
    assert [found(reader, outcome="glioma") for reader in readers] == [["MRN-1"], ["MRN-1"]]


def test_one_unread_scan_keeps_the_outcome_of_a_blind_case_hidden(
    blind: None, case: Case, scan: Scan, worker: Worker, as_alice: Actor, alice: User
) -> None:
    [second] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=1))])
    read = worker.finish(scan, prediction("notumor", tumour_probability=0.01))
    worker.finish(second.scan, prediction("glioma"))
    submit_review(actor=as_alice, analysis=read, verdict="correct", label="notumor")
    assert found(fresh(alice), outcome="glioma") == []


def test_an_export_names_what_left_and_keeps_what_is_hidden(
    blind: None, case: Case, scan: Scan, worker: Worker, alice: User, make_case: MakeCase
) -> None:
    worker.finish(scan, prediction("glioma"))
    make_case("second")
    [rows] = worklist.export_worklist(actor=Actor(user=fresh(alice), via="page"), filters=Filters())
    assert [row.case.patient.reference for row in rows] == ["MRN-1", "second"]
    assert rows[0].leading is not None and rows[0].leading.answer_hidden
    assert not rows[0].leading.outcome and rows[0].leading.tumour_probability is None
    event = AuditEvent.objects.filter(action=Action.EXPORTED).get()
    assert event.detail["cases"] == [row.case.pk.hex for row in rows]


def test_an_export_is_recorded_before_it_leaves(as_alice: Actor, case: Case) -> None:
    [row] = next(worklist.export_worklist(actor=as_alice, filters=Filters()))
    assert AuditEvent.objects.get(action=Action.EXPORTED).detail["cases"] == [row.case.pk.hex]


def test_an_export_goes_through_every_page(
    make_case: MakeCase, as_alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worklist, "EXPORTED_AT_ONCE", 2)
    for number in range(5):
        make_case(f"P-{number}")
    batches = list(worklist.export_worklist(actor=as_alice, filters=Filters()))
    assert [row.case.patient.reference for rows in batches for row in rows] == [f"P-{n}" for n in range(5)]
    assert AuditEvent.objects.filter(action=Action.EXPORTED).count() == 3


def test_of_chosen_cases_only_what_may_be_seen_is_exported(
    make_case: MakeCase, as_bob: Actor, as_alice: Actor
) -> None:
    case = make_case("secret")
    assert list(worklist.export_cases(actor=as_bob, case_ids=[case.pk])) == [[]]
    [[row]] = worklist.export_cases(actor=as_alice, case_ids=[case.pk, uuid.uuid4()])
    assert row.case == case


def test_chosen_cases_are_exported_in_the_order_of_the_worklist(make_case: MakeCase, as_alice: Actor) -> None:
    ranked = [make_case(str(triage), triage=triage) for triage in sorted(Triage.values, reverse=True)]
    chosen = [case.pk for case in ranked]
    [rows] = worklist.export_cases(actor=as_alice, case_ids=sorted(chosen))
    assert [row.case.pk for row in rows] == chosen


def test_the_next_case_is_the_one_below_where_the_reader_arrived(make_case: MakeCase, alice: User) -> None:
    first, second, settled = (
        make_case("1", triage=Triage.SUSPECTED, urgency=900),
        make_case("2", triage=Triage.UNCERTAIN),
        make_case("3", triage=Triage.SIGNED),
    )
    at = Position.of(first)
    assert worklist.next_case(user=alice, filters=Filters(), after=at, but=first.pk) == second.pk
    Case.objects.filter(pk=first.pk).update(triage=Triage.REVIEWED, urgency=0)
    assert worklist.next_case(user=alice, filters=Filters(), after=at, but=first.pk) == second.pk
    last = Position.of(second)
    assert worklist.next_case(user=alice, filters=Filters(), after=last, but=second.pk) is None
    signed = Filters(triage=Triage.SIGNED)
    assert worklist.next_case(user=alice, filters=signed, after=last, but=second.pk) == settled.pk


def test_the_next_case_obeys_the_filters(make_case: MakeCase, alice: User) -> None:
    first = make_case("1", triage=Triage.SUSPECTED, assignee=alice)
    make_case("2", triage=Triage.SUSPECTED)
    third = make_case("3", triage=Triage.SUSPECTED, assignee=alice)
    mine = Filters(assignee=alice.pk)
    assert worklist.next_case(user=alice, filters=mine, after=Position.of(first), but=first.pk) == third.pk


def test_cases_are_assigned_all_or_none_and_each_change_is_recorded(
    make_case: MakeCase, as_alice: Actor, rita: User
) -> None:
    cases = [make_case("1"), make_case("2", assignee=rita)]
    keys = [case.pk for case in cases]
    assert assign_cases(actor=as_alice, case_ids=keys, assignee_id=rita.pk) == 1
    assert set(Case.objects.values_list("assignee", flat=True)) == {rita.pk}
    event = AuditEvent.objects.get(action=Action.CASE_ASSIGNED)
    assert (event.case_id, event.detail) == (cases[0].pk, {"assignee": "rita"})
    assert assign_cases(actor=as_alice, case_ids=keys, assignee_id=None) == 2
    with pytest.raises(NotFound):
        assign_cases(actor=as_alice, case_ids=[*keys, uuid.uuid4()], assignee_id=rita.pk)
    assert set(Case.objects.values_list("assignee", flat=True)) == {None}


def test_who_may_not_see_a_case_neither_assigns_it_nor_gets_it(
    make_case: MakeCase, as_bob: Actor, as_alice: Actor, as_otto: Actor, alice: User, bob: User
) -> None:
    case = make_case("1")
    with pytest.raises(NotFound):
        assign_cases(actor=as_bob, case_ids=[case.pk], assignee_id=bob.pk)
    with pytest.raises(UserFacingError, match="nobody of that name"):
        assign_cases(actor=as_alice, case_ids=[case.pk], assignee_id=bob.pk)
    with pytest.raises(NotAllowed):
        assign_cases(actor=as_otto, case_ids=[case.pk], assignee_id=alice.pk)
    alice.groups.add(Group.objects.get(name=ORTHO))
    theirs = make_case("2", department=ORTHO)
    for chosen in ([case.pk], [case.pk, theirs.pk]):
        with pytest.raises(Conflict, match="nothing was changed"):
            assign_cases(actor=Actor(user=fresh(alice), via="page"), case_ids=chosen, assignee_id=bob.pk)
    assert set(Case.objects.values_list("assignee", flat=True)) == {None}


def test_readers_are_the_active_ones_of_the_same_departments(
    alice: User, rita: User, bob: User, otto: User, ada: User
) -> None:
    assert [user.username for user in readers_for(alice)] == ["alice", "rita"]
    assert [user.username for user in readers_for(ada)] == ["alice", "bob", "rita"]
    User.objects.filter(pk=rita.pk).update(is_active=False)
    assert [user.username for user in readers_for(alice)] == ["alice"]


def test_analysing_many_says_what_became_of_each(
    case: Case, scan: Scan, worker: Worker, as_alice: Actor, as_rita: Actor, make_case: MakeCase
) -> None:
    worker.finish(scan)
    empty = make_case("empty")
    with pytest.raises(NotAllowed):
        analyse_cases(actor=as_rita, case_ids=[case.pk])
    with pytest.raises(NotFound):
        analyse_cases(actor=as_alice, case_ids=[case.pk, uuid.uuid4()])
    assert scan.analyses.count() == 1
    requested = analyse_cases(actor=as_alice, case_ids=[case.pk, empty.pk])
    assert (requested.started, requested.under_way, requested.empty) == (1, 0, 1)
    assert analyse_cases(actor=as_alice, case_ids=[case.pk]).under_way == 1
    assert scan.analyses.count() == 2


@pytest.mark.parametrize(("count", "code"), [(0, "no_case_chosen"), (201, "too_many_cases")])
def test_nothing_and_too_much_are_refused(count: int, code: str, as_alice: Actor) -> None:
    keys = [uuid.uuid4() for _ in range(count)]
    for act in (
        lambda: assign_cases(actor=as_alice, case_ids=keys, assignee_id=None),
        lambda: analyse_cases(actor=as_alice, case_ids=keys),
    ):
        with pytest.raises(UserFacingError) as refused:
            act()
        assert refused.value.code == code


def test_counts_are_of_what_may_be_seen_and_stop_at_a_limit(
    make_case: MakeCase, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifier.services.worklist_counts.AT_MOST", 2)
    for number in range(3):
        make_case(f"S-{number}", triage=Triage.SUSPECTED)
    make_case("mine", triage=Triage.WAITING, assignee=alice)
    make_case("done", triage=Triage.SIGNED, assignee=alice)
    make_case("elsewhere", triage=Triage.UNCERTAIN, department=ORTHO)
    counts = count_worklist(user=alice)
    assert counts.by_triage == dict.fromkeys(sorted(Triage.values, reverse=True), 0) | {
        Triage.SUSPECTED: 2,
        Triage.WAITING: 1,
        Triage.SIGNED: 1,
    }
    assert counts.mine == 1
    assert AT_MOST == 1000
