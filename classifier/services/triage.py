"""Where a case stands in the worklist, from its latest analyses and how far they are read."""

import uuid
from collections.abc import Iterable

from classifier.models import Analysis, Case
from classifier.models.analysis import TUMOUR_OUTCOMES, Outcome
from classifier.services.reading import Reading, Stage, latest_readings, readings

Triage = Case.Triage
BATCH = 500
OF_STAGE = {
    Stage.SIGNED: Triage.SIGNED,
    Stage.READ: Triage.REVIEWED,
    Stage.SECOND_READ: Triage.SECOND_READ,
    Stage.ADJUDICATION: Triage.ADJUDICATION,
}


def refresh_triage(*, case_id: uuid.UUID) -> None:
    """Recompute inside the caller's transaction; the row lock orders concurrent results."""
    before = lock_case(case_id=case_id)
    triage = _triage(latest_readings(case_id))
    if before != triage:
        Case.objects.filter(pk=case_id).update(triage=triage)


def lock_case(*, case_id: uuid.UUID) -> int:
    """Let one verdict, decision or signature at a time into a case; its present triage."""
    cases = Case.objects.filter(pk=case_id)
    return cases.select_for_update(no_key=True).values_list("triage", flat=True).get()


def refresh_department(*, department_id: int) -> None:
    """Recompute every case that has been read or could be, after the department changed how it reads."""
    unmoved = [Triage.EMPTY, Triage.WAITING, Triage.SIGNED]
    cases = Case.objects.filter(department=department_id).exclude(triage__in=unmoved)
    keys = list(cases.select_for_update(no_key=True).values_list("pk", flat=True))
    for start in range(0, len(keys), BATCH):
        _refresh_batch(keys[start : start + BATCH])


def raise_triage_to_waiting(*, case_id: uuid.UUID) -> None:
    """Enough for a scan that is new to the case: it can only make the case more pressing."""
    Case.objects.filter(pk=case_id, triage__lt=Triage.WAITING).update(triage=Triage.WAITING)


def standing_of(analysis: Analysis) -> int:
    """How pressing a scan is whose latest analysis this is; reads the prefetched reviews."""
    if analysis.status in Analysis.FINISHED and analysis.reviews.all():
        return Triage.REVIEWED
    return _unread(analysis.status, analysis.outcome)


def _refresh_batch(keys: list[uuid.UUID]) -> None:
    latest: dict[uuid.UUID, dict[uuid.UUID, Reading]] = {key: {} for key in keys}
    for reading in readings(Analysis.objects.filter(scan__case__in=keys)):
        latest[reading.case_id][reading.scan_id] = reading
    moved: dict[int, list[uuid.UUID]] = {}
    for key, scans in latest.items():
        moved.setdefault(_triage(scans.values()), []).append(key)
    for triage, cases in moved.items():
        Case.objects.filter(pk__in=cases).exclude(triage=triage).update(triage=triage)


def _triage(latest: Iterable[Reading]) -> int:
    return max((_standing(reading) for reading in latest), default=Triage.EMPTY)


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
