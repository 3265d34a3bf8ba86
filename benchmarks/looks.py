"""Looks at pages over a great many cases on PostgreSQL: server time, CPU, statements and their plans."""

import io
import itertools
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.processes import own_database

if TYPE_CHECKING:
    from django.contrib.auth.models import Group
    from django.db.models import QuerySet
    from django.test import Client

    from classifier.models import User

REQUESTS = 40
BIG_TABLES = "classifier_(case|patient|scan|scanfile|analysis|review|auditevent)"
# One process of the database does all the work of a look, so that its CPU is the whole of it.
ALONE = "?options=-c%20max_parallel_workers_per_gather%3D0"


@dataclass(frozen=True)
class Page:
    """Who looks at which addresses, one after the other and again from the first.

    ``anew``: with every look, as if nothing of the page had been kept from an earlier one.
    """

    user: "User"
    paths: Sequence[str]
    anew: bool = False


@dataclass(frozen=True)
class Seen:
    """One look at a page: milliseconds of server time, of this process's CPU and of the database's."""

    milliseconds: float
    web: float
    database: float
    statements: Sequence[str]


def measure(*, cases: int, lists: Sequence[Callable[[], Mapping[str, Page]]]) -> None:
    """Each of ``lists`` names its pages once the cases are there; Django cannot be asked before."""
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder, _database() as url:
        os.environ.update(
            DATABASE_URL=url + ALONE,
            PORTAL_DATA_DIR=folder,
            BROKER_URL="filesystem://",
            PORTAL_MODE="embedded",
        )
        _seed(cases)
        for pages in lists:
            print(f"\n{'':44}p50 ms   p95 ms  web CPU  all CPU p95   statements")
            for name, page in pages().items():
                look = _look(page)
                look()  # the first one of a client also writes its session
                _print(name, [look() for _ in range(REQUESTS)])


@contextmanager
def _database() -> Iterator[str]:
    with own_database(f"portal_bench_looks_{os.getpid()}") as url:
        try:
            yield url
        finally:
            from django.db import connections

            connections.close_all()


def _seed(cases: int) -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "mri_portal.settings"
    django.setup()
    from django.core.management import call_command

    call_command("bootstrap", stdout=io.StringIO())
    call_command("collectstatic", interactive=False, verbosity=0)
    started = time.monotonic()
    call_command("seed_cases", cases=cases, stdout=io.StringIO())
    print(f"{cases:,} cases seeded in {time.monotonic() - started:.0f} s")


def clinician_of(departments: "QuerySet[Group]", name: str) -> "User":
    from django.contrib.auth.models import Group

    from classifier.models import Role, User

    user, _created = User.objects.get_or_create(username=name)
    user.groups.set([Group.objects.get(name=Role.CLINICIAN), *departments])
    return user


def every_department() -> "QuerySet[Group]":
    from django.contrib.auth.models import Group

    from classifier.models import Role

    return Group.objects.exclude(name__in=Role.values).order_by("name")


def _signed_in(user: Any) -> "Client":
    from django.test import Client

    client = Client(SERVER_NAME="localhost")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def _look(page: Page) -> Callable[[], Seen]:
    from django.core.cache import cache
    from django.db import connection, reset_queries
    from django.test.utils import CaptureQueriesContext

    client, paths = _signed_in(page.user), itertools.cycle(page.paths)

    def look() -> Seen:
        path, database = next(paths), _database_process()
        if page.anew:
            cache.clear()
        reset_queries()  # Django keeps no more than some thousands and counts none behind them
        with CaptureQueriesContext(connection) as asked:
            started = (time.perf_counter(), time.process_time(), _processor_seconds(database))
            response = client.get(path)
            ended = (time.perf_counter(), time.process_time(), _processor_seconds(database))
        if response.status_code >= 400:
            raise RuntimeError(f"{path} answers {response.status_code}")
        took, web, work = (1000 * (end - start) for start, end in zip(started, ended, strict=True))
        return Seen(took, web, work, [query["sql"] for query in asked])

    return look


def _database_process() -> int:
    """The server's process behind this connection; the server stands on the same machine."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _processor_seconds(process: int) -> float:
    """Finer than the hundredths of a second that every system tells."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


def _print(name: str, looks: Sequence[Seen]) -> None:
    counts = {len(look.statements) for look in looks}
    times = _percentiles([look.milliseconds for look in looks])
    web = statistics.median(look.web for look in looks)
    work = _percentiles([look.web + look.database for look in looks])
    asked = "-".join(map(str, sorted({min(counts), max(counts)})))
    print(f"{name:42}{times[49]:8.1f}{times[94]:9.1f}{web:9.1f}{work[94]:13.1f}   {asked}")
    for complaint in _complaints(looks[-1].statements):
        print(f"    {complaint}")


def _percentiles(values: Sequence[float]) -> list[float]:
    return statistics.quantiles(values, n=100, method="inclusive")


def _complaints(statements: Sequence[str]) -> Iterator[str]:
    """What would grow with the number of cases: reading a big table whole, or counting it."""
    from django.db import connection

    for statement in statements:
        if not statement.startswith(("SELECT", "(SELECT", "WITH")):
            continue
        if statement.upper().count("COUNT(") > statement.upper().count("LIMIT"):
            yield f"counts: {statement[:160]}"
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {statement}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        for table in re.findall(rf"Seq Scan on ({BIG_TABLES})\b", plan):
            yield f"reads all of {table[0]}: {statement[:160]}"
