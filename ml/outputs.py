"""Results on disk: whole or not at all."""

import csv
import errno
import io
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ml.errors import MlError


class OutputError(MlError):
    """A result cannot be written where it was wanted."""

    code = "output_unwritable"


def write(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``, replacing what is there. OutputError output_unwritable or disk_full."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise _unwritable(path, error) from None


def write_json(path: Path, value: dict[str, Any]) -> None:
    write(path, json.dumps(value, indent=1) + "\n")


def csv_text(records: Iterable[Sequence[object]]) -> str:
    """Records as lines of a table, the first one naming the columns."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(records)
    return text.getvalue()


def _unwritable(path: Path, error: OSError) -> OutputError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"The disk that holds {path} is full.", code="disk_full")
    return OutputError(f"{path} cannot be written: {error.strerror}.")
