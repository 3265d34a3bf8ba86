"""Lets a test's flush empty append-only tables on SQLite.

PostgreSQL's flush is a TRUNCATE, which row triggers do not see. SQLite's is a DELETE, which they refuse, so
the triggers step aside for the flush and come back with it. The portal itself has no such way.
"""

from typing import Any

import pytest
from django.db import connection
from django.db.backends.sqlite3.base import DatabaseOperations


@pytest.fixture(scope="session", autouse=True)
def flush_steps_around_triggers() -> Any:
    original = DatabaseOperations.sql_flush

    def sql_flush(self: DatabaseOperations, *args: Any, **kwargs: Any) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = dict(cursor.fetchall())
        drops = [f'DROP TRIGGER "{name}"' for name in triggers]
        return [*drops, *original(self, *args, **kwargs), *triggers.values()]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush)
        yield
