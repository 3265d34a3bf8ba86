"""Where a case stands in the worklist, from its latest analyses and their reviews."""

import uuid

from classifier.models import Analysis, Case
from classifier.models.analysis import Outcome

Triage = Case.Triage


def refresh_triage(*, case_id: uuid.UUID) -> None:
    """Recompute inside the caller's transaction; the row lock orders concurrent results."""
    case = Case.objects.select_for_update(no_key=True).get(pk=case_id)
    triage = max(_latest_standings(case_id), default=Triage.EMPTY)
    if case.triage != triage:
        case.triage = triage
        case.save(update_fields=["triage"])


def _latest_standings(case_id: uuid.UUID) -> list[int]:
    analyses = Analysis.objects.filter(scan__case_id=case_id).order_by("created_at")
    latest = {analysis.scan_id: analysis for analysis in analyses.prefetch_related("reviews")}
    return [standing_of(analysis) for analysis in latest.values()]


def standing_of(analysis: Analysis) -> int:
    """Where a scan whose latest analysis this is would put its case; reads the prefetched reviews."""
    if not analysis.is_finished:
        return Triage.WAITING
    if analysis.reviews.all():
        return Triage.REVIEWED
    if analysis.suspects_tumour:
        return Triage.SUSPECTED
    if analysis.outcome == Outcome.UNCERTAIN:
        return Triage.UNCERTAIN
    if analysis.outcome == Outcome.NO_TUMOUR:
        return Triage.NO_TUMOUR
    return Triage.FAILED
