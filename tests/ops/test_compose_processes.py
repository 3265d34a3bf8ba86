"""docker-compose.yml without Docker: its commands, variables and health checks as processes.

They run on the PostgreSQL and Redis of the test run, each test on a database and a key prefix of its own.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import backends
from tests.ml.pictures import brain_png
from tests.ops import names
from tests.ops.running import (
    STARTS_IN_S,
    Running,
    ask,
    clean_environment,
    fresh_database,
    fresh_prefix,
    manage,
    upload,
)
from tests.processes.servers import free_port
from tests.processes.waiting import wait_until

pytestmark = pytest.mark.processes
HOST = "mri.hospital.example"
ADMIN_PASSWORD = "correct horse battery staple"
# What Caddy adds to every request.
PROXIED = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}


class Composed:
    """The services of the file as processes: same words, same variables, other places."""

    def __init__(self, folder: Path, database: str, broker: str, prefix: str) -> None:
        self.folder, self.prefix = folder, prefix
        self.port = free_port()
        self.services: dict[str, Any] = yaml.safe_load((names.ROOT / "docker-compose.yml").read_text())[
            "services"
        ]
        self.chosen = {
            "PORTAL_ALLOWED_HOSTS": HOST,
            "DATABASE_URL": database,
            "BROKER_URL": broker,
            "PORTAL_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "PORTAL_CLINICIAN_PASSWORD": ADMIN_PASSWORD,
            "PORTAL_SWEEP_INTERVAL_S": "1",
        }
        self.secrets = folder / "secrets"
        self.secrets.mkdir()
        (self.secrets / "secret_key").write_text("k" * 96)
        (self.secrets / "database_password").write_text("not needed by a server that trusts this machine")
        (folder / "data").mkdir()
        self.running: list[Running] = []

    def environment(self, service: str) -> dict[str, str]:
        given = {name: self._value(text) for name, text in self.services[service]["environment"].items()}
        places = {
            "PORTAL_DATA_DIR": str(self.folder / "data"),
            "PORTAL_STATIC_ROOT": str(self.folder / "static"),
            "PORTAL_REDIS_PREFIX": self.prefix,
            "PORTAL_PORT": str(self.port),
            "PORTAL_HOST": "127.0.0.1",
        }
        return clean_environment(**given | places)

    def start(self, service: str) -> Running:
        log = self.folder / f"{service}-{len(self.running)}.log"
        self.running.append(Running(self.services[service]["command"], self.environment(service), log))
        return self.running[-1]

    def is_healthy(self, service: str) -> bool:
        _, command, *arguments = self.services[service]["healthcheck"]["test"]
        assert (command, arguments[0]) == ("python", "manage.py")
        return manage(*arguments[1:], environment=self.environment(service)).returncode == 0

    def becomes_healthy(self, service: str) -> None:
        wait_until(lambda: self.is_healthy(service), f"{service} to be healthy", STARTS_IN_S)

    def _value(self, text: str) -> str:
        """As compose would: `${NAME:-default}`, `${NAME:?sentence}`, and secrets as files."""
        resolved = re.sub(
            r"\$\{(\w+):[-?]([^}]*)}", lambda match: self.chosen.get(match[1], match[2]), str(text)
        )
        return resolved.replace("/run/secrets", str(self.secrets))


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    database, broker = backends.CHOSEN["DATABASE_URL"], backends.CHOSEN["BROKER_URL"]
    if not (database.startswith("postgres") and broker.startswith("redis")):
        pytest.skip("docker-compose.yml needs a PostgreSQL and a Redis that answer")
    with fresh_database(database) as own_database, fresh_prefix(broker) as prefix:
        portal = Composed(tmp_path_factory.mktemp("compose"), own_database, broker, prefix)
        collected = manage("collectstatic", "--no-input", environment=portal.environment("web"))
        assert collected.returncode == 0, collected.stderr
        migrate = portal.start("migrate")
        assert migrate.process.wait(timeout=STARTS_IN_S) == 0, migrate.output
        for service in ("web", "worker", "worker", "sweeper"):
            portal.start(service)
        yield portal
        for process in portal.running:
            process.end()


def test_every_service_becomes_healthy_by_its_own_health_check(composed: Composed) -> None:
    for service in ("web", "worker", "sweeper"):
        composed.becomes_healthy(service)


def test_the_portal_is_ready_with_both_of_the_scaled_workers(composed: Composed) -> None:
    def ready() -> bool:
        status, answer = ask(f"http://127.0.0.1:{composed.port}/readyz", headers=PROXIED)
        return status == 200 and "2 ready" in str(answer)

    wait_until(ready, "two workers", STARTS_IN_S)


def test_a_scan_sent_through_the_proxy_is_classified(composed: Composed) -> None:
    issued = manage(
        "issue_token",
        "clinician",
        "--name=t",
        "--scopes=scans:read,scans:write",
        environment=composed.environment("web"),
    )
    headers = {"Authorization": f"Bearer {issued.stdout.strip()}", **PROXIED}
    composed.becomes_healthy("worker")
    status, answer = upload(f"http://127.0.0.1:{composed.port}/api/v1/predict/", brain_png(seed=3), headers)
    assert status == 200, answer
    assert answer["scan"].startswith(f"https://{HOST}/api/v1/scans/")


def test_only_the_users_named_in_the_environment_exist_and_no_password_is_printed(composed: Composed) -> None:
    migrate = composed.running[0]
    assert "First user admin, password as set" in migrate.output
    assert ADMIN_PASSWORD not in migrate.output


def test_migrating_again_changes_nothing(composed: Composed) -> None:
    again = composed.start("migrate")
    assert again.process.wait(timeout=STARTS_IN_S) == 0
    assert again.output == ""


def test_a_request_past_the_proxy_is_sent_to_https_and_a_foreign_host_is_refused(composed: Composed) -> None:
    url = f"http://127.0.0.1:{composed.port}/api/v1/scans/"
    status, _ = ask(url, headers={**PROXIED, "Host": "evil.example"})
    assert status == 400
    status, _ = ask(url, headers={"Host": HOST})
    assert status == 301


def test_a_stopped_worker_ends_well_and_leaves_the_list(composed: Composed) -> None:
    worker = next(process for process in composed.running if process.log.name.startswith("worker"))
    assert worker.stop() == 0
    status, answer = ask(f"http://127.0.0.1:{composed.port}/readyz", headers=PROXIED)
    assert status == 200
    assert "1 ready" in str(answer)
