"""A whole portal as real processes on one backend, driven over HTTP and looked at through SQL."""

import http.client
import itertools
import json
import os
import re
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from mri_portal import supervisor
from tests.ml.pictures import brain_png
from tests.processes.servers import PostgresServer, RedisServer, free_port
from tests.processes.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
FINISHED = {"succeeded": "analysis_finished", "failed": "analysis_failed"}


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Row:
    """An analysis as the database has it."""

    id: str
    scan: str
    status: str
    attempts: int
    error_code: str


class Portal:
    """``postgres`` and ``redis`` are None on the embedded backend."""

    def __init__(
        self, folder: Path, *, postgres: PostgresServer | None = None, redis: RedisServer | None = None
    ) -> None:
        self.folder, self.postgres, self.redis = folder, postgres, redis
        self.port = free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.order = folder / "order"
        self.bundles = folder / "bundles"
        self.database = folder / "var" / "portal.sqlite3"
        self.messages = folder / "var" / "queue" / "messages"
        self.token = ""
        self._seeds = itertools.count()

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PORTAL_DATA_DIR": str(self.folder / "var"),
            "PORTAL_BUNDLES_DIR": str(self.bundles),
            "PORTAL_PORT": str(self.port),
            "PORTAL_TIME_LIMIT_S": "4",
            "PORTAL_SWEEP_INTERVAL_S": "1",
            "PORTAL_API_RATE": "100000/min",
            "SLOW_MODEL_ORDER": str(self.order),
            "PYTHONPATH": str(PROJECT),
        }
        if self.postgres and self.redis:
            own |= {"DATABASE_URL": self.postgres.url, "BROKER_URL": self.redis.url}
        return own

    def prepare(self) -> None:
        """Tables, the shipped model, an API token."""
        self.give("")
        shutil.copytree(PROJECT / "ml" / "bundles", self.bundles)
        command = [sys.executable, "-m", "tests.processes.prepare"]
        done = subprocess.run(
            command, env=self.environment, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True
        )
        self.token = done.stdout.split()[-1]

    # --- Processes ---

    def start_web(self) -> None:
        self._start("web", supervisor.WEB)
        wait_until(self._web_answers, "the web server to answer")

    def start_sweeper(self, name: str = "sweeper") -> None:
        self._start(name, supervisor.SWEEPER)

    def start_worker(self, name: str = "worker", **environment: str) -> None:
        include = ("--include", "tests.processes.slow_model")
        self._start(name, (*supervisor.WORKER, "--hostname", f"{name}@here", *include), **environment)

    def worker_ready(self, name: str = "worker", loads: int = 1) -> None:
        wait_until(lambda: len(self.loads(name)) >= loads, f"{name} to load the model ({loads})", 60)

    def stop(self, name: str) -> None:
        """As an operator would: SIGTERM, then patience."""
        self.processes[name].terminate()
        self.processes.pop(name).wait(timeout=90)

    def kill(self, name: str) -> None:
        """SIGKILL to the process and all it has started."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes.pop(name).wait(timeout=30)

    def stop_all(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def children(self, name: str) -> list[psutil.Process]:
        return list(psutil.Process(self.processes[name].pid).children())

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text("utf-8", errors="replace")

    def loads(self, name: str = "worker") -> list[str]:
        return re.findall(r"Model .* loaded and warmed up in .* MB resident", self.log(name))

    @contextmanager
    def broker_stopped(self) -> Iterator[None]:
        """Redis away with all its messages; on the embedded backend, the queue's folder."""
        if self.redis:
            self.redis.stop()
            yield
            self.redis.start()
            return
        self.messages.rename(self.folder / "away")
        yield
        (self.folder / "away").rename(self.messages)

    def forget_messages(self) -> None:
        if self.redis:
            self.redis.stop()
            self.redis.start()
            return
        for message in self.messages.glob("*.msg"):
            message.unlink()

    def give(self, order: str) -> None:
        """What the workers' next analyses do; see `slow_model`."""
        self.order.write_text(order, "utf-8")

    # --- HTTP ---

    def upload(self, count: int = 1) -> list[str]:
        """New scans, each accepted; their ids."""
        answers = [self.post_scan() for _ in range(count)]
        assert [answer.status for answer in answers] == [202] * count, answers
        return [answer.body["id"] for answer in answers]

    def post_scan(self) -> Answer:
        """One new scan, whatever comes of it; status 0 where there was no answer."""
        seed = next(self._seeds)
        return self.post_file(brain_png(seed), "slice.png", patient=f"P-{seed}")

    def post_file(self, data: bytes, name: str, **fields: str) -> Answer:
        boundary = secrets.token_hex(16)
        body = _multipart(boundary, fields, data, name)
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self._request("POST", "/api/v1/scans/", body, headers)

    def ask(self, scan: str, version: str) -> str:
        """Another analysis of ``scan``, by a chosen version; its id."""
        body = json.dumps({"version": version}).encode()
        headers = {"Content-Type": "application/json"}
        answer = self._request("POST", f"/api/v1/scans/{scan}/analyses/", body, headers)
        assert answer.status == 202, answer
        return str(answer.body["id"])

    def analysis(self, key: str) -> dict[str, Any]:
        return self._request("GET", f"/api/v1/analyses/{uuid.UUID(key)}/", b"", {}).body

    def register(self, version: str) -> None:
        command = [sys.executable, "manage.py", "register_model", str(self.bundles / version)]
        subprocess.run(command, env=self.environment, cwd=PROJECT, check=True, stdout=subprocess.PIPE)

    def ready(self) -> Answer:
        return self._request("GET", "/readyz", b"", {})

    def _request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        started = time.monotonic()
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            try:
                connection.request(method, path, body, {**headers, "Authorization": f"Bearer {self.token}"})
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException):
                return Answer(0, {}, time.monotonic() - started)
        return Answer(response.status, _json(content), time.monotonic() - started)

    def _web_answers(self) -> bool:
        return self._request("GET", "/healthz", b"", {}).status == 200

    # --- Database ---

    def query(self, sql: str) -> list[Any]:
        with self._connected() as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            found: list[Any] = cursor.fetchall()
        return found

    def _connected(self) -> Any:
        if self.postgres:
            return closing(psycopg2.connect(self.postgres.url))
        return closing(sqlite3.connect(self.database, timeout=20))

    def forget_killed_workers(self) -> None:
        """They would count as alive for another half minute."""
        self.execute("DELETE FROM classifier_workerheartbeat")

    def execute(self, sql: str) -> None:
        with self._connected() as connection:
            connection.cursor().execute(sql)
            connection.commit()

    def rows(self) -> list[Row]:
        found = self.query("SELECT id, scan_id, status, attempts, error_code FROM classifier_analysis")
        return [Row(_hex(pk), _hex(scan), *rest) for pk, scan, *rest in found]

    def rows_of(self, scans: Sequence[str]) -> list[Row]:
        wanted = {_hex(scan) for scan in scans}
        return [row for row in self.rows() if row.scan in wanted]

    def at_work(self, workers: int = 1) -> list[Row]:
        """What is running once that many workers are in mid-task."""
        wait_until(lambda: len(self._running()) == workers, f"{workers} running")
        return self._running()

    def _running(self) -> list[Row]:
        return [row for row in self.rows() if row.status == "running"]

    def audited(self, *actions: str) -> Counter[tuple[str, str]]:
        """How often each (action, analysis) is in the audit trail."""
        found = self.query("SELECT action, object_id FROM classifier_auditevent")
        return Counter((action, _hex(pk)) for action, pk in found if action in actions)

    def settle(self, accepted: Sequence[str], seconds: float = 40) -> list[Row]:
        """Every accepted scan ends in exactly one finished analysis, none lost, none doubled."""
        wait_until(lambda: all(row.status in FINISHED for row in self.rows()), "every end", seconds)
        rows = self.rows()
        ends = Counter({(FINISHED[row.status], row.id): 1 for row in rows})
        assert self.audited(*FINISHED.values()) == ends
        assert all(1 <= row.attempts <= 3 for row in rows), rows
        of_accepted = self.rows_of(accepted)
        assert Counter(row.scan for row in of_accepted) == Counter(_hex(scan) for scan in accepted)
        return of_accepted

    def _start(self, name: str, command: Sequence[str], **environment: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [str(Path(sys.executable).parent / command[0]), *command[1:]],
                cwd=PROJECT,
                env={**self.environment, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _hex(key: object) -> str:
    """PostgreSQL, SQLite and JSON write a UUID each in their own way."""
    return str(key).replace("-", "")


def _json(content: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(content))
    except ValueError:
        return {}


def _multipart(boundary: str, fields: Mapping[str, str], data: bytes, name: str) -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return b"".join([*parts, file.encode(), data, f"\r\n--{boundary}--\r\n".encode()])
