"""What time it is for everybody: leases and heartbeats are compared between machines whose clocks differ, and
days are sent from places where another one has begun."""

from datetime import date, datetime

from django.db import connection
from django.utils import timezone


def shared_now() -> datetime:
    """The database's time, not of its transaction; on SQLite that of the one machine there is."""
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [moment] = cursor.fetchone()
    assert isinstance(moment, datetime)  # noqa: S101 - for the type checker
    return moment


def today_somewhere() -> date:
    """The latest day that it is on earth: a date lies in the future when it does so for everybody."""
    return timezone.localdate(timezone=timezone.get_fixed_timezone(14 * 60))
