"""`make run`: the whole portal on one machine, under one parent."""

import http.client
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.db import connections

from mri_portal import environment as env
from mri_portal import static_files, supervisor


class Command(BaseCommand):
    help = "Prepare and run web server, workers and sweeper until Ctrl-C or SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)
        try:
            with supervisor.only_one(settings.DATA_DIR):
                supervisor.check_port(settings.HOST, settings.PORT)
                self._prepare()
                self._supervise()
        except supervisor.Refusal as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt as error:
            raise CommandError("Stopped before it had started.", returncode=130) from error

    def _prepare(self) -> None:
        static_files.collect_changed()
        call_command("bootstrap", stdout=self.stdout)
        connections.close_all()

    def _supervise(self) -> None:
        supervisor.Supervisor(
            _commands(),
            folder=settings.BASE_DIR,
            environment=_environment(),
            patience_s=settings.HARD_TIME_LIMIT_S + 5,
            is_ready=_is_ready,
            when_ready=self._announce,
        ).run()

    def _announce(self) -> None:
        self.stdout.write(f"The portal is ready: http://{_authority()}/")
        self.stdout.write("Research use only, not a medical device. Ctrl-C stops it.")
        self.stdout.flush()


def _commands() -> dict[str, tuple[str, ...]]:
    workers = {
        f"worker {number}": (*supervisor.WORKER, f"--hostname=worker{number}@%h")
        for number in range(1, settings.WORKERS + 1)
    }
    return {"web": supervisor.WEB, **workers, "sweeper": supervisor.SWEEPER}


def _environment() -> dict[str, str]:
    """The parent's, with this interpreter's commands first and a private folder for temporary files."""
    temporary = settings.DATA_DIR / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    env.private_folder("PORTAL_DATA_DIR", temporary)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return os.environ | {"PATH": path, "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}


def _authority() -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.HOST, settings.HOST)  # noqa: S104
    return f"[{host}]:{settings.PORT}" if ":" in host else f"{host}:{settings.PORT}"


def _is_ready() -> bool:
    connection = http.client.HTTPConnection(_authority(), timeout=2)
    # As the proxy would ask: production redirects plain HTTP and refuses hosts it does not know.
    headers = {"Host": settings.ALLOWED_HOSTS[0], "X-Forwarded-Proto": "https"}
    try:
        connection.request("GET", "/readyz", headers=headers)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
