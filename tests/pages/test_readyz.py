"""`/healthz` and `/readyz`: for a probe that knows neither host nor password."""

import socket
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from classifier.models import WorkerHeartbeat
from classifier.services import workers


@pytest.fixture
def ready_worker(db: None) -> WorkerHeartbeat:
    now = timezone.now()
    return WorkerHeartbeat.objects.create(
        name="w:1", model_version="test-1", load_seconds=1, rss_bytes=1, loaded_at=now, seen_at=now
    )


def ask(client: Client, **headers: str) -> tuple[int, dict[str, Any]]:
    response = client.get("/readyz", headers=headers)
    return response.status_code, response.json()


def test_with_every_part_there_it_is_ready_and_names_each(
    client: Client, ready_worker: WorkerHeartbeat
) -> None:
    status, body = ask(client)
    assert (status, body["status"]) == (200, "ready")
    parts = {name: part["ok"] for name, part in body.items() if name != "status"}
    assert parts == {"database": True, "broker": True, "worker": True, "disk": True}
    assert body["worker"]["detail"] == "1 ready with model test-1."


def test_without_a_worker_that_has_loaded_the_model_it_is_not_ready(client: Client, db: None) -> None:
    status, body = ask(client)
    assert (status, body["worker"]) == (503, {"ok": False, "detail": "No worker has loaded the model."})


def test_a_worker_not_seen_lately_does_not_count(client: Client, ready_worker: WorkerHeartbeat) -> None:
    WorkerHeartbeat.objects.update(seen_at=timezone.now() - 2 * WorkerHeartbeat.ALIVE_FOR)
    assert ask(client)[0] == 503


def test_a_worker_that_cannot_load_the_model_any_more_takes_itself_off_the_list(
    client: Client, ready_worker: WorkerHeartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_name", lambda: ready_worker.name)
    monkeypatch.setattr(workers, "prepare_model", lambda: None)
    monkeypatch.setattr(workers.connection, "close", lambda: None)
    workers._beat()
    assert ask(client)[0] == 503


def test_a_database_that_is_away_is_named_without_its_address(
    client: Client, ready_worker: WorkerHeartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        def cursor(self) -> None:
            raise OperationalError("connection to postgresql://secret@10.0.0.1 refused")

    monkeypatch.setattr("classifier.services.readiness.connection", Away())
    status, body = ask(client)
    assert (status, body["database"]["ok"], body["worker"]["ok"]) == (503, False, False)
    assert "secret" not in str(body)
    assert "10.0.0.1" not in str(body)


def test_a_broker_that_is_away_is_named_quickly(
    client: Client, ready_worker: WorkerHeartbeat, settings: Settings
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        settings.BROKER_URL = f"redis://:secret@127.0.0.1:{silent.getsockname()[1]}/0"
        status, body = ask(client)
    assert (status, body["broker"]["ok"], body["database"]["ok"]) == (503, False, True)
    assert "secret" not in str(body)


def test_a_queue_folder_that_is_away_is_named(
    client: Client, ready_worker: WorkerHeartbeat, settings: Settings
) -> None:
    settings.BROKER_URL = "filesystem://"
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_out": "/nowhere/at/all"}
    assert ask(client)[1]["broker"] == {"ok": False, "detail": "The queue folder is not writable."}


def test_a_disk_without_room_for_another_file_is_named(
    client: Client, ready_worker: WorkerHeartbeat, settings: Settings
) -> None:
    settings.MAX_UPLOAD_BYTES = 2**60
    status, body = ask(client)
    assert (status, body["disk"]["ok"]) == (503, False)
    assert body["disk"]["detail"].endswith(" MB are left.")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_needs_no_host_no_https_and_no_session(
    path: str, client: Client, ready_worker: WorkerHeartbeat, settings: Settings
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    response = client.get(path, headers={"Host": "10.1.2.3"})
    assert response.status_code == 200
    assert not response.cookies


def test_being_alive_needs_no_database(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
