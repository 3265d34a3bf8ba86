"""The life of an analysis: queued, claimed, finished once, recovered when its worker is lost.

The database is the truth and the broker a doorbell. Every step is one compare-and-set UPDATE, so a
message delivered twice, two sweepers or a worker that returns from the dead change nothing.
"""

import logging
import uuid
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from classifier import inference
from classifier.audit import Action, Actor, record
from classifier.errors import Conflict, NotAllowed, UserFacingError
from classifier.models import Analysis, ModelVersion, Scan
from classifier.services.triage import refresh_triage

logger = logging.getLogger(__name__)
Status = Analysis.Status
SWEEP_AT_MOST = 500


def queue_analysis(*, actor: Actor, scan: Scan) -> Analysis:
    """Create the row inside the caller's transaction; the worker is told once it is committed."""
    analysis = Analysis.objects.create(scan=scan, requested_by=actor.require_user())
    record(Action.ANALYSIS_REQUESTED, actor=actor, about=analysis)
    transaction.on_commit(lambda: _ring(analysis.pk))
    return analysis


def request_analysis(*, actor: Actor, scan: Scan) -> Analysis:
    """Analyse ``scan`` anew with the active model; the earlier result stays."""
    if not actor.require_user().may_upload:
        raise NotAllowed("Only clinicians request analyses.")
    try:
        with transaction.atomic():
            analysis = queue_analysis(actor=actor, scan=scan)
            refresh_triage(case_id=scan.case_id)
    except IntegrityError as error:
        raise Conflict("analysis_under_way", "An analysis of this scan is already under way.") from error
    return analysis


def run_analysis(*, analysis_id: uuid.UUID) -> None:
    """Claim, work without a transaction, write the result if the attempt is still ours."""
    analysis = _claim(analysis_id)
    if analysis is None:
        return
    try:
        prediction = _work(analysis)
    except SoftTimeLimitExceeded:
        _fail(analysis, "time_limit", "The analysis took too long and was stopped.")
    except UserFacingError as error:
        _fail(analysis, error.code, error.detail)
    except DatabaseError:
        raise  # nothing can be written now; the sweeper brings the analysis back
    except Exception:
        logger.exception("Analysis %s, attempt %d, broke", analysis.pk, analysis.attempts)
        _give_back(analysis)
    else:
        _succeed(analysis, prediction)


def recover_analyses() -> int:
    """Bring back what lost its worker, fail what lost it too often, ring again for what was not heard."""
    return _recover_lost() + _ring_again()


def _claim(analysis_id: uuid.UUID) -> Analysis | None:
    analysis = Analysis.objects.select_related("scan").filter(pk=analysis_id, status=Status.QUEUED).first()
    model_version = ModelVersion.objects.filter(is_active=True).first()
    if analysis is None or model_version is None:
        return None
    now = timezone.now()
    won = Analysis.objects.filter(pk=analysis.pk, status=Status.QUEUED, attempts=analysis.attempts).update(
        status=Status.RUNNING,
        attempts=analysis.attempts + 1,
        model_version=model_version,
        started_at=now,
        lease_until=now + settings.LEASE,
    )
    if not won:
        return None
    analysis.attempts += 1
    analysis.started_at = now
    analysis.model_version = model_version
    return analysis


def _work(analysis: Analysis) -> dict[str, Any]:
    from classifier.services.scans import scan_bytes

    assert analysis.model_version is not None  # noqa: S101 - set by the claim
    return inference.analyse(
        scan_bytes(analysis.scan),
        version=analysis.model_version.version,
        sha256=analysis.model_version.sha256,
    )


def _succeed(analysis: Analysis, prediction: dict[str, Any]) -> None:
    written = _finish(
        analysis,
        Action.ANALYSIS_FINISHED,
        status=Status.SUCCEEDED,
        outcome=prediction["outcome"],
        label=prediction["label"] or "",
        probabilities=prediction["probabilities"],
        tumour_probability=prediction["tumour_probability"],
        reason=prediction["reason"] or "",
        reason_text=prediction["reason_text"] or "",
        slice_index=prediction["slice_index"],
        slices=prediction["slices"],
        timings=prediction["timings"],
    )
    logger.info("Analysis %s finished: %s", analysis.pk, "written" if written else "no longer ours")


def _fail(analysis: Analysis, code: str, detail: str) -> bool:
    return _finish(
        analysis,
        Action.ANALYSIS_FAILED,
        status=Status.FAILED,
        error_code=code,
        error_detail=detail[:500],
    )


def _give_back(analysis: Analysis) -> None:
    if analysis.attempts >= settings.MAX_ATTEMPTS:
        _fail(analysis, "internal_error", "The analysis failed for a reason that is in the server's log.")
        return
    # Not rung at once: what broke now would most likely break again at once.
    _own(analysis).update(status=Status.QUEUED, rung_at=timezone.now(), lease_until=None)


@transaction.atomic
def _finish(analysis: Analysis, action: Action, **fields: Any) -> bool:
    """The one UPDATE that ends an analysis; False when another attempt owns it by now."""
    if not _own(analysis).update(finished_at=timezone.now(), lease_until=None, **fields):
        return False
    record(
        action,
        actor=Actor.worker(),
        about=analysis,
        attempts=analysis.attempts,
        outcome=fields.get("outcome", ""),
        code=fields.get("error_code", ""),
    )
    refresh_triage(case_id=analysis.scan.case_id)
    return True


def _own(analysis: Analysis) -> Any:
    return Analysis.objects.filter(pk=analysis.pk, status=Status.RUNNING, attempts=analysis.attempts)


def _recover_lost() -> int:
    now = timezone.now()
    lost = Analysis.objects.filter(status=Status.RUNNING, lease_until__lt=now).select_related("scan")
    return sum(_recover(analysis) for analysis in lost[:SWEEP_AT_MOST])


def _recover(analysis: Analysis) -> bool:
    if analysis.attempts >= settings.MAX_ATTEMPTS:
        return _fail(analysis, "worker_lost", "The analysis was lost three times; ask for it again.")
    with transaction.atomic():
        if not _own(analysis).update(status=Status.QUEUED, rung_at=timezone.now(), lease_until=None):
            return False
        record(Action.ANALYSIS_RECOVERED, actor=Actor.worker(), about=analysis, attempts=analysis.attempts)
        transaction.on_commit(lambda: _ring(analysis.pk))
    return True


def _ring_again() -> int:
    now = timezone.now()
    unheard = Analysis.objects.filter(status=Status.QUEUED, rung_at__lt=now - settings.RING_AGAIN_AFTER)
    rung = 0
    for pk, rung_at in unheard.order_by("rung_at").values_list("pk", "rung_at")[:SWEEP_AT_MOST]:
        mine = Analysis.objects.filter(pk=pk, status=Status.QUEUED, rung_at=rung_at)
        if mine.update(rung_at=now):
            if not _ring(pk):
                break
            rung += 1
    return rung


def _ring(analysis_id: uuid.UUID) -> bool:
    """Tell a worker. A broker that does not answer costs time, never a scan."""
    from classifier import tasks

    try:
        tasks.run_analysis.delay(str(analysis_id))
    except (OperationalError, OSError):
        logger.warning("The broker does not answer; analysis %s waits for the sweeper", analysis_id)
        return False
    return True
