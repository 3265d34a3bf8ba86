"""One file to slices: told by its content, decoded by its own reader, refused with a code.

The DICOM and NIfTI libraries are loaded with the first file that needs them.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import PIL.Image

from ml import raster
from ml.errors import ImageError, Interruption
from ml.formats import HEAD, describe, sniff
from ml.image_types import Image, Limits, refusal

Source = bytes | Path | BinaryIO

DEFAULT_LIMITS: Final = Limits()
UNREADABLE: Final = {"dicom": "dicom_unreadable", "nifti": "nifti_unreadable"}

# They quote what they stumble over, which may be a patient's name, into the log. `refusing` alone does not
# keep them from it: filters belong to the process, and threads that decode at once undo each other's.
warnings.filterwarnings("ignore", module="pydicom|nibabel|PIL")


def read(source: Source, limits: Limits = DEFAULT_LIMITS) -> Image:
    """Slices and facts of one image file.

    Raises ImageError with one of ``CODES`` for any content whatever; OSError only where ``source``
    itself cannot be read.
    """
    data = bytes_of(source, limits)
    return decode(data, kind_of(data), limits)


def bytes_of(source: Source, limits: Limits) -> bytes:
    """All of ``source``, which must be neither empty nor larger than one file may be."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            return bytes_of(file, limits)
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


def head_of(source: bytes | Path) -> bytes:
    """What tells the kind."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            return file.read(HEAD)
    return source[:HEAD]


def kind_of(data: bytes) -> str:
    kind = sniff(data[:HEAD])
    if kind is None:
        raise refusal("image_unsupported", describe(data[:HEAD], data))
    return kind


def decode(data: bytes, kind: str, limits: Limits) -> Image:
    with refusing(kind):
        if kind == "dicom":
            from ml import dicom

            return dicom.decode(data, limits)
        if kind == "nifti":
            from ml import nifti

            return nifti.decode(data, limits)
        return raster.decode(data, kind, limits)


@contextmanager
def refusing(kind: str) -> Iterator[None]:
    """Turn whatever a decoder of this kind throws into a refusal.

    The cause is not chained: decoders quote the content of the file, and with it the patient.
    """
    try:
        with warnings.catch_warnings():  # what other libraries find odd in the numbers of a picture
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except (MemoryError, PIL.Image.DecompressionBombError):
        raise refusal("image_too_large") from None
    except EOFError:
        raise refusal("image_truncated") from None
    except Exception as error:
        if isinstance(error, Interruption):
            raise
        cut = "truncated" in str(error)
        refused = refusal("image_truncated" if cut else UNREADABLE.get(kind, "image_unreadable"))
        refused.add_note(f"decoder: {type(error).__name__}")
        raise refused from None


@contextmanager
def blaming(member: int) -> Iterator[None]:
    """Note in a refusal which of several sources is refused."""
    try:
        yield
    except ImageError as error:
        error.member = member
        raise
