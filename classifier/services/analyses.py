"""The life of an analysis: queued, claimed, finished once, recovered when its worker is lost.

The database is the truth and the broker a doorbell. Every step is one compare-and-set UPDATE, so a
message delivered twice, two sweepers or a worker that returns from the dead change nothing.
"""

import logging
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier import inference, storage
from classifier.audit import Action, Actor, record
from classifier.errors import Conflict, NotAllowed, NotFound, UserFacingError
from classifier.models import Analysis, ModelVersion, Scan
from classifier.services import ringing
from classifier.services.clock import shared_now
from classifier.services.masks import stored_masks
from classifier.services.model_versions import find_version
from classifier.services.originals import originals
from classifier.services.triage import refresh_triage
from classifier.services.workers import prepare_model

logger = logging.getLogger(__name__)
Status = Analysis.Status
SWEEP_AT_MOST = 2000
DATABASE_AWAY = (OperationalError, InterfaceError)
WRITE_AGAIN_AFTER_S = 0.5
STORAGE_PATIENCE = timedelta(days=1)
TELL_AFTER_S = 1.0
CLAIMED = (
    "status",
    "attempts",
    "created_at",
    "scan__case_id",
    "requested_version__version",
    "requested_version__sha256",
)


class _StorageAway(Exception):
    """The files of a scan could not be read now, whatever is in them."""


def queue_analysis(*, actor: Actor, scan: Scan, chosen: ModelVersion | None = None) -> Analysis:
    """Create the row inside the caller's transaction; the worker is told once it is committed."""
    analysis = Analysis.objects.create(scan=scan, requested_by=actor.require_user(), requested_version=chosen)
    record(
        Action.ANALYSIS_REQUESTED,
        actor=actor,
        about=analysis,
        **({"version": chosen.version} if chosen else {}),
    )
    transaction.on_commit(lambda: ringing.ring(analysis.pk))
    return analysis


def request_analysis(*, actor: Actor, scan: Scan, version: str = "") -> Analysis:
    """Analyse ``scan`` anew; the earlier result stays.

    ``version`` names a registered model; empty for the one that is active when a worker starts.
    """
    user = actor.require_user()
    if not Scan.objects.visible_to(user).filter(pk=scan.pk).exists():
        raise NotFound("scan")
    if not user.may_upload:
        raise NotAllowed(_("Only clinicians request analyses."))
    chosen = find_version(version) if version else None
    try:
        with transaction.atomic():
            analysis = queue_analysis(actor=actor, scan=scan, chosen=chosen)
            refresh_triage(case_id=scan.case_id)
    except IntegrityError as error:
        raise Conflict("analysis_under_way", _("An analysis of this scan is already under way.")) from error
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
    except _StorageAway:
        _put_off(analysis)
    except DATABASE_AWAY:
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
    """The analysis, if it waits, its model is known and no other worker was faster."""
    waiting = Analysis.objects.filter(pk=analysis_id, status=Status.QUEUED)
    analysis = waiting.select_related("scan", "requested_version").only(*CLAIMED).first()
    if analysis is None:
        return None
    # A chosen version that cannot be loaded fails its analysis; without the active one a worker is not ready.
    model_version = analysis.requested_version or prepare_model()
    if model_version is None:
        return None
    now = shared_now()
    claimed = {
        "status": Status.RUNNING,
        "attempts": analysis.attempts + 1,
        "model_version": model_version,
        "started_at": now,
        "lease_until": now + settings.LEASE,
        "slices_done": 0,
        "slices_total": 0,
    }
    if not waiting.filter(attempts=analysis.attempts).update(**claimed):
        return None
    for name, value in claimed.items():
        setattr(analysis, name, value)
    return analysis


def _work(analysis: Analysis) -> dict[str, Any]:
    assert analysis.model_version is not None  # noqa: S101 - set by the claim
    with ExitStack() as stack:
        try:
            files = stack.enter_context(originals(analysis.scan))
        except storage.ERRORS as error:
            raise _StorageAway from error
        return inference.analyse(
            files,
            version=analysis.model_version.version,
            sha256=analysis.model_version.sha256,
            progress=_teller(analysis),
        )


def _teller(analysis: Analysis) -> Callable[[int, int], None]:
    """Writes down how many slices are done, now and then; that it cannot is no reason to stop."""
    told_at = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at < TELL_AFTER_S:
            return
        told_at = time.monotonic()
        try:
            _own(analysis).update(slices_done=done, slices_total=total)
        except DATABASE_AWAY:
            logger.warning("The database does not answer; the progress of analysis %s is missed", analysis.pk)
            connection.close()

    return tell


def _columns(prediction: dict[str, Any]) -> dict[str, Any]:
    return {
        "outcome": prediction["outcome"],
        "label": prediction["label"] or "",
        "probabilities": prediction["probabilities"],
        "tumour_probability": prediction["tumour_probability"],
        "reason": prediction["reason"] or "",
        "reason_text": prediction["reason_text"] or "",
        "slice_index": prediction["slice_index"],
        "slices": prediction["slices"],
        "finding": prediction["finding"],
        "timings": prediction["timings"],
    }


def _succeed(analysis: Analysis, prediction: dict[str, Any]) -> None:
    try:
        with stored_masks(analysis, prediction["masks"]) as masks:
            result = _columns(prediction) | masks
            written = _finish(analysis, Action.ANALYSIS_FINISHED, status=Status.SUCCEEDED, **result)
    except storage.ERRORS:
        _put_off(analysis)
        return
    except (DataError, IntegrityError):
        logger.exception("Analysis %s, attempt %d, cannot be stored", analysis.pk, analysis.attempts)
        _give_back(analysis)
        return
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


def _put_off(analysis: Analysis) -> None:
    """A storage that is full or away is no fault of the scan, which waits as if there were no worker.

    No attempt counts.
    The number of the attempt is given again, because this one, which held it, writes nothing any more.
    """
    logger.exception("The storage cannot be used; analysis %s waits", analysis.pk)
    if timezone.now() - analysis.created_at > STORAGE_PATIENCE:
        detail = "The portal's storage could not be used for a day; ask for it again."
        _fail(analysis, "storage_unavailable", detail)
        return
    _own(analysis).update(
        status=Status.QUEUED, attempts=analysis.attempts - 1, rung_at=timezone.now(), lease_until=None
    )


def _finish(analysis: Analysis, action: Action, **fields: Any) -> bool:
    """End the analysis; False when another attempt owns it by now.

    While the database is away it tries again as long as the lease lasts: a database that restarts
    costs a moment, not an attempt. A write whose answer was lost is found done, never doubled.
    """
    while True:
        try:
            return _write_end(analysis, action, fields)
        except DATABASE_AWAY:
            if analysis.lease_until is None or timezone.now() > analysis.lease_until:
                raise
            logger.warning("The database does not answer; the end of analysis %s waits", analysis.pk)
            connection.close()
            time.sleep(WRITE_AGAIN_AFTER_S)


@transaction.atomic
def _write_end(analysis: Analysis, action: Action, fields: dict[str, Any]) -> bool:
    """The one UPDATE that ends an analysis."""
    if not _own(analysis).update(finished_at=shared_now(), lease_until=None, **fields):
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
    lost = Analysis.objects.filter(status=Status.RUNNING, lease_until__lt=shared_now()).select_related("scan")
    return sum(_recover(analysis) for analysis in lost[:SWEEP_AT_MOST])


def _recover(analysis: Analysis) -> bool:
    if analysis.attempts >= settings.MAX_ATTEMPTS:
        return _fail(analysis, "worker_lost", "The analysis was lost three times; ask for it again.")
    with transaction.atomic():
        if not _own(analysis).update(status=Status.QUEUED, rung_at=timezone.now(), lease_until=None):
            return False
        record(Action.ANALYSIS_RECOVERED, actor=Actor.worker(), about=analysis, attempts=analysis.attempts)
        transaction.on_commit(lambda: ringing.ring(analysis.pk))
    return True


def _ring_again() -> int:
    """Ring for what has waited unheard; while the broker holds a message for each, nothing was lost."""
    now = timezone.now()
    waiting = Analysis.objects.filter(status=Status.QUEUED)
    unheard = waiting.filter(rung_at__lt=now - settings.RING_AGAIN_AFTER).order_by("rung_at")
    rows = list(unheard.values_list("pk", "rung_at")[:SWEEP_AT_MOST])
    if not rows or ringing.messages_waiting() >= waiting.count():
        return 0
    rung = 0
    for pk, rung_at in rows:
        if waiting.filter(pk=pk, rung_at=rung_at).update(rung_at=now):
            if not ringing.ring(pk):
                break
            rung += 1
    return rung
