"""The only door for images: bytes or files to grey slices and facts, or a refusal with a code.

The content decides what a file is, never its name. Nothing is decoded before its header has been
checked against ``Limits``. Loads neither TensorFlow nor Django.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ml.archives import files_below, unpack
from ml.decoding import DEFAULT_LIMITS, bytes_of, head_of, read
from ml.errors import ImageError
from ml.formats import HEAD, is_archive, sniff
from ml.image_types import CODES, Facts, Image, Limits, Member, Series
from ml.series import grouped, read_groups, read_one, read_series

__all__ = [
    "CODES",
    "HEAD",
    "Facts",
    "Image",
    "ImageError",
    "Limits",
    "Member",
    "Series",
    "grouped",
    "is_archive",
    "read",
    "read_one",
    "read_path",
    "read_series",
    "sniff",
    "to_png",
    "unpack",
    "without_identity",
]


def read_path(path: Path, limits: Limits = DEFAULT_LIMITS) -> Iterator[Series]:
    """The series of a file, a ZIP archive or a folder with all that is below it, one after another.

    What comes along with images and is none is passed over, as ``unpack`` does. ``limits`` on pixels
    hold for the files of each SeriesInstanceUID. Raises ImageError, which names the file at fault,
    after the series that come before it; OSError where one cannot be opened.
    """
    if path.is_dir():
        files = files_below(path, limits)
        yield from read_groups([str(file.relative_to(path)) for file in files], files, limits)
    elif is_archive(head_of(path)):
        members = list(unpack(path, limits))
        data = [member.data for member in members]
        yield from read_groups([member.name for member in members], data, limits)
    else:
        yield from read_series([path], limits)


def without_identity(source: bytes | Path, key: bytes, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """``ml.identity.without_identity`` of a file that ``sniff`` calls dicom."""
    from ml import identity

    return identity.without_identity(bytes_of(source, limits), key, limits)


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
