"""Analyses that never end: stopped by the soft limit, or killed by the hard one and given up after three."""

from tests.processes.portal import Portal


def test_an_analysis_that_never_ends_is_stopped_and_says_that_it_took_too_long(portal: Portal) -> None:
    portal.give("loop")
    portal.start_worker()
    portal.worker_ready()
    [row] = portal.settle(portal.upload())
    assert (row.status, row.error_code, row.attempts) == ("failed", "time_limit", 1)
    portal.give("")
    assert [row.status for row in portal.settle(portal.upload())] == ["succeeded"]


def test_an_analysis_that_hears_no_signal_is_killed_and_given_up_after_three_attempts(portal: Portal) -> None:
    portal.give("deaf")
    portal.start_worker()
    portal.worker_ready()
    [row] = portal.settle(portal.upload(), seconds=90)
    assert (row.status, row.error_code, row.attempts) == ("failed", "worker_lost", 3)
    assert "Hard time limit" in portal.log("worker")
    portal.give("")
    assert [row.status for row in portal.settle(portal.upload())] == ["succeeded"]
