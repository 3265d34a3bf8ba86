"""The broker only rings: away, frozen or ringing twice, it loses no scan and doubles none."""

import subprocess
import sys

from tests.processes.backends import only_servers
from tests.processes.portal import PROJECT, Portal

QUICKLY_S = 5


def _pids(portal: Portal) -> set[int]:
    return {process.pid for process in portal.processes.values() if process.poll() is None}


def test_uploads_go_on_while_the_broker_is_stopped_and_finish_once_it_is_back(portal: Portal) -> None:
    portal.start_worker()
    portal.worker_ready()
    portal.settle(portal.upload())
    before = _pids(portal)
    with portal.broker_stopped():
        answers = [portal.post_scan() for _ in range(5)]
    assert [answer.status for answer in answers] == [202] * 5
    assert max(answer.seconds for answer in answers) < QUICKLY_S
    assert {row.status for row in portal.settle([a.body["id"] for a in answers])} == {"succeeded"}
    portal.settle(portal.upload())
    assert _pids(portal) == before  # web server, worker and sweeper reconnected by themselves


@only_servers
def test_a_frozen_broker_delays_one_upload_and_not_the_next(portal: Portal) -> None:
    assert portal.redis is not None
    portal.start_worker()
    portal.worker_ready()
    portal.redis.freeze()
    answers = [portal.post_scan() for _ in range(3)]
    portal.redis.thaw()
    assert [answer.status for answer in answers] == [202] * 3
    assert max(answer.seconds for answer in answers) < 15
    assert min(answer.seconds for answer in answers[1:]) < QUICKLY_S
    assert {row.status for row in portal.settle([a.body["id"] for a in answers])} == {"succeeded"}


def test_an_analysis_delivered_again_and_again_to_two_workers_is_done_once(portal: Portal) -> None:
    scans = portal.upload(4)
    waiting = [row.id for row in portal.rows_of(scans)]
    command = [sys.executable, "-m", "tests.processes.ring", *(waiting * 3)]
    subprocess.run(command, env=portal.environment, cwd=PROJECT, check=True)
    portal.start_worker("one")
    portal.start_worker("two")
    rows = portal.settle(scans)
    assert {(row.status, row.attempts) for row in rows} == {("succeeded", 1)}
    subprocess.run(command, env=portal.environment, cwd=PROJECT, check=True)
    portal.settle(portal.upload())  # rung after them, so they have been heard by now
    assert portal.rows_of(scans) == rows


def test_lost_rings_are_rung_again(portal: Portal) -> None:
    scans = portal.upload(3)
    portal.forget_messages()
    portal.start_worker()
    assert {row.status for row in portal.settle(scans)} == {"succeeded"}
