"""The database goes away under load and comes back: what was accepted ends exactly once."""

import threading

from tests.processes.backends import only_servers
from tests.processes.portal import Portal
from tests.processes.waiting import wait_until


class _Uploads(threading.Thread):
    """Uploads one scan after another; ``accepted`` holds those that were answered with 202."""

    def __init__(self, portal: Portal) -> None:
        super().__init__()
        self.portal, self.enough = portal, threading.Event()
        self.accepted: list[str] = []

    def run(self) -> None:
        while not self.enough.is_set():
            answer = self.portal.post_scan()
            if answer.status == 202:
                self.accepted.append(answer.body["id"])


@only_servers
def test_a_database_restarted_under_load_loses_and_doubles_nothing(portal: Portal) -> None:
    assert portal.postgres is not None
    portal.start_worker("one")
    portal.start_worker("two")
    portal.worker_ready("one")
    portal.worker_ready("two")
    uploads = _Uploads(portal)
    uploads.start()
    wait_until(lambda: len(uploads.accepted) >= 5, "some scans to be accepted")
    portal.postgres.stop()
    portal.postgres.start()
    before = len(uploads.accepted)
    wait_until(lambda: len(uploads.accepted) >= before + 5, "uploads to go on")
    uploads.enough.set()
    uploads.join(timeout=30)
    assert {row.status for row in portal.settle(uploads.accepted)} == {"succeeded"}


@only_servers
def test_a_result_found_while_the_database_is_away_is_written_when_it_is_back(portal: Portal) -> None:
    assert portal.postgres is not None
    portal.give("hold")
    portal.start_worker()
    portal.worker_ready()
    scans = portal.upload()
    portal.at_work()
    portal.postgres.stop()
    portal.give("")
    wait_until(lambda: "the end of analysis" in portal.log("worker"), "the worker to keep its result")
    portal.postgres.start()
    assert [(row.status, row.attempts) for row in portal.settle(scans)] == [("succeeded", 1)]
