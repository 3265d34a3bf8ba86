"""The whole portal as `make run` starts it, in a folder of its own."""

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.processes.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
CLINICIAN, ADMINISTRATOR = "clinician", "admin"
PASSWORD = "a long enough passphrase"


@dataclass(frozen=True)
class RunningPortal:
    url: str
    process: psutil.Process
    log: Path

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


def prepare(folder: Path) -> None:
    """What a first start leaves in ``folder``: tables, model and users."""
    command = [sys.executable, "manage.py", "bootstrap"]
    subprocess.run(command, cwd=PROJECT, env=_environment(folder), check=True, stdout=subprocess.DEVNULL)


@contextmanager
def running_portal(folder: Path, **settings: str) -> Iterator[RunningPortal]:
    """Embedded database and queue, one worker; ready when it says so itself."""
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
        wait_until(lambda: _is_ready(url, process, log), "the portal to be ready", 90)
        yield RunningPortal(url, psutil.Process(process.pid), log)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PORTAL_DATA_DIR": str(folder),
        "PORTAL_WORKERS": "1",
        "PORTAL_CLINICIAN_PASSWORD": PASSWORD,
        "PORTAL_ADMIN_PASSWORD": PASSWORD,
    }


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
