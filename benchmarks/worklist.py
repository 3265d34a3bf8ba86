"""The worklist of a great many cases on PostgreSQL: server time, statements and their plans."""

import io
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.processes import own_database

if TYPE_CHECKING:
    from django.test import Client

REQUESTS = 40
BIG_TABLES = "classifier_(case|patient|scan|scanfile|analysis|review)"


@dataclass(frozen=True)
class Seen:
    """One look at a page: its milliseconds of server time, those of this process's CPU, its statements."""

    milliseconds: float
    cpu_milliseconds: float
    statements: Sequence[str]


def measure(*, cases: int) -> None:
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder, _database() as url:
        os.environ.update(
            DATABASE_URL=url, PORTAL_DATA_DIR=folder, BROKER_URL="filesystem://", PORTAL_MODE="embedded"
        )
        _seed(cases)
        print(f"\n{'':44}p50 ms   p95 ms   CPU ms   statements")
        for name, look in _looks().items():
            look()  # the first one of a client also writes its session
            _print(name, [look() for _ in range(REQUESTS)])


@contextmanager
def _database() -> Iterator[str]:
    with own_database(f"portal_bench_worklist_{os.getpid()}") as url:
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


def _looks() -> dict[str, Callable[[], Seen]]:
    """Who looks at what: a clinician of one department, one of all five, an administrator."""
    from django.contrib.auth.models import Group

    from classifier.models import Role, User

    clinician = User.objects.get(username="clinician")
    everywhere = User.objects.create_user("everywhere")
    everywhere.groups.set(Group.objects.exclude(name__in=set(Role.values) - {Role.CLINICIAN}))
    administrator = User.objects.get(username="admin")
    year = time.localtime().tm_year - 1
    pages = {
        "one department, first page": (clinician, "/"),
        "five departments, first page": (everywhere, "/"),
        "everything, first page": (administrator, "/"),
        "one department, deep page": (clinician, f"/?after={_middle()}"),
        "one department, filtered by status": (clinician, "/?status=10"),
        "one department, a year's cases": (clinician, f"/?since={year}-01-01&until={year}-12-31"),
        "five departments, reference SEED-0001": (everywhere, "/?q=SEED-0001"),
        "five departments, unknown reference": (everywhere, "/?q=nobody"),
        "five departments, refused": (everywhere, "/?outcome=refused"),
        "five departments, assigned to one": (everywhere, f"/?assigned={clinician.pk}"),
        "five departments, read by one": (everywhere, f"/?reviewer={clinician.pk}"),
        "five departments, studies of a year": (
            everywhere,
            f"/?studied_since={year}-01-01&studied_until={year}-12-31",
        ),
        "one department, everything combined": (
            clinician,
            f"/?q=seed&status=5&outcome=notumor&reviewer={clinician.pk}&assigned=me&since={year}-01-01",
        ),
        "refresh of the first page": (clinician, "/worklist/rows/"),
        "refresh of the counts": (everywhere, "/worklist/counts/"),
    }
    return {name: _look(_signed_in(user), path) for name, (user, path) in pages.items()}


def _middle() -> str:
    """Where half of the cases lie behind, as a position in an address."""
    from classifier.models import Case
    from classifier.services.worklist_selection import Position

    ordered = Case.objects.order_by(*Case.ORDER)
    return Position.of(ordered[Case.objects.count() // 2]).encode()


def _signed_in(user: Any) -> "Client":
    from django.test import Client

    client = Client(SERVER_NAME="localhost")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def _look(client: "Client", path: str) -> Callable[[], Seen]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def look() -> Seen:
        with CaptureQueriesContext(connection) as asked:
            started, worked = time.perf_counter(), time.process_time()
            response = client.get(path)
            took, work = time.perf_counter() - started, time.process_time() - worked
        if response.status_code != 200:
            raise RuntimeError(f"{path} answers {response.status_code}")
        return Seen(took * 1000, work * 1000, [query["sql"] for query in asked])

    return look


def _print(name: str, looks: Sequence[Seen]) -> None:
    counts = {len(look.statements) for look in looks}
    times = statistics.quantiles([look.milliseconds for look in looks], n=100, method="inclusive")
    work = statistics.median(look.cpu_milliseconds for look in looks)
    print(f"{name:42}{times[49]:8.1f}{times[94]:9.1f}{work:9.1f}   {'-'.join(map(str, sorted(counts)))}")
    for complaint in _complaints(looks[-1].statements):
        print(f"    {complaint}")


def _complaints(statements: Sequence[str]) -> Iterator[str]:
    """What would grow with the number of cases: reading a big table whole, or counting it."""
    from django.db import connection

    for statement in statements:
        if not statement.startswith(("SELECT", "(SELECT")):
            continue
        if statement.upper().count("COUNT(") > statement.upper().count("LIMIT"):
            yield f"counts: {statement[:160]}"
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {statement}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        for table in re.findall(rf"Seq Scan on ({BIG_TABLES})\b", plan):
            yield f"reads all of {table[0]}: {statement[:160]}"
