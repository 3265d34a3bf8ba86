"""The queues' own code: several readers and a writer at once lose and double nothing."""

import multiprocessing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kombu import Connection
from kombu.transport import virtual

from mri_portal import redis_doorbell

MESSAGES = 400
END = -1


def _connection(folder: Path) -> Connection:
    return Connection(
        "filesystem://",
        transport="mri_portal.doorbell:Transport",
        transport_options={
            "data_folder_in": str(folder),
            "data_folder_out": str(folder),
            "control_folder": str(folder / "control"),
        },
    )


def _read(folder: Path, received: Any) -> None:
    with _connection(folder) as connection:
        queue = connection.SimpleQueue("portal", no_ack=True)
        while True:
            try:
                number = queue.get(block=False).payload
            except queue.Empty:
                continue
            if number == END:
                return
            received.put(number)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "control").mkdir()
    return tmp_path


def test_every_message_reaches_exactly_one_of_several_readers(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    received = context.Queue()
    readers = [context.Process(target=_read, args=(folder, received)) for _ in range(2)]
    for reader in readers:
        reader.start()
    with _connection(folder) as connection:
        queue = connection.SimpleQueue("portal")
        for number in (*range(MESSAGES), END, END):
            queue.put(number)
    numbers = sorted(received.get(timeout=60) for _ in range(MESSAGES))
    for reader in readers:
        reader.join(timeout=60)
    assert numbers == list(range(MESSAGES))
    assert [reader.exitcode for reader in readers] == [0, 0]
    assert received.empty()


def test_messages_arrive_in_the_order_they_were_sent_and_leave_no_file(folder: Path) -> None:
    with _connection(folder) as connection:
        # Of another name than above: kombu remembers, for the whole process, which queues it has made.
        queue = connection.SimpleQueue("ordered", no_ack=True)
        for number in range(5):
            queue.put(number)
        assert [queue.get(block=False).payload for _ in range(5)] == list(range(5))
    assert [path for path in folder.iterdir() if path.is_file()] == []


def test_a_message_that_a_power_cut_left_empty_is_passed_over(folder: Path) -> None:
    with _connection(folder) as connection:
        _ring(connection, 0)
        _ring(connection, 1)
        min(folder.glob("*.msg")).write_text("")
        assert _message(connection) == 1
    assert [path for path in folder.iterdir() if path.is_file()] == []


def test_a_folder_that_is_away_holds_no_message_and_works_again_when_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "messages"
    (folder / "control").mkdir(parents=True)
    with _connection(folder) as connection:
        _ring(connection, 1)
        folder.rename(tmp_path / "away")
        assert _message(connection) is None
        (tmp_path / "away").rename(folder)
        assert _message(connection) == 1


def test_a_message_that_redis_does_not_let_us_acknowledge_gives_its_place_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def frozen(self: Any, delivery_tag: str) -> None:
        raise ConnectionError("timed out")

    monkeypatch.setattr("kombu.transport.redis.QoS.ack", frozen)
    places = redis_doorbell.QoS(SimpleNamespace(do_restore=False), prefetch_count=1)
    virtual.QoS.append(places, object(), "tag")
    assert not places.can_consume()
    with pytest.raises(ConnectionError):
        places.ack("tag")
    assert places.can_consume()


def _ring(connection: Connection, number: int) -> None:
    """As Celery publishes: to the queue itself, past the exchanges."""
    connection.Producer().publish(number, exchange="", routing_key="portal")


def _message(connection: Connection) -> Any:
    """What a worker would be given now."""
    message: Any = connection.channel().basic_get("portal", no_ack=True)
    return message and message.decode()
