"""Single-file DICOM images to grey slices, as a reading room would show them."""

import io
import math
from typing import Any, Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array

from ml.formats import HEAD, starts_like_a_data_set
from ml.image_types import Facts, Image, Limits, refusal
from ml.intensity import Array, robust_range, to_unit

ACCEPTED_MODALITIES: Final = frozenset({"", "MR", "OT", "SC"})
PIXEL_KEYWORDS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
MODALITY_NAMES: Final = {
    "CT": "computed tomography",
    "CR": "a radiograph",
    "DX": "a radiograph",
    "MG": "a mammogram",
    "NM": "nuclear medicine",
    "PT": "positron emission tomography",
    "RF": "fluoroscopy",
    "US": "ultrasound",
    "XA": "angiography",
}
LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
SEQUENCE_KEYWORDS: Final = ("SeriesDescription", "ProtocolName", "SequenceName", "ScanningSequence")


def decode(data: bytes, limits: Limits) -> Image:
    """Slices of ``data``: rescaled, windowed, MONOCHROME1 turned so that 1 is brightest.

    Raises ImageError for what can be foreseen and anything at all for the rest.
    """
    header = _read(data, limits)
    _check_kind(header)
    frames, height, width = _declared_size(header)
    limits.check(width, height, frames)
    stored = _stored_values(header)
    stored = stored if frames > 1 else stored[np.newaxis]
    slices = _grey(header, stored)
    facts = Facts(
        "dicom",
        width,
        height,
        len(slices),
        int(header.get("BitsStored") or header.BitsAllocated),
        str(header.PhotometricInterpretation),
        modality=_text(header.get("Modality")),
        sequence=_sequence(header),
        spacing_mm=_spacing(header),
    )
    return Image(slices, facts)


def _read(data: bytes, limits: Limits) -> FileDataset:
    bare = data[128:132] != b"DICM"
    if bare and not starts_like_a_data_set(data[:HEAD]):
        raise refusal("dicom_unreadable")
    return pydicom.dcmread(io.BytesIO(data), force=bare)


def _check_kind(header: Dataset) -> None:
    modality = str(header.get("Modality") or "").strip().upper()
    if not any(keyword in header for keyword in PIXEL_KEYWORDS):
        raise refusal("image_truncated" if "Rows" in header else "dicom_without_pixels")
    if modality not in ACCEPTED_MODALITIES:
        named = MODALITY_NAMES.get(modality, f"of the type {modality[:16]!r}")
        raise refusal("dicom_wrong_modality", f"This DICOM image is {named}, not magnetic resonance.")


def _declared_size(header: Dataset) -> tuple[int, int, int]:
    return int(header.get("NumberOfFrames") or 1), int(header.Rows), int(header.Columns)


def _stored_values(header: FileDataset) -> Array:
    return pixel_array(header)


def _grey(header: Dataset, stored: Array) -> tuple[NDArray[np.float32], ...]:
    if str(header.PhotometricInterpretation) == "PALETTE COLOR":
        stored = apply_color_lut(stored, header)
    if stored.ndim == 4:
        stored = stored[..., :3].astype(np.float32) @ LUMA
        return _scaled(header, stored, 255.0 if header.BitsAllocated == 8 else None)
    slices = _scaled(header, stored, None)
    if str(header.PhotometricInterpretation) == "MONOCHROME1":
        return tuple(np.float32(1) - one for one in slices)
    return slices


def _scaled(header: Dataset, stored: Array, full: float | None) -> tuple[NDArray[np.float32], ...]:
    if full is not None:
        return tuple(to_unit(one, 0.0, full) for one in stored)
    values = apply_modality_lut(stored, header).astype(np.float64)
    window = _window(header)
    if window is None:
        window = robust_range(list(values))
    return tuple(to_unit(one, *window) for one in values)


def _window(header: Dataset) -> tuple[float, float] | None:
    return None


def _text(value: Any) -> str | None:
    cleaned = "".join(c for c in str(value or "") if c.isprintable()).strip()[:64]
    return cleaned or None


def _sequence(header: Dataset) -> str | None:
    return next((text for word in SEQUENCE_KEYWORDS if (text := _text(header.get(word)))), None)


def _spacing(header: Dataset) -> tuple[float, float] | None:
    try:
        row, column = (float(value) for value in header.PixelSpacing)
    except (AttributeError, TypeError, ValueError):
        return None
    return (row, column) if row > 0 and column > 0 and math.isfinite(row + column) else None
