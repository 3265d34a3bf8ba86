"""One parent: it restarts what fails and says so, stops everything, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mri_portal import supervisor
from tests.ops import names
from tests.processes.servers import free_port
from tests.processes.waiting import wait_until

pytestmark = pytest.mark.processes

PARENT = """
import sys
from pathlib import Path
from mri_portal import supervisor

supervisor.FIRST_PAUSE_S = 0.1
folder = Path(sys.argv[1])
supervisor.Supervisor(
    {name: (sys.executable, "-c", code) for name, code in (item.split("=", 1) for item in sys.argv[3:])},
    folder=folder, environment={}, patience_s=float(sys.argv[2]),
    is_ready=lambda: (folder / "ready").exists(), when_ready=lambda: print("ready", flush=True),
).run()
"""
# Writes its process id, and that of a child of its own, and waits.
PATIENT = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open("{name}.new", "w").write(f"{{os.getpid()}} {{child.pid}}")
os.rename("{name}.new", "{name}.pids")
{stubborn}
signal.pause()
"""


def code(name: str, *, stubborn: bool = False) -> str:
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if stubborn else ""
    return textwrap.dedent(PATIENT).format(name=name, stubborn=ignore)


class Parent:
    def __init__(self, folder: Path, children: dict[str, str], patience_s: float) -> None:
        self.folder, self.names = folder, list(children)
        self.log = folder / "log"
        arguments = [f"{name}={code}" for name, code in children.items()]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PARENT, str(folder), str(patience_s), *arguments],
                cwd=names.ROOT,
                stdout=log,
                stderr=log,
            )

    def pids(self, name: str) -> list[int]:
        path = self.folder / f"{name}.pids"
        wait_until(path.exists, f"{name} to start")
        return [int(pid) for pid in path.read_text().split()]

    def says(self, text: str) -> None:
        wait_until(lambda: text in self.log.read_text(), f"{text!r} in the log")

    def ends(self) -> int:
        return self.process.wait(timeout=20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Parent]]:
    parents: list[Parent] = []

    def start(patience_s: float = 30, **children: str) -> Parent:
        parents.append(Parent(tmp_path, children, patience_s))
        return parents[-1]

    yield start
    for parent in parents:
        parent.process.kill()
        parent.process.wait(timeout=20)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_child_that_fails_is_started_again_with_its_name_and_status(start: Callable[..., Parent]) -> None:
    parent = start(web=code("web"), worker="import sys; sys.exit(3)")
    parent.says("worker ended with status 3; it starts again in")
    wait_until(lambda: parent.log.read_text().count("worker ended with status 3") > 1, "a second start")
    assert "web" not in parent.log.read_text()


def test_a_killed_child_is_started_again_and_what_it_had_started_ends(start: Callable[..., Parent]) -> None:
    parent = start(worker=code("worker"))
    main, grandchild = parent.pids("worker")
    (parent.folder / "worker.pids").unlink()
    os.kill(main, signal.SIGKILL)
    parent.says("worker was ended by SIGKILL; it starts again in")
    assert parent.pids("worker")[0] != main
    wait_until(lambda: is_gone(grandchild), "the old grandchild to end")


def test_pauses_grow_up_to_a_limit_and_are_short_again_after_a_healthy_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: clock[0])
    child = supervisor.Child("worker", ["false"])

    def fail_after(seconds: float) -> float:
        child.process = subprocess.Popen(["false"], start_new_session=True)
        child.process.wait()
        child.started_at = clock[0]
        clock[0] += seconds
        assert child.note_end() is not None
        return child.start_again_at - clock[0]

    assert [fail_after(1) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert fail_after(supervisor.HEALTHY_AFTER_S + 1) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_every_child_and_the_parent_ends_well(
    start: Callable[..., Parent], number: signal.Signals
) -> None:
    parent = start(web=code("web"), worker=code("worker"))
    pids = [*parent.pids("web"), *parent.pids("worker")]
    parent.process.send_signal(number)
    assert parent.ends() == 0
    assert all(is_gone(pid) for pid in pids)
    assert "Stopped." in parent.log.read_text()


def test_a_second_signal_ends_at_once_a_child_that_does_not_stop(start: Callable[..., Parent]) -> None:
    parent = start(worker=code("worker", stubborn=True))
    pids = parent.pids("worker")
    parent.process.send_signal(signal.SIGTERM)
    parent.says("Stopping")
    assert parent.process.poll() is None
    parent.process.send_signal(signal.SIGINT)
    assert parent.ends() == 0
    assert all(is_gone(pid) for pid in pids)


def test_a_child_that_does_not_stop_is_ended_when_patience_is_over(start: Callable[..., Parent]) -> None:
    parent = start(patience_s=0.5, worker=code("worker", stubborn=True))
    pids = parent.pids("worker")
    parent.process.send_signal(signal.SIGTERM)
    assert parent.ends() == 0
    assert all(is_gone(pid) for pid in pids)
    assert "brought back after the next start" in parent.log.read_text()


def test_children_stop_when_the_parent_itself_is_killed(start: Callable[..., Parent]) -> None:
    parent = start(web=code("web"))
    main, grandchild = parent.pids("web")
    parent.process.kill()
    wait_until(lambda: is_gone(main), "the child to end with its parent")
    os.kill(grandchild, signal.SIGKILL)  # what a child starts is the child's to stop


def test_readiness_is_told_once(start: Callable[..., Parent]) -> None:
    parent = start(web=code("web"))
    parent.pids("web")
    assert "ready" not in parent.log.read_text()
    (parent.folder / "ready").touch()
    parent.says("ready")
    parent.process.terminate()
    parent.ends()
    assert parent.log.read_text().count("ready\n") == 1


def test_a_second_portal_on_the_same_folder_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with (
        supervisor.only_one(tmp_path),
        pytest.raises(supervisor.Refusal, match="Another portal is running"),
        supervisor.only_one(tmp_path),
    ):
        raise AssertionError("two portals on one folder")
    with supervisor.only_one(tmp_path):
        pass


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_port_in_use_is_refused_with_a_sentence(host: str, family: socket.AddressFamily) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as other:
        other.bind((host, 0))
        other.listen()
        with pytest.raises(supervisor.Refusal, match=r"cannot be used .*; set PORTAL_PORT"):
            supervisor.check_port(host, other.getsockname()[1])


def test_a_free_port_is_accepted() -> None:
    supervisor.check_port("127.0.0.1", free_port())
