"""Two persons at one row: what one does while the other is in the middle of it."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.db.models.signals import pre_save

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


@contextmanager
def as_a_row_is_written(
    model: type[Model], act: Callable[..., Any], **given: Any
) -> Iterator[list[Future[Any]]]:
    """``act`` begins `meanwhile` the context is about to write its first row of ``model``."""

    def begin(**_: Any) -> None:
        pre_save.disconnect(begin, sender=model)
        begun.append(meanwhile(pool, act, **given))

    begun: list[Future[Any]] = []
    pre_save.connect(begin, sender=model)
    with ThreadPoolExecutor(1) as pool:
        yield begun
    assert begun, "no row was written"


def _somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone() is not None
