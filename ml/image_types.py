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
        "image_unsupported": "The file is not a PNG, JPEG, BMP, TIFF, WebP or DICOM image.",
        "image_unreadable": "The file is damaged or stored in a way that cannot be read.",
        "image_too_large": "The picture has more pixels or frames than this system accepts.",
        "image_animated": "The file is an animation, not a scan.",
        "image_too_small": f"The picture is too small: its short side must have {SMALLEST_SIDE} pixels.",
        "dicom_unreadable": "The DICOM file is damaged or stored in a way that cannot be read.",
        "dicom_without_pixels": "The DICOM file holds no picture.",
        "dicom_wrong_modality": "The DICOM file is not a magnetic resonance image.",
    }
)
"""Every code with which an image is refused, and the sentence used where no better one is known."""


def refusal(code: str, detail: str | None = None) -> ImageError:
    return ImageError(detail or CODES[code], code=code)


@dataclass(frozen=True)
class Limits:
    """What one file may ask of this machine. ``max_pixels`` counts all frames together."""

    max_bytes: int = 64 * 2**20
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
    stored depth of one sample; ``mode`` the stored colour form; ``spacing_mm`` (row, column).
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

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Image:
    """Slices in file order, each float32 (height, width) in [0, 1], C-contiguous, 1 is brightest."""

    slices: tuple[Pixels, ...]
    facts: Facts
