"""The only door for images: bytes or files to grey slices and facts, or a refusal with a code.

The content decides what a file is, never its name. Nothing is decoded before its header has been
checked against ``Limits``. Loads neither TensorFlow nor Django.
"""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ml.decoding import DEFAULT_LIMITS, Source, bytes_of, read
from ml.errors import ImageError
from ml.formats import HEAD, is_archive, sniff
from ml.image_types import CODES, Facts, Image, Limits, Member, Series

__all__ = [
    "CODES",
    "HEAD",
    "Facts",
    "Image",
    "ImageError",
    "Limits",
    "Member",
    "Series",
    "is_archive",
    "read",
    "read_path",
    "read_series",
    "sniff",
    "to_png",
    "unpack",
]


def read_series(sources: Sequence[Source], limits: Limits = DEFAULT_LIMITS) -> list[Series]:
    """The series that ``sources`` form, each with its slices in anatomical order.

    Raises ImageError as ``read`` does, with ``member`` set; OSError where a source cannot be read.
    """
    series = []
    for index, source in enumerate(sources):
        image = read(source, limits)
        series.append(Series(image, (index,), image.facts.sequence))
    return series


def unpack(source: Source, limits: Limits = DEFAULT_LIMITS) -> Iterator[Member]:
    """The files of a ZIP archive that may be images, one at a time."""
    with zipfile.ZipFile(io.BytesIO(bytes_of(source, limits))) as archive:
        for info in archive.infolist():
            yield Member(info.filename, archive.read(info))


def read_path(path: Path, limits: Limits = DEFAULT_LIMITS) -> list[Series]:
    """The series of a file, a ZIP archive or a folder with all that is below it."""
    if path.is_dir():
        return read_series(sorted(one for one in path.rglob("*") if one.is_file()), limits)
    return read_series([path], limits)


def to_png(pixels: NDArray[np.floating], max_side: int | None = None) -> bytes:
    """An 8-bit grey PNG without metadata of (height, width) values in [0, 1], for browsers.

    ``max_side`` shrinks the long side to at most that many pixels and never enlarges.
    """
    grey = np.rint(np.clip(np.nan_to_num(pixels, nan=0.0), 0.0, 1.0) * 255).astype(np.uint8)
    picture = PIL.Image.fromarray(grey)
    if max_side is not None:
        picture.thumbnail((max_side, max_side), PIL.Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
