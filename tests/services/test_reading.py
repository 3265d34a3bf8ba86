"""A second independent reader, adjudication, and the policy: when a reading is settled."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import Group

from classifier.audit import Actor
from classifier.models import (
    Adjudication,
    Analysis,
    AuditEvent,
    Case,
    DepartmentPolicy,
    Role,
    Scan,
)
from classifier.services import departments, history, worklist
from classifier.services.reading import Stage, reading_of
from classifier.services.reviews import adjudicate, submit_review
from classifier.services.worklist_selection import Filters
from tests.conftest import NEURO, Reads
from tests.pages.conftest import series  # noqa: F401
from tests.services.locks import WHERE_ROWS_ARE_LOCKED, meanwhile
from tests.services.readers import fresh, read, refusal, seen, standing
from tests.worker import Worker

Triage = Case.Triage

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


def test_the_worklist_tells_a_read_to_the_second_reader_after_their_own(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads
) -> None:
    def told(actor: Actor) -> str | None:
        [row] = worklist.find_worklist(user=fresh(actor).require_user(), filters=Filters()).rows
        return row.review and row.review.label

    reads(second_reader=True)
    read(as_alice, analysis)
    assert (told(as_alice), told(as_rita)) == ("glioma", None)
    read(as_rita, analysis, "notumor")
    assert told(as_rita) == "notumor"


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
    analysis: Analysis, as_alice: Actor, as_rita: Actor, carl: Actor, reads: Reads
) -> None:
    """A slip that was put right and then repeated by the other must not pass as agreement."""
    reads(second_reader=True)
    read(as_alice, analysis, "notumor")
    right = read(as_alice, analysis, "glioma")
    other = read(as_rita, analysis, "notumor")
    assert reading_of(analysis.pk).stage == Stage.ADJUDICATION
    decided = adjudicate(actor=fresh(carl), analysis=analysis, answer="glioma")
    assert (decided.first_read, decided.second_read) == (right, other)


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


@pytest.mark.django_db(transaction=True)
@WHERE_ROWS_ARE_LOCKED
def test_an_analysis_that_ends_while_its_department_turns_blind_does_not_tell_its_answer(
    scan: Scan, worker: Worker, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh = departments.refresh_department

    def refresh_meanwhile(*, department_id: int) -> None:
        refresh(department_id=department_id)
        meanwhile(pool, worker.finish, scan=scan)

    monkeypatch.setattr(departments, "refresh_department", refresh_meanwhile)
    with ThreadPoolExecutor(1) as pool:
        reads(blind=True)
    assert standing() == Triage.TO_READ


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
