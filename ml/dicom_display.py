"""Stored DICOM values to what a reading room shows: rescale, window, polarity, palette."""

import math
from typing import Any, Final

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_color_lut

from ml.image_types import Pixels
from ml.intensity import Array, robust_range, sample, to_unit

LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
LEAST_INSIDE: Final = 0.02
LEAST_CONTRAST: Final = 0.05

Slices = tuple[Pixels, ...]
Frames = list[Array]


def grey(header: Dataset, stored: Array) -> Slices:
    """One slice per frame of ``stored`` (frames, rows, columns[, 3]), float32 in [0, 1], 1 brightest.

    The file's own VOI table or first window is used if it shows anything of the picture, otherwise
    8-bit values keep their range and wider ones their robust range, shared by all frames.
    """
    if header.get("PhotometricInterpretation") == "PALETTE COLOR":
        stored = apply_color_lut(stored, header)[..., :3]
    if stored.ndim == 4:
        return _by_range([colour @ LUMA for colour in stored], _full_range(header, stored))
    frames = [_rescaled(header, index, _without_padding(header, one)) for index, one in enumerate(stored)]
    slices = _by_table(header, frames) or _by_window(header, frames)
    slices = slices or _by_range(frames, None if _has_rescale(header) else _full_range(header, stored))
    if header.get("PhotometricInterpretation") == "MONOCHROME1":
        return tuple(np.subtract(1, one, dtype=np.float32) for one in slices)
    return slices


def _full_range(header: Dataset, stored: Array) -> tuple[float, float] | None:
    bits = min(8, int(header.get("BitsStored") or 8))
    return (0.0, 2.0**bits - 1) if stored.dtype == np.uint8 else None


def _by_range(frames: Frames, known: tuple[float, float] | None) -> Slices:
    low, high = known or robust_range(frames)
    return tuple(to_unit(frame, low, high) for frame in frames)


def _without_padding(header: Dataset, frame: Array) -> Array:
    """Padding, a value far outside of the picture's, becomes its darkest value."""
    padding = header.get("PixelPaddingValue")
    if not isinstance(padding, int):
        return frame
    inside = frame != padding
    if inside.all() or not inside.any():
        return frame
    negative = header.get("PhotometricInterpretation") == "MONOCHROME1"
    return np.where(inside, frame, frame[inside].max() if negative else frame[inside].min())


def _has_rescale(header: Dataset) -> bool:
    return "RescaleSlope" in header or bool(header.get("ModalityLUTSequence"))


def _group(header: Dataset, frame: int, sequence: str) -> Dataset:
    """Where an enhanced image keeps the attributes of ``frame``; the data set itself in the others."""
    for groups, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        items = header.get(groups) or []
        if index < len(items) and items[index].get(sequence):
            found: Dataset = items[index][sequence][0]
            return found
    return header


def _rescaled(header: Dataset, index: int, frame: Array) -> Array:
    if header.get("ModalityLUTSequence"):
        return _looked_up(frame, header.ModalityLUTSequence[0], header)
    group = _group(header, index, "PixelValueTransformationSequence")
    slope, intercept = _number(group.get("RescaleSlope")), _number(group.get("RescaleIntercept"))
    values: Array = frame.astype(np.float32 if frame.dtype.itemsize <= 2 else np.float64)
    return values * (slope or 1.0) + (intercept or 0.0)


def _number(value: Any) -> float | None:
    """The first of what may be several numbers; None for anything else, infinity included."""
    try:
        number = float(value[0] if isinstance(value, MultiValue) else value)
    except (IndexError, TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _looked_up(values: Array, table: Dataset, header: Dataset) -> Array:
    first = int(table.LUTDescriptor[1])
    if first > 0x7FFF and header.get("PixelRepresentation") == 1:
        first -= 0x10000  # an unsigned reading of a signed number
    entries = _table_entries(table, header)
    index = np.nan_to_num(np.clip(values.astype(np.float64) - first, 0, len(entries) - 1)).astype(np.intp)
    looked_up: Array = entries[index]
    return looked_up


def _table_entries(table: Dataset, header: Dataset) -> Array:
    data = table.LUTData
    if isinstance(data, bytes):
        little = header.original_encoding[1]
        data = np.frombuffer(data, "<u2" if little else ">u2")
    return np.atleast_1d(np.asarray(data, np.float64))


def _by_table(header: Dataset, frames: Frames) -> Slices | None:
    tables = [_group(header, i, "FrameVOILUTSequence").get("VOILUTSequence") for i in range(len(frames))]
    if not all(tables):
        return None
    shown = []
    for frame, table in zip(frames, tables, strict=True):
        entries = _table_entries(table[0], header)
        shown.append(to_unit(_looked_up(frame, table[0], header), float(entries.min()), float(entries.max())))
    return _if_informative(shown)


def _by_window(header: Dataset, frames: Frames) -> Slices | None:
    shown = []
    for index, frame in enumerate(frames):
        one = _windowed(frame, _group(header, index, "FrameVOILUTSequence"))
        if one is None:
            return None
        shown.append(one)
    return _if_informative(shown)


def _windowed(values: Array, group: Dataset) -> Pixels | None:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3; None where there is no usable window."""
    centre, width = _number(group.get("WindowCenter")), _number(group.get("WindowWidth"))
    function = str(group.get("VOILUTFunction") or "LINEAR").upper()
    if centre is None or width is None or width <= (1 if function == "LINEAR" else 0):
        return None
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    if function == "SIGMOID":
        with np.errstate(over="ignore"):
            return to_unit(1 / (1 + np.exp(-4 * (values - centre) / width)), 0.0, 1.0)
    return to_unit(values, centre - width / 2, centre + width / 2)


def _if_informative(slices: list[Pixels]) -> Slices | None:
    """``slices`` unless nearly all is cut to black or white, or nearly no contrast is left."""
    values = np.concatenate([sample(one) for one in slices])
    low, high = np.percentile(values, (1, 99))
    inside = np.mean((values > 0) & (values < 1))
    return tuple(slices) if inside >= LEAST_INSIDE and high - low >= LEAST_CONTRAST else None
