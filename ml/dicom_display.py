"""Stored DICOM values to what a reading room shows: rescale, window, polarity, palette."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from ml.dicom_groups import group, number
from ml.image_types import Pixels
from ml.intensity import Array, robust_range, sample, sample_share, to_unit

LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
PALETTES: Final = ("Red", "Green", "Blue", "Alpha")
LONGEST_PALETTE: Final = 1 << 16
DISCRETE, LINEAR = 0, 1
"""Kinds of segments. A third repeats others, in MR images nowhere, and may repeat itself without end."""
LEAST_INSIDE: Final = 0.02
LEAST_CONTRAST: Final = 0.05
GROUND, MOST_BURNT_OUT = 0.05, 0.2
"""Of what is brighter than the ground at most this share may be white: beyond that a tumour is lost in it."""

Slices = tuple[Pixels, ...]


@dataclass(frozen=True)
class Frame:
    """A stored frame, ``index`` of its file, and the header that says how it is to be shown."""

    header: Dataset
    index: int
    stored: Array

    def values(self) -> Array:
        """Rescaled and without padding; made anew each time, so that a series fits into memory."""
        return _rescaled(self.header, self.index, _without_padding(self.header, self.stored))

    def group(self, sequence: str) -> Dataset:
        return group(self.header, self.index, sequence)


def grey(parts: Sequence[tuple[Dataset, Array]]) -> Slices:
    """One slice per frame of the files of one series, float32 in [0, 1], 1 brightest.

    Each file's stored values are (frames, rows, columns[, 3]); all have the same colour form. The
    files' own VOI tables or first windows are used if all have them and they show the picture
    without burning much of it out, otherwise 8-bit values keep their range and wider ones their
    robust range, shared by all frames.
    """
    first, stored = parts[0]
    if first.get("PhotometricInterpretation") == "PALETTE COLOR":
        parts = [(header, _coloured(header, values)) for header, values in parts]
        first, stored = parts[0]
    if stored.ndim == 4:
        known = _full_range(first, stored)
        return _by_range([partial(np.matmul, one, LUMA) for _, values in parts for one in values], known)
    frames = [Frame(header, index, one) for header, values in parts for index, one in enumerate(values)]
    negative = first.get("PhotometricInterpretation") == "MONOCHROME1"
    slices = _by_table(frames, negative=negative) or _by_window(frames, negative=negative)
    slices = slices or _by_range([frame.values for frame in frames], _known_range(parts))
    if negative:
        return tuple(np.subtract(1, one, dtype=np.float32) for one in slices)
    return slices


def _coloured(header: Dataset, values: Array) -> Array:
    """The palette of ``header`` may be changed to what pydicom takes it for."""
    little = header.original_encoding[1]
    for colour in PALETTES:
        table, segments = (f"{form}{colour}PaletteColorLookupTableData" for form in ("", "Segmented"))
        if table in header and not little:
            header[table].value = np.frombuffer(header[table].value, np.uint16).byteswap().tobytes()
        if header.get(segments):
            _check_segments(header[segments].value, header)
    return apply_color_lut(values, header)[..., :3]


def _check_segments(stored: bytes, header: Dataset) -> None:
    """pydicom makes a table as long as its segments say, which is up to 65535 entries for every six bytes."""
    bits = int(header.RedPaletteColorLookupTableDescriptor[2])
    order = "<" if header.original_encoding[1] else ">"
    segments = np.frombuffer(stored, "u1" if bits // 8 == 1 else f"{order}u2")
    entries, position = 0, 0
    while position + 1 < len(segments):
        kind, length = int(segments[position]), int(segments[position + 1])
        entries += length
        if kind not in (DISCRETE, LINEAR) or max(entries, position // 2) > LONGEST_PALETTE:
            raise ValueError("no palette")
        position += 2 + (length if kind == DISCRETE else 1)


def _known_range(parts: Sequence[tuple[Dataset, Array]]) -> tuple[float, float] | None:
    """That of 8 bits where all files have them and none is rescaled."""
    ranges = {None if _has_rescale(header) else _full_range(header, stored) for header, stored in parts}
    return ranges.pop() if len(ranges) == 1 else None


def _full_range(header: Dataset, stored: Array) -> tuple[float, float] | None:
    bits = min(8, int(header.get("BitsStored") or 8))
    return (0.0, 2.0**bits - 1) if stored.dtype == np.uint8 else None


def _by_range(frames: Sequence[Callable[[], Array]], known: tuple[float, float] | None) -> Slices:
    most = sample_share(len(frames))
    low, high = known or robust_range([sample(frame(), most) for frame in frames])
    return tuple(to_unit(frame(), low, high) for frame in frames)


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


def _rescaled(header: Dataset, index: int, frame: Array) -> Array:
    if header.get("ModalityLUTSequence"):
        return _looked_up(frame, header.ModalityLUTSequence[0], header)
    rescale = group(header, index, "PixelValueTransformationSequence")
    slope, intercept = number(rescale.get("RescaleSlope")), number(rescale.get("RescaleIntercept"))
    values: Array = frame.astype(np.float32 if frame.dtype.itemsize <= 2 else np.float64)
    return values * (slope or 1.0) + (intercept or 0.0)


def _looked_up(values: Array, table: Dataset, header: Dataset) -> Array:
    first = int(table.LUTDescriptor[1])
    if first > 0x7FFF and header.get("PixelRepresentation") == 1:
        first -= 0x10000  # an unsigned reading of a signed number
    entries = _table_entries(table, header)
    index = np.nan_to_num(np.clip(values.astype(np.float64) - first, 0, len(entries) - 1)).astype(np.intp)
    looked_up: Array = entries[index]
    return looked_up


def _table_entries(table: Dataset, header: Dataset) -> Array:
    """Those of 8 bits may lie in pairs, the first one lowest (PS3.3 C.11.1.1.1)."""
    data = table.LUTData
    if isinstance(data, bytes):
        little = header.original_encoding[1]
        data = np.frombuffer(data, "<u2" if little else ">u2")
    entries = np.atleast_1d(np.asarray(data))
    announced, bits = (int(table.LUTDescriptor[0]) & 0xFFFF) or 1 << 16, table.LUTDescriptor[2]
    if bits == 8 and len(entries) == (announced + 1) // 2:
        entries = entries.astype("<u2").view(np.uint8)[:announced]
    return entries.astype(np.float64)


def _by_table(frames: Sequence[Frame], *, negative: bool) -> Slices | None:
    tables = [frame.group("FrameVOILUTSequence").get("VOILUTSequence") for frame in frames]
    if not all(tables):
        return None
    shown = []
    for frame, table in zip(frames, tables, strict=True):
        entries = _table_entries(table[0], frame.header)
        looked_up = _looked_up(frame.values(), table[0], frame.header)
        shown.append(to_unit(looked_up, float(entries.min()), float(entries.max())))
    return _if_informative(shown, negative=negative)


def _by_window(frames: Sequence[Frame], *, negative: bool) -> Slices | None:
    shown = []
    for frame in frames:
        one = _windowed(frame, frame.group("FrameVOILUTSequence"))
        if one is None:
            return None
        shown.append(one)
    return _if_informative(shown, negative=negative)


def _windowed(frame: Frame, window: Dataset) -> Pixels | None:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3; None where there is no usable window."""
    centre, width = number(window.get("WindowCenter")), number(window.get("WindowWidth"))
    function = str(window.get("VOILUTFunction") or "LINEAR").upper()
    if centre is None or width is None or width <= (1 if function == "LINEAR" else 0):
        return None
    values = frame.values()
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    if function == "SIGMOID":
        with np.errstate(over="ignore"):
            return to_unit(1 / (1 + np.exp(-4 * (values - centre) / width)), 0.0, 1.0)
    return to_unit(values, centre - width / 2, centre + width / 2)


def _if_informative(slices: list[Pixels], *, negative: bool) -> Slices | None:
    """``slices`` unless nearly no contrast is left, or too much is cut to black or white.

    ``negative``: they have yet to be turned, and 0 is white.
    """
    most = sample_share(len(slices))
    values = np.concatenate([sample(one, most) for one in slices])
    values = 1 - values if negative else values
    low, high = np.percentile(values, (1, 99))
    inside = np.mean((values > 0) & (values < 1))
    burnt_out = np.mean(values >= 1) > MOST_BURNT_OUT * np.mean(values > GROUND)
    told = inside >= LEAST_INSIDE and high - low >= LEAST_CONTRAST and not burnt_out
    return tuple(slices) if told else None
