"""A Redis and a PostgreSQL of a test's own, which it may stop, freeze and restart."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg2
import redis

from tests.processes.waiting import wait_until

REDIS = shutil.which("redis-server")
POSTGRES_BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """Keeps nothing on disk: a restart loses every message."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert REDIS is not None
        command = [REDIS, "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(self._answers, "Redis to answer")

    def stop(self) -> None:
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            self._process.wait(timeout=30)

    def freeze(self) -> None:
        """It keeps its connections and answers nothing: worse than being away."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            return bool(redis.Redis.from_url(self.url, socket_connect_timeout=1).ping())
        except redis.RedisError:
            return False


class PostgresServer:
    """A cluster in a temporary folder, with one database; runs as ``postgres`` where the tests are root.

    ``options`` go to the server as they would on its command line.
    """

    def __init__(self, *options: str) -> None:
        self._options = options
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/portal"
        self._folder = Path(tempfile.mkdtemp(prefix="portal-postgres-"))
        self._as_user: list[str] = []
        if os.getuid() == 0:
            self._as_user = ["runuser", "-u", "postgres", "--"]
            os.chown(self._folder, pwd.getpwnam("postgres").pw_uid, -1)

    def create(self) -> None:
        self._run("initdb", "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-sync")
        self.start()
        with closing(psycopg2.connect(self.url.replace("/portal", "/postgres"))) as connection:
            connection.autocommit = True
            connection.cursor().execute("CREATE DATABASE portal")

    def start(self) -> None:
        own = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        options = " ".join([own, *self._options])
        self._run("pg_ctl", "--wait", "--log", str(self._folder / "log"), "--options", options, "start")

    def stop(self) -> None:
        """At once, as a crash would: open transactions are cut off."""
        self._run("pg_ctl", "--wait", "--mode", "immediate", "stop")

    def log(self) -> str:
        return (self._folder / "log").read_text("utf-8")

    def remove(self) -> None:
        with suppress(subprocess.CalledProcessError):  # a scenario that failed may have left it stopped
            self.stop()
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        assert POSTGRES_BIN is not None
        command: list[Any] = [*self._as_user, POSTGRES_BIN / program, "--pgdata", self._folder, *arguments]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)
