"""`manage.py healthy`: what the containers' health checks find out."""

import os
import socket
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from classifier.models import WorkerHeartbeat
from tests.processes.servers import free_port


def heartbeat(name: str, *, seconds_ago: float = 0) -> None:
    seen = timezone.now() - timedelta(seconds=seconds_ago)
    WorkerHeartbeat.objects.create(
        name=name, model_version="v1", load_seconds=0.1, rss_bytes=1, loaded_at=seen, seen_at=seen
    )


def test_a_worker_of_this_machine_that_beats_is_healthy(db: None) -> None:
    heartbeat(f"{socket.gethostname()}:17")
    call_command("healthy", "worker")


@pytest.mark.parametrize(
    ("name", "seconds_ago"), [("another-machine:17", 0), (f"{socket.gethostname()}:17", 3600)]
)
def test_a_worker_elsewhere_or_long_silent_does_not_count(db: None, name: str, seconds_ago: float) -> None:
    heartbeat(name, seconds_ago=seconds_ago)
    with pytest.raises(CommandError, match="No worker on this machine"):
        call_command("healthy", "worker")


def test_a_sweeper_is_healthy_while_it_rings(settings: Settings, tmp_path: Path) -> None:
    settings.SWEEPER_RANG = tmp_path / "rang"
    with pytest.raises(CommandError, match="not rung yet"):
        call_command("healthy", "sweeper")
    settings.SWEEPER_RANG.touch()
    call_command("healthy", "sweeper")
    long_ago = time.time() - 10 * settings.SWEEP_INTERVAL_S - 60
    os.utime(settings.SWEEPER_RANG, (long_ago, long_ago))
    with pytest.raises(CommandError, match="last rang"):
        call_command("healthy", "sweeper")


def test_a_web_server_that_does_not_answer_is_not_healthy(settings: Settings) -> None:
    settings.PORT = free_port()
    with pytest.raises(CommandError, match="does not answer"):
        call_command("healthy", "web")
