"""A spool without room, as Django meets it when a large file arrives."""

import errno
from typing import Any

import pytest
from django.core.files import temp

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


def leave_room(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Each spooled file takes ``size`` bytes and fails from there on, when it is closed, too."""
    make = temp.NamedTemporaryFile

    def spooled(*args: Any, **kwargs: Any) -> Any:
        file = make(*args, **kwargs)
        write, close, full = file.write, file.close, [False]

        def write_what_fits(data: bytes) -> int:
            full[0] = full[0] or file.tell() + len(data) > size
            if full[0]:
                raise NO_SPACE
            return int(write(data))

        def close_what_fits() -> None:
            had_more, full[0] = full[0], False
            close()
            if had_more:
                raise NO_SPACE

        file.write, file.close = write_what_fits, close_what_fits
        return file

    monkeypatch.setattr(temp, "NamedTemporaryFile", spooled)
