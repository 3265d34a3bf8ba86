"""Where a case stands in the worklist, from its latest analyses and how far they are read."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from classifier.models import Analysis, Case, Review
from classifier.models.analysis import TUMOUR_OUTCOMES, Outcome
from classifier.services.reading import Reading, Stage, latest_readings, latest_readings_of

Triage = Case.Triage
BATCH = 500
PER_MILLE = 1000
OF_STAGE = {
    Stage.SIGNED: Triage.SIGNED,
    Stage.READ: Triage.REVIEWED,
    Stage.SECOND_READ: Triage.SECOND_READ,
    Stage.ADJUDICATION: Triage.ADJUDICATION,
}


@dataclass(frozen=True)
class Place:
    """``urgency`` orders the cases of a triage that is ranked."""

    triage: int
    urgency: int = 0


def refresh_triage(*, case_id: uuid.UUID) -> None:
    """Recompute inside the caller's transaction; the row lock orders concurrent results."""
    lock_case(case_id=case_id)
    latest = latest_readings(case_id)
    reads = Review.objects.filter(analysis__scan__case=case_id).order_by("-created_at")
    reviewer = reads.values_list("reviewer", flat=True).first()
    place = _place(latest)
    Case.objects.filter(pk=case_id).update(
        triage=place.triage, urgency=place.urgency, outcome=_outcome(latest), reviewer=reviewer
    )


def lock_case(*, case_id: uuid.UUID) -> None:
    """Let one verdict, decision or signature at a time into a case."""
    Case.objects.select_for_update(no_key=True).values_list("pk").get(pk=case_id)


def refresh_department(*, department_id: int) -> None:
    """Recompute every case that is not signed, after the department changed how it reads.

    Those that wait, too: an analysis that ends meanwhile then waits for the lock, and reads the new policy.
    """
    cases = Case.objects.filter(department=department_id).exclude(triage=Triage.SIGNED)
    keys = list(cases.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(keys), BATCH):
        _refresh_batch(keys[start : start + BATCH])


def raise_triage_to_waiting(*, case_id: uuid.UUID) -> None:
    """Enough for a scan that is new to the case: it can only make the case more pressing."""
    cases = Case.objects.filter(pk=case_id)
    cases.filter(triage__lt=Triage.WAITING).update(triage=Triage.WAITING)
    cases.filter(outcome=Outcome.NO_TUMOUR).update(outcome="")


def pressing(answer: Analysis | Reading) -> tuple[int, float]:
    """What orders answers as if nobody had read them: the larger, the more pressing."""
    return _unread(answer.status, answer.outcome), answer.tumour_probability or 0.0


def _refresh_batch(keys: list[uuid.UUID]) -> None:
    moved = []
    for key, latest in latest_readings_of(keys).items():
        place = _place(latest)
        moved.append(Case(pk=key, triage=place.triage, urgency=place.urgency))
    Case.objects.bulk_update(moved, ["triage", "urgency"])


def _place(latest: Sequence[Reading]) -> Place:
    """The scan that presses most decides; among equal ones the likeliest tumour."""
    triage = max(map(_standing, latest), default=Triage.EMPTY)
    if triage not in Case.RANKED:
        return Place(triage)
    shares = [reading.tumour_probability or 0.0 for reading in latest if _standing(reading) == triage]
    return Place(triage, urgency=round(max(shares) * PER_MILLE))


def _outcome(latest: Sequence[Reading]) -> str:
    """What the machine says of the case, which does not change with who has read it."""
    return max(latest, key=pressing).outcome if latest else ""


def _standing(reading: Reading) -> int:
    if not reading.is_finished:
        return Triage.WAITING
    if reading.stage in OF_STAGE:
        return OF_STAGE[reading.stage]
    if reading.blind and reading.status == Analysis.Status.SUCCEEDED:
        return Triage.TO_READ
    return _unread(reading.status, reading.outcome)


def _unread(status: str, outcome: str) -> int:
    if status not in Analysis.FINISHED:
        return Triage.WAITING
    if outcome in TUMOUR_OUTCOMES:
        return Triage.SUSPECTED
    if outcome == Outcome.UNCERTAIN:
        return Triage.UNCERTAIN
    if outcome == Outcome.NO_TUMOUR:
        return Triage.NO_TUMOUR
    return Triage.FAILED
