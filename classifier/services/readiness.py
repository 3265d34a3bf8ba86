"""Whether the portal can do its work now: database, broker, a worker with the model, room on the disk."""

import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection

from classifier.services.workers import ready_workers

logger = logging.getLogger(__name__)
BROKER_TIMEOUT_S = 1


@dataclass(frozen=True)
class Check:
    """``detail`` is a sentence for an operator; it names no address and no secret."""

    ok: bool
    detail: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def readiness() -> dict[str, Check]:
    """Each part by name. Never raises: a part that does not answer is not ready."""
    database = _try(_database)
    # Workers are known from the database; waiting for it twice would make the probe too slow.
    worker = _try(_worker) if database.ok else Check(ok=False, detail="Not known without the database.")
    return {"database": database, "broker": _try(_broker), "worker": worker, "disk": _try(_disk)}


def _try(check: Callable[[], Check]) -> Check:
    try:
        return check()
    except (DatabaseError, redis.RedisError, OSError) as error:
        logger.warning("%s: %s", check.__name__.strip("_").capitalize(), type(error).__name__)
        return Check(ok=False, detail=f"Does not answer ({type(error).__name__}).")


def _database() -> Check:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Check(ok=True, detail=f"{connection.display_name} answers.")


def _broker() -> Check:
    if settings.BROKER_URL.startswith("filesystem"):
        folder = str(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_out"])
        writable = os.access(folder, os.W_OK | os.X_OK)
        return Check(
            ok=writable,
            detail="The queue folder is writable." if writable else "The queue folder is not writable.",
        )
    with redis.Redis.from_url(
        settings.BROKER_URL, socket_connect_timeout=BROKER_TIMEOUT_S, socket_timeout=BROKER_TIMEOUT_S
    ) as client:
        client.ping()
    return Check(ok=True, detail="Redis answers.")


def _worker() -> Check:
    workers = ready_workers()
    if not workers:
        return Check(ok=False, detail="No worker has loaded the model.")
    versions = ", ".join(sorted({worker.model_version for worker in workers}))
    return Check(ok=True, detail=f"{len(workers)} ready with model {versions}.")


def _disk() -> Check:
    """Where uploads arrive and, with local storage, scans and outlines are kept: room for one more file."""
    left = shutil.disk_usage(settings.DATA_DIR).free
    return Check(ok=left >= settings.MAX_UPLOAD_BYTES, detail=f"{left // 2**20} MB are left.")
