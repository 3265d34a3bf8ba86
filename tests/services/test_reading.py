"""Blind reading, a second independent reader, adjudication: who sees what, and when it is settled."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import (
    Adjudication,
    Analysis,
    AuditEvent,
    Case,
    DepartmentPolicy,
    Review,
    Role,
    Scan,
    User,
)
from classifier.services import departments, history, listing, pictures, results, worklist
from classifier.services.analyses import request_analysis
from classifier.services.reading import Stage, reading_of, veil
from classifier.services.reviews import adjudicate, find_analysis, submit_review
from classifier.services.worklist_selection import Filters
from tests.conftest import NEURO
from tests.pages.conftest import series  # noqa: F401
from tests.worker import Worker, outlined, prediction

Triage = Case.Triage


@pytest.fixture
def analysis(scan: Scan, worker: Worker) -> Analysis:
    return worker.finish(scan)


@pytest.fixture
def carl(make_user: Callable[..., User]) -> Actor:
    """A third reader of the department."""
    return Actor(user=make_user("carl", Role.REVIEWER, NEURO), via="page")


Reads = Callable[..., None]


@pytest.fixture
def reads(as_ada: Actor, scan: Scan) -> Reads:
    """``reads(second_reader=…, blind=…)``: how the department reads from now on."""

    def reads(*, second_reader: bool = False, blind: bool = False) -> None:
        department = Group.objects.get(name=NEURO)
        departments.set_reading_policy(
            actor=as_ada, department=department, second_reader=second_reader, blind=blind
        )

    return reads


def fresh(actor: Actor) -> Actor:
    """The same person in another request: what is known of their groups is asked anew."""
    return Actor(user=User.objects.get(pk=actor.require_user().pk), via=actor.via)


def read(actor: Actor, analysis: Analysis, label: str = "glioma", **more: Any) -> Review:
    return submit_review(actor=fresh(actor), analysis=analysis, verdict="correct", label=label, **more)


def seen(actor: Actor, analysis: Analysis) -> Analysis:
    return find_analysis(actor=fresh(actor), analysis_id=analysis.pk)


def refusal(act: Callable[..., Any], **given: Any) -> str:
    with pytest.raises(UserFacingError) as refused:
        act(**given)
    return refused.value.code


def standing() -> int:
    return Case.objects.get().triage


# --- Blind -------------------------------------------------------------------------------------------


def test_a_blind_reader_sees_the_answer_after_their_own_read_and_not_before(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads
) -> None:
    reads(blind=True)
    before = seen(as_rita, analysis)
    assert before.answer_hidden
    assert before.status == "succeeded"
    assert [getattr(before, name) for name in Analysis.ANSWER_FIELDS if getattr(before, name)] == []
    read(as_alice, analysis)
    assert seen(as_alice, analysis).outcome == "glioma"
    assert seen(as_rita, analysis).answer_hidden
    read(as_rita, analysis, "notumor")
    assert seen(as_rita, analysis).outcome == "glioma"


def test_who_does_not_read_sees_everything(
    analysis: Analysis, as_otto: Actor, as_ada: Actor, reads: Reads
) -> None:
    reads(blind=True, second_reader=True)
    for overseer in (as_otto, as_ada):
        assert seen(overseer, analysis).outcome == "glioma"


def test_another_analysis_of_a_scan_is_open_to_who_has_read_the_scan(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads, worker: Worker
) -> None:
    reads(blind=True)
    read(as_alice, analysis)
    request_analysis(actor=as_alice, scan=analysis.scan)
    second = worker.finish(analysis.scan)
    assert not seen(as_alice, second).answer_hidden
    assert seen(as_rita, second).answer_hidden


def test_a_blind_read_names_its_answer_and_is_compared_afterwards(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads
) -> None:
    reads(blind=True)
    rita = fresh(as_rita)
    assert refusal(submit_review, actor=rita, analysis=analysis, verdict="agree") == "answer_hidden"
    assert (
        refusal(
            submit_review,
            actor=rita,
            analysis=analysis,
            verdict="correct",
            label="glioma",
            wrong_region=True,
        )
        == "answer_hidden"
    )
    same, other = read(as_rita, analysis, "glioma"), read(as_alice, analysis, "pituitary")
    assert (same.verdict, same.blind) == ("agree", True)
    assert (other.verdict, other.blind) == ("correct", True)
    later = submit_review(actor=rita, analysis=analysis, verdict="agree", wrong_region=True)
    assert (later.blind, later.wrong_region) == (False, True)


def test_the_worklist_of_a_blind_department_does_not_tell_the_answer(
    analysis: Analysis, as_rita: Actor, as_otto: Actor, reads: Reads
) -> None:
    reads(blind=True)
    assert standing() == Triage.TO_READ
    [row] = worklist.find_worklist(user=fresh(as_rita).require_user(), filters=Filters()).rows
    assert row.leading is not None
    assert (row.leading.answer_hidden, row.leading.outcome, row.leading.tumour_probability) == (
        True,
        "",
        None,
    )
    [row] = worklist.find_worklist(user=fresh(as_otto).require_user(), filters=Filters()).rows
    assert row.leading is not None
    assert row.leading.outcome == "glioma"
    reads(blind=False)
    assert standing() == Triage.SUSPECTED


def test_neither_pages_nor_lists_nor_history_tell_what_is_hidden(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads
) -> None:
    reads(blind=True)
    read(as_alice, analysis)
    rita = fresh(as_rita)
    [result], _ = results.case_results(actor=rita, case=analysis.scan.case)
    assert (result.analysis.outcome, list(result.analysis.reviews.all())) == ("", [])
    assert results.scan_result(actor=rita, scan=analysis.scan).analysis.answer_hidden
    [scan] = listing.list_scans(actor=rita, filters={})
    listing.hide_answers(actor=rita, rows=[scan])
    assert [one.outcome for one in scan.analyses.all()] == [""]
    assert list(listing.list_reviews(analysis=seen(as_rita, analysis))) == []
    _, events, _ = history.case_history(actor=rita, case_id=analysis.scan.case_id)
    told = [event.detail for event in events if event.action in {"analysis_finished", "review_submitted"}]
    assert told == [{}, {}]
    _, events, _ = history.case_history(actor=fresh(as_alice), case_id=analysis.scan.case_id)
    assert any(event.detail.get("outcome") == "glioma" for event in events)


def test_a_filter_by_outcome_does_not_tell_what_is_hidden(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads
) -> None:
    reads(blind=True)
    read(as_alice, analysis)
    found = {
        actor.require_user().username: len(
            listing.list_scans(actor=fresh(actor), filters={"outcome": "glioma"})
        )
        for actor in (as_alice, as_rita)
    }
    assert found == {"alice": 1, "rita": 0}
    assert len(listing.list_scans(actor=fresh(as_rita), filters={"status": "succeeded"})) == 1


@pytest.mark.parametrize(
    ("look", "asked"),
    [
        (pictures.view_overlay, {"index": 0}),
        (pictures.view_mask, {"index": 0}),
        (pictures.view_border, {"index": 0, "side": 512}),
        (pictures.view_mask_volume, {}),
    ],
)
def test_an_outline_is_shown_to_a_blind_reader_after_their_own_read(
    look: Callable[..., bytes],
    asked: dict[str, int],
    scan: Scan,
    worker: Worker,
    as_rita: Actor,
    reads: Reads,
) -> None:
    analysis = worker.finish(scan, outlined())
    asked |= {"analysis_id": analysis.pk}
    assert look(actor=fresh(as_rita), **asked)
    reads(blind=True)
    assert refusal(look, actor=fresh(as_rita), **asked) == "answer_hidden"
    read(as_rita, analysis)
    assert look(actor=fresh(as_rita), **asked)


def test_every_column_of_an_analysis_is_told_to_be_answer_or_work() -> None:
    """A new column fails here until somebody has decided whether a blind reader may see it."""
    work = {
        "id",
        "scan",
        "model_version",
        "requested_version",
        "requested_by",
        "status",
        "attempts",
        "created_at",
        "rung_at",
        "started_at",
        "lease_until",
        "finished_at",
        "slices_done",
        "slices_total",
        "timings",
        "error_code",
        "error_detail",
    }
    columns = {field.name for field in Analysis._meta.concrete_fields}
    assert columns == work | set(Analysis.ANSWER_FIELDS)


def test_who_reads_with_the_answer_in_sight_costs_no_question_to_the_database(
    analysis: Analysis, as_rita: Actor, django_assert_num_queries: Any
) -> None:
    user = fresh(as_rita).require_user()
    assert user.departments
    row = Analysis.objects.select_related("scan__case").get()
    with django_assert_num_queries(0):
        veil(user=user, analyses=[row])
    assert row.outcome == "glioma"


@pytest.mark.parametrize("outcome", ["uncertain", "refused"])
def test_an_answer_that_is_none_is_hidden_like_any_other(
    outcome: str, scan: Scan, worker: Worker, as_rita: Actor, reads: Reads
) -> None:
    reads(blind=True)
    analysis = worker.finish(scan, prediction(outcome, reason="two_plausible", reason_text="Close."))
    assert (seen(as_rita, analysis).outcome, seen(as_rita, analysis).reason_text) == ("", "")
    assert standing() == Triage.TO_READ


# --- Second reader and adjudication ------------------------------------------------------------------


def test_the_second_reader_sees_the_first_read_after_their_own(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads
) -> None:
    reads(second_reader=True)
    read(as_alice, analysis)
    assert standing() == Triage.SECOND_READ
    before = seen(as_rita, analysis)
    assert (before.outcome, before.reads_hidden, list(before.reviews.all())) == ("glioma", True, [])
    assert not seen(as_alice, analysis).reads_hidden
    read(as_rita, analysis)
    assert len(seen(as_rita, analysis).reviews.all()) == 2
    assert standing() == Triage.REVIEWED


def test_one_person_is_not_two_readers(analysis: Analysis, as_alice: Actor, reads: Reads) -> None:
    reads(second_reader=True)
    read(as_alice, analysis)
    read(as_alice, analysis)
    assert standing() == Triage.SECOND_READ


@pytest.mark.parametrize("second", ["notumor", "cannot_tell"])
def test_reads_that_differ_call_for_a_third_person(
    second: str, analysis: Analysis, as_alice: Actor, as_rita: Actor, carl: Actor, reads: Reads
) -> None:
    reads(second_reader=True, blind=True)
    first = read(as_alice, analysis)
    verdict = "cannot_tell" if second == "cannot_tell" else "correct"
    other = submit_review(
        actor=fresh(as_rita), analysis=analysis, verdict=verdict, label="" if verdict != "correct" else second
    )
    assert standing() == Triage.ADJUDICATION
    third = seen(carl, analysis)
    assert (third.answer_hidden, third.reads_hidden) == (False, False)
    decided = adjudicate(actor=fresh(carl), analysis=analysis, answer="glioma", comment="Seen on two slices.")
    assert (decided.first_read, decided.second_read) == (first, other)
    assert reading_of(analysis.pk).answer == "glioma"
    assert standing() == Triage.REVIEWED
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.case_id, event.detail) == (
        "adjudicated",
        analysis.scan.case_id,
        {"answer": "glioma"},
    )


def test_a_reader_who_changes_their_mind_does_not_settle_it_alone(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads
) -> None:
    """A slip that was put right and then repeated by the other must not pass as agreement."""
    reads(second_reader=True)
    read(as_alice, analysis, "notumor")
    read(as_alice, analysis, "glioma")
    read(as_rita, analysis, "notumor")
    assert reading_of(analysis.pk).stage == Stage.ADJUDICATION


def test_only_a_third_person_decides_once_and_only_where_reads_differ(
    analysis: Analysis,
    as_alice: Actor,
    as_rita: Actor,
    carl: Actor,
    as_bob: Actor,
    as_otto: Actor,
    reads: Reads,
) -> None:
    reads(second_reader=True)
    decide = {"analysis": analysis, "answer": "glioma"}
    read(as_alice, analysis)
    assert refusal(adjudicate, actor=fresh(carl), **decide) == "nothing_to_adjudicate"
    read(as_rita, analysis, "pituitary")
    assert refusal(adjudicate, actor=fresh(as_alice), **decide) == "not_allowed"
    assert refusal(adjudicate, actor=fresh(as_otto), **decide) == "not_allowed"
    assert refusal(adjudicate, actor=fresh(as_bob), **decide) == "not_found"
    assert refusal(adjudicate, actor=fresh(carl), analysis=analysis, answer="cyst") == "answer_invalid"
    assert not Adjudication.objects.exists()
    adjudicate(actor=fresh(carl), **decide)
    assert refusal(adjudicate, actor=fresh(carl), **decide) == "nothing_to_adjudicate"
    assert refusal(read, actor=as_alice, analysis=analysis) == "already_adjudicated"


def test_the_history_hides_a_decision_from_who_has_not_read(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, carl: Actor, make_user: Any, reads: Reads
) -> None:
    reads(second_reader=True, blind=True)
    read(as_alice, analysis)
    read(as_rita, analysis, "notumor")
    adjudicate(actor=fresh(carl), analysis=analysis, answer="glioma")
    dora = Actor(user=make_user("dora", Role.REVIEWER, NEURO), via="page")
    _, events, _ = history.case_history(actor=dora, case_id=analysis.scan.case_id)
    assert [event.detail for event in events if event.action == "adjudicated"] == [{}]
    _, events, _ = history.case_history(actor=fresh(carl), case_id=analysis.scan.case_id)
    assert [event.detail for event in events if event.action == "adjudicated"] == [{"answer": "glioma"}]


def test_without_a_second_reader_the_latest_read_counts(
    analysis: Analysis, as_alice: Actor, as_rita: Actor
) -> None:
    read(as_alice, analysis)
    read(as_rita, analysis, "notumor")
    assert (reading_of(analysis.pk).stage, reading_of(analysis.pk).answer) == (Stage.READ, "notumor")


# --- The policy --------------------------------------------------------------------------------------


def test_a_new_policy_moves_the_cases_that_are_read(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads
) -> None:
    read(as_alice, analysis)
    assert standing() == Triage.REVIEWED
    reads(second_reader=True)
    assert standing() == Triage.SECOND_READ
    read(as_rita, analysis, "notumor")
    assert standing() == Triage.ADJUDICATION
    reads()
    assert standing() == Triage.REVIEWED


def test_only_administrators_change_how_a_department_reads(
    scan: Scan, as_alice: Actor, as_otto: Actor, reads: Reads
) -> None:
    department = Group.objects.get(name=NEURO)
    for actor in (as_alice, as_otto):
        given = {"actor": actor, "department": department, "second_reader": True, "blind": True}
        assert refusal(departments.set_reading_policy, **given) == "not_allowed"
    assert not DepartmentPolicy.objects.exists()
    reads(blind=True)
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor_name, event.object_id) == ("policy_changed", "ada", str(department.pk))
    assert event.detail == {
        "second_reader": False,
        "blind": True,
        "before": {"second_reader": False, "blind": False},
    }
    events = AuditEvent.objects.count()
    reads(blind=True)
    assert AuditEvent.objects.count() == events


def test_a_role_has_no_policy(scan: Scan, as_ada: Actor) -> None:
    role = Group.objects.get(name=Role.CLINICIAN)
    given = {"actor": as_ada, "department": role, "second_reader": True, "blind": True}
    assert refusal(departments.set_reading_policy, **given) == "not_allowed"
