"""Where a case stands in the worklist, from its latest analyses and their reviews."""

import uuid

from classifier.models import Analysis, Case
from classifier.models.analysis import TUMOUR_OUTCOMES, Outcome

Triage = Case.Triage


def refresh_triage(*, case_id: uuid.UUID) -> None:
    """Recompute inside the caller's transaction; the row lock orders concurrent results."""
    cases = Case.objects.filter(pk=case_id)
    before = cases.select_for_update(no_key=True).values_list("triage", flat=True).get()
    triage = max(_latest_standings(case_id), default=Triage.EMPTY)
    if before != triage:
        cases.update(triage=triage)


def raise_triage_to_waiting(*, case_id: uuid.UUID) -> None:
    """Enough for a scan that is new to the case: it can only make the case more pressing."""
    Case.objects.filter(pk=case_id, triage__lt=Triage.WAITING).update(triage=Triage.WAITING)


def standing_of(analysis: Analysis) -> int:
    """Where a scan whose latest analysis this is would put its case; reads the prefetched reviews."""
    return _standing(analysis.status, analysis.outcome, bool(analysis.reviews.all()))


def _latest_standings(case_id: uuid.UUID) -> list[int]:
    analyses = Analysis.objects.filter(scan__case_id=case_id).order_by("created_at")
    rows = analyses.values_list("scan_id", "status", "outcome", "reviews__id")
    latest = {scan: (status, outcome, review is not None) for scan, status, outcome, review in rows}
    return [_standing(*answer) for answer in latest.values()]


def _standing(status: str, outcome: str, reviewed: bool) -> int:
    if status not in Analysis.FINISHED:
        return Triage.WAITING
    if reviewed:
        return Triage.REVIEWED
    if outcome in TUMOUR_OUTCOMES:
        return Triage.SUSPECTED
    if outcome == Outcome.UNCERTAIN:
        return Triage.UNCERTAIN
    if outcome == Outcome.NO_TUMOUR:
        return Triage.NO_TUMOUR
    return Triage.FAILED
