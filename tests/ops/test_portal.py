"""`make run`: the embedded portal as a person starts, uses, hurts, stops and restarts it."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.ml.pictures import brain_png
from tests.ops import names
from tests.ops.running import STARTS_IN_S, Running, ask, clean_environment, manage, upload
from tests.processes.servers import free_port
from tests.processes.waiting import wait_until

pytestmark = pytest.mark.processes
COMMAND = ("python", "manage.py", "portal")


class Embedded:
    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "var"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = clean_environment(
            PORTAL_DATA_DIR=str(self.data), PORTAL_PORT=str(self.port), PORTAL_WORKERS="1"
        )
        self.starts = 0

    def start(self) -> Running:
        self.starts += 1
        self.running = Running(COMMAND, self.environment, self.folder / f"start-{self.starts}.log")
        self.running.says(f"The portal is ready: {self.url}/")
        return self.running

    def token(self) -> dict[str, str]:
        issued = manage(
            "issue_token",
            "clinician",
            "--name=test",
            "--scopes=scans:read,scans:write",
            environment=self.environment,
        )
        return {"Authorization": f"Bearer {issued.stdout.strip()}"}


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    embedded = Embedded(tmp_path_factory.mktemp("embedded"))
    embedded.start()
    yield embedded
    embedded.running.end()


def test_make_run_is_the_portal_command_once_its_requirements_are_in() -> None:
    outside_make = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    printed = subprocess.run(
        ["make", "--dry-run", "run"],
        cwd=names.ROOT,
        env=outside_make,
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.splitlines()[-1] == "exec .venv/bin/python manage.py portal"


def test_the_first_start_creates_two_users_and_shows_their_passwords_once(portal: Embedded) -> None:
    shown = dict(re.findall(r"First user (\w+), password (\S+)", portal.running.output))
    assert shown.keys() == {"clinician", "admin"}
    for password in shown.values():
        assert portal.running.output.count(password) == 1
        assert all(
            password.encode() not in path.read_bytes() for path in portal.data.rglob("*") if path.is_file()
        )


def test_an_uploaded_scan_is_classified_by_a_worker_process(portal: Embedded) -> None:
    status, answer = upload(f"{portal.url}/api/v1/predict/", brain_png(seed=1), portal.token())
    assert status == 200, answer
    assert answer["probabilities"].keys() == {"glioma", "meningioma", "notumor", "pituitary"}


def test_nothing_in_the_data_folder_can_be_read_by_others(portal: Embedded) -> None:
    for path in [portal.data, *portal.data.rglob("*")]:
        if path.exists() and not path.is_symlink():
            closed = not path.stat().st_mode & 0o077 or not path.parent.stat().st_mode & 0o077
            assert closed, path
    assert portal.data.stat().st_mode & 0o777 == 0o700
    assert (portal.data / "scans").stat().st_mode & 0o777 == 0o700
    assert (portal.data / "queue" / "messages").stat().st_mode & 0o777 == 0o700


def test_a_second_portal_on_the_same_data_is_refused_with_a_sentence(portal: Embedded) -> None:
    refused = manage("portal", environment=portal.environment | {"PORTAL_PORT": str(free_port())})
    assert refused.returncode == 1
    assert "Another portal is running" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_port_in_use_is_refused_with_a_sentence(portal: Embedded, tmp_path: Path) -> None:
    refused = manage("portal", environment=portal.environment | {"PORTAL_DATA_DIR": str(tmp_path / "other")})
    assert refused.returncode == 1
    assert f"Port {portal.port} on 127.0.0.1 cannot be used" in refused.stderr


def test_a_killed_worker_is_started_again_with_a_message_and_works(portal: Embedded) -> None:
    [worker] = [p for p in portal.running.process.children() if "--hostname=worker1@%h" in p.cmdline()]
    worker.send_signal(signal.SIGKILL)
    portal.running.says("worker 1 was ended by SIGKILL; it starts again in 1 s.")
    loaded = "loaded and warmed up"
    wait_until(lambda: portal.running.output.count(loaded) == 2, "the new worker", STARTS_IN_S)
    status, answer = upload(f"{portal.url}/api/v1/predict/", brain_png(seed=2), portal.token())
    assert status == 200, answer


def test_sigterm_stops_every_process_and_the_next_start_has_all_data(portal: Embedded) -> None:
    headers = portal.token()
    before = ask(f"{portal.url}/api/v1/scans/", headers=headers)
    family = portal.running.family()
    assert portal.running.stop() == 0
    assert psutil.wait_procs(family, timeout=0)[1] == []

    second = portal.start()
    assert "password" not in second.output
    assert ask(f"{portal.url}/api/v1/scans/", headers=headers) == before
    assert before[0] == 200
    assert len(before[1]["results"]) >= 1
    assert ask(f"{portal.url}/healthz") == (200, {"status": "alive"})
    assert ask(f"{portal.url}/readyz")[0] == 200


def test_web_worker_and_sweeper_are_healthy_by_their_own_health_checks(portal: Embedded) -> None:
    for what in ("web", "worker", "sweeper"):
        wait_until(
            lambda what=what: manage("healthy", what, environment=portal.environment).returncode == 0,
            f"{what} to be healthy",
            STARTS_IN_S,
        )
