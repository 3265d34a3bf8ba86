"""Starting what is measured, and what it costs: the portal by `make run`'s own command, the plain handler."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg2
import redis

from ml import bundle

PROJECT = Path(__file__).resolve().parents[1]
POSTGRES = os.environ.get("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
MEGABYTE = 2**20


@dataclass(frozen=True)
class Server:
    """A process that answers on ``port`` and was ready ``ready_s`` after its start."""

    process: psutil.Process
    port: int
    ready_s: float
    token: str = ""

    def cpu_seconds(self) -> Counter[str]:
        """Spent so far, by kind of process."""
        spent: Counter[str] = Counter()
        for process in self._family():
            times = process.cpu_times()
            spent[_kind(process)] += times.user + times.system
        return spent

    def resident_megabytes(self) -> dict[str, float]:
        """By kind of process; of several of a kind the largest."""
        sizes: dict[str, float] = {}
        for process in self._family():
            kind, size = _kind(process), process.memory_info().rss / MEGABYTE
            sizes[kind] = max(size, sizes.get(kind, 0.0))
        return sizes

    def _family(self) -> list[Any]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def plain_handler() -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.plain", str(bundle.default()), str(port)]
    with _running(command, dict(os.environ), port, "/") as server:
        yield server


@contextmanager
def portal(folder: Path, servers: Mapping[str, str]) -> Iterator[Server]:
    """On ``servers`` (variables of the environment), or embedded where that is empty."""
    port = free_port()
    environment = _environment(folder, port, servers)
    with _running([sys.executable, "manage.py", "portal"], environment, port, "/readyz") as server:
        issue = ["issue_token", "clinician", "--name", "benchmark", "--scopes", "scans:read,scans:write"]
        token = _manage(environment, *issue)
        yield Server(server.process, port, server.ready_s, token)


@contextmanager
def own_servers() -> Iterator[dict[str, str] | None]:
    """A database of its own and a key prefix of its own; None where PostgreSQL or Redis does not answer."""
    prefix = f"portal_bench_{os.getpid()}"
    client = redis.Redis.from_url(REDIS, socket_connect_timeout=2)
    try:
        client.ping()
        with own_database(prefix) as url:
            yield {"DATABASE_URL": url, "BROKER_URL": REDIS, "PORTAL_REDIS_PREFIX": f"{prefix}:"}
    except (psycopg2.OperationalError, redis.RedisError) as error:
        print(f"PostgreSQL and Redis are not measured: {error}", file=sys.stderr)
        yield None
    finally:
        with suppress(redis.RedisError):
            for key in client.scan_iter(f"{prefix}:*"):
                client.delete(key)


@contextmanager
def own_database(name: str) -> Iterator[str]:
    """The URL of a new database, which is dropped at the end."""
    _execute(f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(POSTGRES)._replace(path=f"/{name}"))
    finally:
        _execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(folder: Path, port: int, servers: Mapping[str, str]) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PORTAL_", "DATABASE_", "BROKER_"))}
    own = {"PORTAL_DATA_DIR": str(folder), "PORTAL_PORT": str(port), "PORTAL_API_RATE": "1000000/min"}
    return {**inherited, **own, **servers}


@contextmanager
def _running(command: list[str], environment: dict[str, str], port: int, path: str) -> Iterator[Server]:
    started = time.monotonic()
    process = psutil.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not _answers(port, path):
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command[1:])} ended with status {process.returncode}")
            time.sleep(0.05)
        yield Server(process, port, time.monotonic() - started)
    finally:
        process.terminate()
        process.wait(timeout=120)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _kind(process: psutil.Process) -> str:
    line = process.cmdline()
    for name, word in {"web": "gunicorn", "worker": "worker", "sweeper": "beat"}.items():
        if any(part == word or part.endswith(f"/{word}") for part in line):
            forked = process.parent() is not None and process.parent().cmdline() == line
            return name if forked or name == "sweeper" else f"{name} parent"
    return "supervisor" if "portal" in line else "handler"


def _manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()


def _execute(sql: str) -> None:
    connection = psycopg2.connect(POSTGRES, connect_timeout=2)
    try:
        connection.autocommit = True
        connection.cursor().execute(sql)
    finally:
        connection.close()
