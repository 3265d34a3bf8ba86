"""What is sent: real slices where the research images are beside the project, drawn ones otherwise."""

import itertools
import struct
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import PIL.Image

from ml import reference

TESTING = Path(__file__).resolve().parents[2] / "shared" / "data" / "nickparvar" / "Testing"
AT_MOST = 400


class Pictures:
    """JPEG files without end; no two hold the same bytes, so that none is answered from memory."""

    def __init__(self) -> None:
        real = sorted(TESTING.glob("*/*.jpg"))
        self.source = "slices of nickparvar/Testing" if real else "drawn slices"
        self._files = [path.read_bytes() for path in real[:: len(real) // AT_MOST or 1]] or _drawn()
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._lock:
            number = next(self._numbers)
        return _with_comment(self._files[number % len(self._files)], number)


def _with_comment(jpeg: bytes, number: int) -> bytes:
    """The same picture in other bytes: a comment segment after the start-of-image marker."""
    text = str(number).encode()
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + jpeg[2:]


def _drawn() -> list[bytes]:
    return [_jpeg(phase / 10) for phase in range(AT_MOST // 10)]


def _jpeg(phase: float) -> bytes:
    buffer = BytesIO()
    pixels = (reference.picture(512, phase) * 255).astype("uint8")
    PIL.Image.fromarray(pixels).save(buffer, "jpeg", quality=90)
    return buffer.getvalue()
