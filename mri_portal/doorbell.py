"""The embedded portal's queue: Celery's files in a folder, where a message appears whole or not at all.

kombu's own channel opens a message's file and then writes it. A worker that polls in between takes an
empty file, and the message is lost; one in a hundred, with a few workers on a busy machine. It also
moves messages through the machine's shared temporary folder; here they never leave the queue's own.
"""

import contextlib
import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads


class Channel(filesystem.Channel):
    # kombu's own two base classes name the second argument differently.
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        name = f"{time.time_ns()}_{uuid.uuid4()}.{queue}.msg"
        written = folder / f".{name}"
        written.write_text(dumps(payload), encoding="utf-8")
        written.rename(folder / name)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        for name in _names(folder):
            if name.partition(".")[2] == f"{queue}.msg" and (message := _take(folder / name)) is not None:
                return message
        raise Empty


class Transport(filesystem.Transport):
    """Works inside Celery's event loop, as the Redis transport does.

    Otherwise Celery takes its other pool, whose children share locks: a child killed while it holds
    one stops the worker for good.
    """

    Channel = Channel
    implements = filesystem.Transport.implements.extend(asynchronous=True)

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Look for a message on each turn of the loop, so also right after a child has ended its task."""
        loop.on_tick.add(self._look)
        loop.call_repeatedly(self.polling_interval, _turn)

    def _look(self) -> None:
        with contextlib.suppress(Empty):
            self.cycle.get(self._deliver)  # type: ignore[union-attr]


def _turn() -> None:
    """Nothing to do: being due is what turns the loop."""


def _names(folder: Path) -> list[str]:
    """Oldest first; none while the folder is away, as on a disk that is mounted anew: it is polled again."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - a backlog of names sorts faster than one of paths
    except OSError:
        return []


def _take(path: Path) -> Any:
    """The message, for the one reader whose rename wins; None for the others.

    None too for a file that a power cut left empty: the sweeper rings again.
    """
    taken = path.with_suffix(".taken")
    try:
        path.rename(taken)
        message = loads(taken.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        message = None
    taken.unlink(missing_ok=True)
    return message
