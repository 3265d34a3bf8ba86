"""The only door for images: bytes or files to grey slices and facts, or a refusal with a code.

The content decides what a file is, never its name. Nothing is decoded before its header has been
checked against ``Limits``. Loads neither TensorFlow nor Django.
"""

import io
import logging
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ml import dicom, raster
from ml.errors import ImageError
from ml.formats import HEAD, describe, sniff
from ml.image_types import CODES, Facts, Image, Limits, Member, Series, refusal

__all__ = [
    "CODES",
    "HEAD",
    "Facts",
    "Image",
    "ImageError",
    "Limits",
    "Member",
    "Series",
    "read",
    "read_path",
    "read_series",
    "sniff",
    "to_png",
    "unpack",
]

# Both libraries quote what they stumble over, which may be a patient's name, into the log.
for library in ("pydicom", "PIL"):
    logging.getLogger(library).setLevel(logging.CRITICAL)

DEFAULT_LIMITS: Final = Limits()


def read(source: bytes | Path | BinaryIO, limits: Limits = DEFAULT_LIMITS) -> Image:
    """Slices and facts of one image file.

    Raises ImageError with one of ``CODES`` for any content whatever; OSError only where ``source``
    itself cannot be read.
    """
    data = _bytes_of(source, limits)
    kind = sniff(data[:HEAD])
    if kind is None:
        raise refusal("image_unsupported", describe(data[:HEAD], data))
    with _refusing("dicom_unreadable" if kind == "dicom" else "image_unreadable"):
        return dicom.decode(data, limits) if kind == "dicom" else raster.decode(data, kind, limits)


def read_series(
    sources: Sequence[bytes | Path | BinaryIO], limits: Limits = DEFAULT_LIMITS
) -> list[Series]:
    """The series that ``sources`` form, each with its slices in anatomical order.

    Raises ImageError as ``read`` does, with ``member`` set; OSError where a source cannot be read.
    """
    series = []
    for index, source in enumerate(sources):
        image = read(source, limits)
        series.append(Series(image, (index,) * len(image.slices), image.facts.sequence))
    return series


def unpack(source: bytes | Path | BinaryIO, limits: Limits = DEFAULT_LIMITS) -> Iterator[Member]:
    """The files of a ZIP archive that may be images, one at a time."""
    with zipfile.ZipFile(io.BytesIO(_bytes_of(source, limits))) as archive:
        for info in archive.infolist():
            yield Member(info.filename, archive.read(info))


def read_path(path: Path, limits: Limits = DEFAULT_LIMITS) -> list[Series]:
    """The series of a file, a ZIP archive or a folder with all that is below it."""
    if path.is_dir():
        return read_series(sorted(one for one in path.rglob("*") if one.is_file()), limits)
    return read_series([path], limits)


def _bytes_of(source: bytes | Path | BinaryIO, limits: Limits) -> bytes:
    if isinstance(source, Path):
        with source.open("rb") as file:
            return _bytes_of(file, limits)
    data = (
        bytes(source)
        if isinstance(source, bytes | bytearray | memoryview)
        else source.read(limits.max_bytes + 1)
    )
    if not data:
        raise refusal("image_empty")
    if len(data) > limits.max_bytes:
        raise refusal("image_too_many_bytes", _too_many_bytes(limits))
    return data


def _too_many_bytes(limits: Limits) -> str:
    return f"The file is larger than the {limits.max_bytes / 2**20:g} MB that this system accepts."


@contextmanager
def _refusing(code: str) -> Iterator[None]:
    """Turn whatever a decoder throws into a refusal.

    The cause is not chained: decoders quote the content of the file, and with it the patient.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except (MemoryError, PIL.Image.DecompressionBombError):
        raise refusal("image_too_large") from None
    except EOFError:
        raise refusal("image_truncated") from None
    except Exception as error:
        cut = "truncated" in str(error)
        refused = refusal("image_truncated" if cut else code)
        refused.add_note(f"decoder: {type(error).__name__}")
        raise refused from None


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
