"""The health check of one container: exit status 0 when its process does its work."""

import http.client
import socket
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from classifier.services.workers import ready_workers


class Command(BaseCommand):
    help = "Say whether this machine's web server, worker or sweeper is healthy."
    requires_system_checks = ()  # a probe runs every half minute

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=PROBES)

    def handle(self, *args: Any, **options: Any) -> None:
        if problem := PROBES[options["what"]]():
            raise CommandError(problem)
        self.stdout.write("healthy")


def _web() -> str:
    connection = http.client.HTTPConnection("localhost", settings.PORT, timeout=5)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"The web server does not answer: {error}"
    return "" if status == http.HTTPStatus.OK else f"The web server answers {status}."


def _worker() -> str:
    """A pool child of this machine that has loaded the model and beats."""
    here = f"{socket.gethostname()}:"
    try:
        alive = any(worker.name.startswith(here) for worker in ready_workers())
    except OperationalError:
        return "The database does not answer."
    return "" if alive else "No worker on this machine has loaded a model and been seen lately."


def _sweeper() -> str:
    """It rings through the broker every interval; see `mri_portal.celery`."""
    try:
        age = time.time() - settings.SWEEPER_RANG.stat().st_mtime
    except FileNotFoundError:
        return "The sweeper has not rung yet."
    return "" if age < 3 * settings.SWEEP_INTERVAL_S + 5 else f"The sweeper last rang {age:.0f} s ago."


PROBES: dict[str, Callable[[], str]] = {"web": _web, "worker": _worker, "sweeper": _sweeper}
