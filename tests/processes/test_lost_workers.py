"""Workers that are killed, stopped or cut off: every accepted scan still ends exactly once."""

import signal
import threading

from tests.processes.portal import Portal
from tests.processes.waiting import wait_until


def _recoveries(portal: Portal, analysis: str) -> int:
    return portal.audited("analysis_recovered")["analysis_recovered", analysis]


def test_killed_workers_lose_no_scan_and_two_sweepers_bring_each_back_once(portal: Portal) -> None:
    portal.give("hold")
    portal.start_sweeper("second sweeper")
    portal.start_worker("one")
    portal.start_worker("two")
    portal.worker_ready("one")
    portal.worker_ready("two")
    scans = portal.upload(3)
    lost = portal.at_work(workers=2)
    portal.kill("two")
    [child] = portal.children("one")
    child.send_signal(signal.SIGKILL)
    portal.give("")
    ended = {row.id: row for row in portal.settle(scans)}
    assert {row.status for row in ended.values()} == {"succeeded"}
    assert [ended[row.id].attempts for row in lost] == [2, 2]
    assert [_recoveries(portal, row.id) for row in lost] == [1, 1]
    assert len(portal.loads("one")) == 2  # the child's successor has loaded the model anew


def test_a_child_killed_while_it_waits_is_replaced_by_one_that_works(portal: Portal) -> None:
    portal.start_worker()
    portal.worker_ready()
    portal.settle(portal.upload())
    [child] = portal.children("worker")
    child.send_signal(signal.SIGKILL)
    assert [(row.status, row.attempts) for row in portal.settle(portal.upload())] == [("succeeded", 1)]
    assert len(portal.loads()) == 2


def test_a_worker_told_to_stop_finishes_its_scan_first(portal: Portal) -> None:
    portal.give("hold")
    portal.start_worker()
    portal.worker_ready()
    scans = portal.upload()
    portal.at_work()
    portal.processes["worker"].terminate()
    wait_until(lambda: "Warm shutdown" in portal.log("worker"), "the worker to hear that it should stop")
    portal.give("")
    portal.stop("worker")
    assert [(row.status, row.attempts) for row in portal.rows_of(scans)] == [("succeeded", 1)]


def test_a_portal_that_lost_its_power_goes_on_where_it_was(portal: Portal) -> None:
    portal.start_worker()
    portal.worker_ready()
    accepted: list[str] = []
    uploader = threading.Thread(target=_upload_until_cut_off, args=(portal, accepted))
    uploader.start()
    wait_until(lambda: len(accepted) >= 5, "some scans to be accepted")
    portal.stop_all()
    uploader.join(timeout=30)
    portal.start_web()
    portal.start_sweeper()
    portal.start_worker()
    assert {row.status for row in portal.settle(accepted)} == {"succeeded"}


def _upload_until_cut_off(portal: Portal, accepted: list[str]) -> None:
    while (answer := portal.post_scan()).status == 202:
        accepted.append(answer.body["id"])
