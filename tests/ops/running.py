"""Real processes of the portal, and asking them over HTTP."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import redis

from tests.ops import names
from tests.processes.waiting import wait_until

# On a busy machine with two cores, a portal of five processes takes its time.
STARTS_IN_S = 90


def clean_environment(**variables: str) -> dict[str, str]:
    """This one without the portal's variables, with this interpreter's commands first."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PORTAL_", "DATABASE_", "BROKER_"))
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return kept | {"PATH": path} | variables


class Running:
    """A process in the project's folder whose output goes to a log."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as handle:
            self.process = psutil.Popen(
                [_resolve(command[0]), *command[1:]],
                cwd=names.ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=handle,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def says(self, text: str) -> None:
        def said() -> bool:
            assert self.process.poll() is None or text in self.output, self.output
            return text in self.output

        wait_until(said, f"{text!r} in {self.log.name}", STARTS_IN_S)

    def family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def stop(self) -> int:
        self.process.terminate()
        return int(self.process.wait(timeout=60))

    def end(self) -> None:
        """Whatever its state, it and its children are gone afterwards."""
        family = self.family() if self.process.is_running() else []
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(family, timeout=30)


def manage(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=names.ROOT,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def ask(
    url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer, redirects included; 0 where nobody answers."""
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}))
    try:
        with urllib.request.build_opener(_Staying).open(request, timeout=40) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _json(error.read())
    except (OSError, urllib.error.URLError):
        return 0, {}


def upload(url: str, picture: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """POST one file as a browser or curl would."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = head.encode() + picture + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return ask(url, body=body, headers={**headers, **kind})


@contextmanager
def fresh_database(url: str, template: str = "template1") -> Iterator[str]:
    """A database of one's own on the PostgreSQL server of that address, dropped afterwards."""
    name = f"portal_ops_{uuid.uuid4().hex[:12]}"
    server = url.rpartition("/")[0]
    with _administering(f"{server}/postgres") as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield f"{server}/{name}"
    finally:
        with _administering(f"{server}/postgres") as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def fresh_prefix(broker: str) -> Iterator[str]:
    """A key prefix of one's own on that Redis; its keys are removed afterwards."""
    prefix = f"portal-ops-{uuid.uuid4().hex[:12]}:"
    try:
        yield prefix
    finally:
        with redis.Redis.from_url(broker) as client:
            for key in client.scan_iter(f"{prefix}*"):
                client.delete(key)


@contextmanager
def _administering(server: str) -> Iterator[Any]:
    connection = psycopg2.connect(server)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


class _Staying(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _resolve(command: str) -> str:
    beside = Path(sys.executable).parent / command
    return str(beside) if beside.exists() else command


def _json(content: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(content)
    except ValueError:
        return {}
    return found
