"""The whole portal as `make run` starts it, in a folder of its own."""

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg2
import redis

from tests.processes.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
CLINICIAN, ADMINISTRATOR = "clinician", "admin"
PASSWORD = "a long enough passphrase"


@dataclass(frozen=True)
class RunningPortal:
    url: str
    process: psutil.Process
    log: Path
    environment: Mapping[str, str]

    def manage(self, *arguments: str, typed: str = "") -> None:
        """`manage.py` as an administrator would use it beside the running portal."""
        self.run("manage.py", *arguments, typed=typed)

    def run(self, *command: str, typed: str = "") -> None:
        """Python in the portal's environment; what it says goes to the portal's log."""
        with self.log.open("ab") as output:
            subprocess.run(
                [sys.executable, *command],
                cwd=PROJECT,
                env=dict(self.environment),
                input=typed.encode(),
                stdout=output,
                stderr=output,
                check=True,
            )

    @contextmanager
    def workers_held(self) -> Iterator[None]:
        """The workers stand still, so that a result is still to come; afterwards they go on."""
        workers = [child for child in self.process.children(recursive=True) if "worker" in child.cmdline()]
        assert workers
        for worker in workers:
            worker.suspend()
        try:
            yield
        finally:
            for worker in workers:
                worker.resume()


@contextmanager
def running_portal(folder: Path, **settings: str) -> Iterator[RunningPortal]:
    """One worker; embedded database and queue unless ``settings`` say where others are."""
    port = _free_port()
    environment = {**_environment(folder), "PORTAL_PORT": str(port), **settings}
    url = f"http://127.0.0.1:{port}"
    log = folder / "portal.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "portal"],
            cwd=PROJECT,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: _is_ready(url, process, log), "the portal to be ready", 180)
        yield RunningPortal(url, psutil.Process(process.pid), log, environment)
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def first_start(folder: Path) -> Iterator[dict[str, str]]:
    """What a first start leaves in ``folder`` and in the database of these settings: tables, model, users."""
    with own_servers() as servers:
        subprocess.run(
            [sys.executable, "manage.py", "bootstrap"],
            cwd=PROJECT,
            env=_environment(folder) | servers,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        yield servers


@contextmanager
def own_servers(like: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
    """Settings for a database and a key prefix of its own where this run tests on PostgreSQL and Redis.

    The database begins as a copy of that of ``like``, which nobody may be using.
    """
    database, broker = os.environ["DATABASE_URL"], os.environ["BROKER_URL"]
    if not (database.startswith("postgres") and broker.startswith("redis")):
        yield {}
        return
    name = f"portal_e2e_{uuid.uuid4().hex[:12]}"
    template = urlsplit(like["DATABASE_URL"]).path[1:] if like else "template1"
    _tell(database, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield {
            "DATABASE_URL": _named(database, name),
            "BROKER_URL": broker,
            "PORTAL_REDIS_PREFIX": f"{name}:",
        }
    finally:
        _tell(database, f'DROP DATABASE "{name}" WITH (FORCE)')
        with suppress(redis.RedisError), closing(redis.Redis.from_url(broker)) as client:
            for key in client.scan_iter(f"{name}:*"):
                client.delete(key)


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PORTAL_DATA_DIR": str(folder),
        "PORTAL_WORKERS": "1",
        "PORTAL_CLINICIAN_PASSWORD": PASSWORD,
        "PORTAL_ADMIN_PASSWORD": PASSWORD,
    }


def _named(database: str, name: str) -> str:
    return urlsplit(database)._replace(path=f"/{name}").geturl()


def _tell(database: str, statement: str) -> None:
    with closing(psycopg2.connect(_named(database, "postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


def _is_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text("utf-8", errors="replace")
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
