"""The worker holds the network in memory before its first scan, and nobody else holds it."""

import re
from pathlib import Path

from tests.processes.backends import only_servers
from tests.processes.portal import Portal
from tests.processes.waiting import wait_until

ENGINES = re.compile(r"tensorflow|litert|keras", re.IGNORECASE)


def _maps_an_engine(pid: int) -> bool:
    return bool(ENGINES.search(Path(f"/proc/{pid}/maps").read_text()))


def _is_ready(portal: Portal) -> bool:
    return portal.ready().status == 200


def test_the_model_is_loaded_at_start_once_and_the_child_says_how_long_and_how_large(portal: Portal) -> None:
    portal.start_worker()
    portal.worker_ready()
    assert re.search(r"in \d+\.\d\d s, \d+ MB resident", portal.loads()[0])
    portal.settle(portal.upload(3))
    assert len(portal.loads()) == 1


def test_a_worker_that_is_ready_is_in_the_list_until_its_orderly_end(portal: Portal) -> None:
    assert not _is_ready(portal)
    portal.start_worker()
    wait_until(lambda: _is_ready(portal), "the portal to be ready")
    [child] = portal.children("worker")
    listed = "SELECT name FROM classifier_workerheartbeat"
    assert [name.split(":")[-1] for (name,) in portal.query(listed)].count(str(child.pid)) == 1
    portal.stop("worker")
    assert not [name for (name,) in portal.query(listed) if name.endswith(f":{child.pid}")]


def test_only_the_worker_child_maps_an_inference_engine(portal: Portal) -> None:
    portal.start_worker()
    portal.worker_ready()
    portal.settle(portal.upload())
    [child] = portal.children("worker")
    assert _maps_an_engine(child.pid)
    others = [process.pid for process in portal.processes.values()]
    others += [process.pid for process in portal.children("web")]
    assert [pid for pid in others if _maps_an_engine(pid)] == []


def test_a_worker_with_an_altered_bundle_says_so_and_leaves_scans_waiting(portal: Portal) -> None:
    network = portal.bundles / (portal.bundles / "DEFAULT").read_text().strip() / "model.tflite"
    sealed = network.read_bytes()
    network.write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    portal.start_worker()
    wait_until(lambda: "bundle_altered" in portal.log("worker"), "the worker to say what is wrong")
    scans = portal.upload(2)
    wait_until(lambda: not portal.ready().body["worker"]["ok"], "no worker to be ready")
    assert {(row.status, row.attempts) for row in portal.rows_of(scans)} == {("queued", 0)}
    network.write_bytes(sealed)
    assert {row.status for row in portal.settle(scans)} == {"succeeded"}


@only_servers
def test_a_worker_that_starts_before_its_database_loads_the_model_once_it_answers(
    portal: Portal,
) -> None:
    assert portal.postgres is not None
    portal.postgres.stop()
    portal.start_worker()
    wait_until(lambda: "database does not answer" in portal.log("worker"), "the worker to miss its database")
    portal.postgres.start()
    portal.worker_ready()
    portal.settle(portal.upload())
