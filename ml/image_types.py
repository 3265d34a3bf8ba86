"""What reading an image gives and how it is refused. Imported through ``ml.images``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml.errors import ImageError

Pixels = NDArray[np.float32]

SMALLEST_SIDE: Final = 32

CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "image_empty": "The file is empty.",
        "image_too_many_bytes": "The file is larger than this system accepts.",
        "image_truncated": "The file is incomplete: it ends before its picture does.",
        "image_unsupported": "The file is not a PNG, JPEG, BMP, TIFF, WebP, DICOM or NIfTI image.",
        "image_unreadable": "The file is damaged or stored in a way that cannot be read.",
        "image_too_large": "The picture has more pixels or frames than this system accepts.",
        "image_animated": "The file is an animation, not a scan.",
        "image_too_small": f"The picture is too small: its short side must have {SMALLEST_SIDE} pixels.",
        "dicom_unreadable": "The DICOM file is damaged or stored in a way that cannot be read.",
        "dicom_without_pixels": "The DICOM file holds no picture.",
        "dicom_wrong_modality": "The DICOM file is not a magnetic resonance image.",
        "dicom_burned_in": (
            "The file says that its picture itself names the patient, which cannot be removed."
        ),
        "nifti_unreadable": "The NIfTI file is damaged or stored in a way that cannot be read.",
        "nifti_unsupported": "The NIfTI file does not hold one volume of grey values.",
        "nifti_4d": "The NIfTI file holds several volumes, not one scan.",
        "zip_unreadable": "The ZIP archive is damaged or incomplete.",
        "zip_unsupported": "The ZIP archive is compressed in a way that cannot be read.",
        "zip_encrypted": "The ZIP archive is protected by a password.",
        "zip_nested": "The ZIP archive holds another archive: pack the images themselves.",
        "zip_bomb": "The ZIP archive unpacks to far more than images would.",
        "zip_too_large": "The ZIP archive unpacks to more bytes than this system accepts.",
        "zip_too_many_files": "The ZIP archive holds more files than this system accepts.",
        "zip_empty": "The ZIP archive holds no image.",
        "folder_empty": "The folder holds no image.",
        "too_many_bytes": "Together the files are larger than this system accepts.",
        "too_many_files": "These are more files than this system accepts.",
    }
)
"""Every code with which an image is refused, and the sentence used where no better one is known."""


def refusal(code: str, detail: str | None = None) -> ImageError:
    return ImageError(detail or CODES[code], code=code)


@dataclass(frozen=True)
class Limits:
    """What images may ask of this machine.

    ``max_bytes`` is for one file, ``max_total_bytes`` for all files that are read together and for
    what an archive unpacks to. ``max_pixels`` counts all frames that are in memory together,
    ``max_frames`` those of one series. An archive may be at most ``max_ratio`` times smaller than
    what it holds.
    """

    max_bytes: int = 64 * 2**20
    max_total_bytes: int = 512 * 2**20
    max_files: int = 2000
    max_ratio: int = 200
    max_pixels: int = 64_000_000
    max_frames: int = 512
    max_side: int = 20_000

    def check(self, width: int, height: int, frames: int = 1) -> None:
        """Refuse a picture of this size; called with what the header says, before any decoding."""
        if min(width, height) > 0 and frames > 0:
            if max(width, height) > self.max_side or frames > self.max_frames:
                raise refusal("image_too_large")
            if width * height * frames > self.max_pixels:
                raise refusal("image_too_large")
            if min(width, height) < SMALLEST_SIDE:
                raise refusal("image_too_small")
            return
        raise refusal("image_unreadable", "The file describes a picture without any pixels.")


@dataclass(frozen=True)
class Facts:
    """What the file says about its picture, with nothing that identifies a patient.

    ``width`` and ``height`` are those of the first slice as displayed, in pixels; ``bits`` is the
    stored depth of one sample; ``mode`` the stored colour form.

    ``spacing_mm`` is the distance between rows and between columns, ``slice_spacing_mm`` that
    between the centres of neighbouring slices. ``plane`` is axial, coronal, sagittal or oblique.
    ``orientation`` names the side of the patient (R, L, A, P, S, I) at the left and at the top edge
    of the displayed slices. ``gaps`` tells that slices are missing or unevenly spaced, ``sheet`` that
    the slices lie side by side in one picture. All of them are None, or False, where the file does not
    say.
    """

    kind: str
    width: int
    height: int
    frames: int
    bits: int
    mode: str
    modality: str | None = None
    sequence: str | None = None
    spacing_mm: tuple[float, float] | None = None
    plane: str | None = None
    slice_spacing_mm: float | None = None
    orientation: tuple[str, str] | None = None
    gaps: bool = False
    sheet: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Image:
    """Slices, each float32 (height, width) in [0, 1], C-contiguous, 1 is brightest.

    In anatomical order where the file tells the positions, in its own order otherwise; those of a
    sheet row by row.
    """

    slices: tuple[Pixels, ...]
    facts: Facts


@dataclass(frozen=True)
class Series:
    """One series of images, possibly from several files.

    ``members`` are the indices of its sources in slice order, each once however many slices it
    gave; ``description`` is the file's own name of the series, free of what identifies a patient.
    ``patient`` does identify one: PatientID and its issuer, where the files name them.
    """

    image: Image
    members: tuple[int, ...]
    description: str | None
    patient: str = ""


@dataclass(frozen=True)
class Member:
    """A file of an archive. ``name`` is a label chosen by a stranger and never a path to write to."""

    name: str
    data: bytes
