"""Machines whose clocks are minutes apart agree on who works and who is lost."""

from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from classifier.models import Analysis, Scan, WorkerHeartbeat
from classifier.services import workers
from classifier.services.analyses import recover_analyses
from tests.worker import Worker, prediction

SKEWS = pytest.mark.parametrize("minutes", [-5, 5])


def set_clock(monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    """This process now runs on a machine whose clock is that far from the database's."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite's portal is one machine")
    now = timezone.now

    def skewed() -> datetime:
        return now() + timedelta(minutes=minutes)

    monkeypatch.setattr(timezone, "now", skewed)


@SKEWS
def test_a_lease_lasts_as_long_as_it_should_whatever_the_workers_clock_says(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    recovered = []

    def swept_elsewhere(*_: object, **__: object) -> dict[str, object]:
        right.undo()
        recovered.append(recover_analyses())
        [lease] = Analysis.objects.values_list("lease_until", flat=True)
        assert timezone.now() < lease <= timezone.now() + settings.LEASE
        return prediction()

    with monkeypatch.context() as right:
        set_clock(right, minutes)
        analysis = worker.finish(scan, swept_elsewhere)
    assert (analysis.status, analysis.attempts, recovered) == ("succeeded", 1, [0])
    assert analysis.started_at <= analysis.finished_at


@SKEWS
def test_a_worker_is_ready_and_lost_whatever_its_clock_says(
    db: None, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    with monkeypatch.context() as elsewhere:
        set_clock(elsewhere, minutes)
        workers._say_ready("test-1")
    [ready] = workers.ready_workers()
    assert abs(ready.seen_at - timezone.now()) < timedelta(minutes=1)
    WorkerHeartbeat.objects.update(seen_at=timezone.now() - WorkerHeartbeat.ALIVE_FOR)
    assert workers.ready_workers() == []


def test_a_sweep_is_heard_by_a_worker_minutes_ahead_of_the_sweeper() -> None:
    sweep = settings.CELERY_BEAT_SCHEDULE["sweep"]
    assert timedelta(seconds=sweep["options"]["expires"] - sweep["schedule"]) >= timedelta(minutes=15)
