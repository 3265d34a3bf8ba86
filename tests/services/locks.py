"""Two persons at one row: what one does while the other is in the middle of it."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest
from django.db import connection

WHERE_ROWS_ARE_LOCKED = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has one writer at a time"
)


def meanwhile(pool: Executor, act: Callable[..., Any], **given: Any) -> Future[Any]:
    """``act`` in another thread, which is done or waits for a lock when this returns."""

    def acted() -> Any:
        try:
            return act(**given)
        finally:
            connection.close()

    begun = pool.submit(acted)
    while not (begun.done() or _somebody_waits_for_a_lock()):
        pass
    return begun


def _somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone() is not None
