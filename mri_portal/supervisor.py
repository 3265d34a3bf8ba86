"""One parent for the web server, the workers and the sweeper of a portal on one machine.

It starts them, tells on stderr when one ends, starts it again after a pause that grows, and stops
them all when it is told to. It knows nothing about what they do and never opens the database.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

TICK_S = 0.2
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
# A child that lived this long was healthy: its next failure starts with the shortest pause again.
HEALTHY_AFTER_S = 60.0
HURRY_S = 10.0

WEB = ("gunicorn", "--config=mri_portal/gunicorn_conf.py", "mri_portal.wsgi")
CELERY = ("celery", "--quiet", "--app=mri_portal")
# Workers ask each other nothing, and say that they live in the database.
WORKER = (*CELERY, "worker", "--without-gossip", "--without-mingle", "--without-heartbeat")
# Without a pid file: one left behind by a killed sweeper would keep the next one from starting.
SWEEPER = (*CELERY, "beat", "--pidfile=")


class Refusal(Exception):
    """Why the portal does not start, in one sentence."""


@dataclass
class Child:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    pause_s: float = field(default=FIRST_PAUSE_S)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, environment: Mapping[str, str], folder: Path) -> None:
        self.process = subprocess.Popen(
            self.command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then asks each child to stop
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - this process has one thread
        )
        self.started_at = time.monotonic()

    def note_end(self) -> str | None:
        """What to tell about a child that has just ended, or None."""
        if self.process is None or self.process.poll() is None:
            return None
        ending = _ending(self.process.returncode)
        self.kill()  # what it had started and left behind
        self.process = None
        now = time.monotonic()
        if now - self.started_at > HEALTHY_AFTER_S:
            self.pause_s = FIRST_PAUSE_S
        pause, self.pause_s = self.pause_s, min(2 * self.pause_s, LONGEST_PAUSE_S)
        self.start_again_at = now + pause
        return f"{self.name} {ending}; it starts again in {pause:.0f} s."

    def ask_to_stop(self) -> None:
        if self.process is not None and self.is_running:
            self.process.terminate()

    def kill(self) -> None:
        """End the child and what it started: they share a process group of their own."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Supervisor:
    """``patience_s`` is how long a running analysis may take to finish once SIGTERM has come."""

    def __init__(
        self,
        commands: Mapping[str, Sequence[str]],
        *,
        folder: Path,
        environment: Mapping[str, str],
        patience_s: float,
        is_ready: Callable[[], bool],
        when_ready: Callable[[], None],
    ) -> None:
        self.children = [Child(name, command) for name, command in commands.items()]
        self.folder, self.environment, self.patience_s = folder, environment, patience_s
        self.is_ready, self.when_ready = is_ready, when_ready
        self.signals: list[int] = []

    def run(self) -> None:
        """Until SIGTERM, SIGHUP or Ctrl-C; leaves no child behind, however it ends."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._hear)
        try:
            self._watch()
            self._stop()
        finally:
            for child in self.children:
                child.kill()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.signals.append(number)

    def _watch(self) -> None:
        announced = False
        while not self.signals:
            self._tend()
            if not announced and self.is_ready():
                announced = True
                self.when_ready()
            time.sleep(TICK_S)

    def _tend(self) -> None:
        for child in self.children:
            if message := child.note_end():
                tell(message)
            if child.process is None and time.monotonic() >= child.start_again_at and not self.signals:
                child.start(self.environment, self.folder)

    def _stop(self) -> None:
        """SIGTERM to each; a second signal, or Ctrl-C and ten seconds, ends what still runs."""
        hurry = self.signals[0] == signal.SIGINT
        patience = min(HURRY_S, self.patience_s) if hurry else self.patience_s
        tell(
            f"Stopping; a running analysis has {patience:.0f} s to finish."
            " Ctrl-C again stops at once; nothing is lost."
        )
        for child in self.children:
            child.ask_to_stop()
        deadline = time.monotonic() + patience
        while any(child.is_running for child in self.children):
            if len(self.signals) > 1 or time.monotonic() > deadline:
                tell("Ended at once; what was running is brought back after the next start.")
                return
            time.sleep(TICK_S)
        tell("Stopped.")


@contextlib.contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold ``data_dir`` for this process; `Refusal` where another holds it."""
    with (data_dir / "portal.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refusal(
                f"Another portal is running on {data_dir}; stop it first, or set PORTAL_DATA_DIR."
            ) from error
        yield


def check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Refusal(
                f"Port {port} on {host} cannot be used ({error.strerror}); set PORTAL_PORT to a free one."
            ) from error


def tell(message: str) -> None:
    print(f"portal: {message}", file=sys.stderr, flush=True)


def _ending(returncode: int) -> str:
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with status {returncode}"


def _die_with(parent: int) -> Callable[[], None] | None:
    """For the child, before it runs: SIGTERM when its parent dies, even of SIGKILL (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    libc, pr_set_pdeathsig = ctypes.CDLL(None), 1

    def prepare() -> None:
        libc.prctl(pr_set_pdeathsig, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
