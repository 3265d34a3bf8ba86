"""A worker child: loads the model once at its start, says so, and keeps saying that it lives."""

import gc
import logging
import os
import socket
import threading
from datetime import timedelta
from pathlib import Path

from django.db import DatabaseError, connection

from classifier import inference
from classifier.errors import UserFacingError
from classifier.models import ModelVersion, WorkerHeartbeat
from classifier.services.clock import shared_now

logger = logging.getLogger(__name__)
BEAT_SECONDS = 5
FORGOTTEN_AFTER = timedelta(days=1)
_stop = threading.Event()
_load_seconds = 0.0
_trouble = ""


def start_worker() -> None:
    """Load the active model in this process, then keep it loaded and say so until the process ends.

    What is in the way now (a database that restarts, an altered bundle) is tried again with every beat.
    """
    _beat()
    gc.freeze()  # what has been loaded by now stays; the collector need not look through it again
    threading.Thread(target=_keep_beating, name="heartbeat", daemon=True).start()


def stop_worker() -> None:
    """Take this child off the list at an orderly end."""
    _stop.set()
    _withdraw()


def prepare_model() -> ModelVersion | None:
    """The active version, held in memory from here on; None, and why in the log, where that fails."""
    global _load_seconds, _trouble  # noqa: PLW0603 - as the predictor, one per process
    active = ModelVersion.objects.filter(is_active=True).only("version", "sha256").first()
    if active is None:
        _tell_once("no model version is active")
        return None
    try:
        seconds = inference.load(version=active.version, sha256=active.sha256)
    except UserFacingError as error:
        _tell_once(f"{error.code}: {error.detail}")
        return None
    if seconds is not None:
        _load_seconds = seconds
        megabytes = resident_bytes() / 2**20
        logger.info(
            "Model %s loaded and warmed up in %.2f s, %.0f MB resident", active.version, seconds, megabytes
        )
    _trouble = ""
    return active


def ready_workers() -> list[WorkerHeartbeat]:
    """Children that hold the active model and were seen lately."""
    since = shared_now() - WorkerHeartbeat.ALIVE_FOR
    return list(WorkerHeartbeat.objects.filter(seen_at__gte=since).order_by("name"))


def forget_lost_workers() -> int:
    """Remove what killed workers left in the list."""
    return WorkerHeartbeat.objects.filter(seen_at__lt=shared_now() - FORGOTTEN_AFTER).delete()[0]


def resident_bytes() -> int:
    """Resident set size of this process, from procfs; 0 where there is none."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _tell_once(trouble: str) -> None:
    """Not with every beat."""
    global _trouble  # noqa: PLW0603 - as the predictor, one per process
    if trouble != _trouble:
        logger.error("This worker cannot work: %s", trouble)
    _trouble = trouble


def _keep_beating() -> None:
    while not _stop.wait(BEAT_SECONDS):
        _beat()


def _beat() -> None:
    try:
        if active := prepare_model():
            _say_ready(active.version)
        else:
            _withdraw()
    except DatabaseError:
        logger.warning("The database does not answer; the heartbeat is missed")
    except Exception:
        logger.exception("This worker cannot work; it tries again")
    finally:
        connection.close()


def _say_ready(version: str) -> None:
    now = shared_now()
    seen = {
        "model_version": version,
        "load_seconds": _load_seconds,
        "rss_bytes": resident_bytes(),
        "seen_at": now,
    }
    WorkerHeartbeat.objects.update_or_create(
        name=_name(), defaults=seen, create_defaults={**seen, "loaded_at": now}
    )


def _withdraw() -> None:
    try:
        WorkerHeartbeat.objects.filter(name=_name()).delete()
    except DatabaseError:
        logger.warning("The database does not answer; this worker stays in the list for a while")
