"""Waiting for a worker without a transaction, and without giving every thread of the server to it."""

import threading
import time
import uuid
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection

from classifier.models import Analysis

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 0.25
# Some threads stay free, so that pages and uploads go on while programs wait.
_seats = threading.BoundedSemaphore(max(1, settings.WEB_THREADS - 2))


def wait_until_finished(*, analysis_id: uuid.UUID, seconds: float) -> bool:
    """Whether the analysis is finished, after at most ``seconds``; at once when too many are waiting."""
    if not _seats.acquire(blocking=False):
        return _is_finished(analysis_id)
    try:
        return _poll(analysis_id, time.monotonic() + seconds)
    finally:
        _seats.release()


def _poll(analysis_id: uuid.UUID, deadline: float) -> bool:
    pause = FIRST_PAUSE_S
    while not _is_finished(analysis_id):
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE_S)
    return True


def _is_finished(analysis_id: uuid.UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(*_question(analysis_id))
        return cursor.fetchone() is not None


@lru_cache(maxsize=256)
def _question(analysis_id: uuid.UUID) -> tuple[str, tuple[Any, ...]]:
    """The statement, asked many times over: building it costs more than running it."""
    finished = Analysis.objects.filter(pk=analysis_id, status__in=Analysis.FINISHED)
    return finished.values("pk").query.sql_with_params()
