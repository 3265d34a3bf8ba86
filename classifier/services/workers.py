"""A worker child: loads the model once at its start, says so, and keeps saying that it lives."""

import logging
import os
import socket
import threading
from pathlib import Path

from django.db import DatabaseError, connection
from django.utils import timezone

from classifier import inference
from classifier.models import ModelVersion, WorkerHeartbeat

logger = logging.getLogger(__name__)
BEAT_SECONDS = 5
_stop = threading.Event()


def start_worker() -> None:
    """Load the active model in this process, then beat until the process ends."""
    model_version = ModelVersion.objects.filter(is_active=True).first()
    if model_version is None:
        logger.error("No model version is active; this worker loads one with its first task")
        return
    seconds = inference.load_predictor(version=model_version.version, sha256=model_version.sha256)
    logger.info(
        "Model %s loaded and warmed up in %.2f s, %.0f MB resident",
        model_version.version,
        seconds,
        resident_bytes() / 2**20,
    )
    _beat(model_version.version, seconds)
    threading.Thread(target=_keep_beating, args=(seconds,), name="heartbeat", daemon=True).start()


def stop_worker() -> None:
    """Take this child off the list at an orderly end."""
    _stop.set()
    WorkerHeartbeat.objects.filter(name=_name()).delete()


def ready_workers() -> list[WorkerHeartbeat]:
    """Children that have loaded a model and were seen lately."""
    since = timezone.now() - WorkerHeartbeat.ALIVE_FOR
    return list(WorkerHeartbeat.objects.filter(seen_at__gte=since).order_by("name"))


def resident_bytes() -> int:
    """Resident set size of this process, from procfs; 0 where there is none."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _keep_beating(load_seconds: float) -> None:
    while not _stop.wait(BEAT_SECONDS):
        try:
            _beat(inference.loaded_version(), load_seconds)
        except DatabaseError:
            logger.warning("The database does not answer; the heartbeat is missed")
        finally:
            connection.close()


def _beat(version: str, load_seconds: float) -> None:
    now = timezone.now()
    WorkerHeartbeat.objects.update_or_create(
        name=_name(),
        defaults={
            "model_version": version,
            "load_seconds": load_seconds,
            "rss_bytes": resident_bytes(),
            "seen_at": now,
        },
        create_defaults={
            "model_version": version,
            "load_seconds": load_seconds,
            "rss_bytes": resident_bytes(),
            "seen_at": now,
            "loaded_at": now,
        },
    )
