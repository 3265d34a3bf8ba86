"""From a slice of any size to the network's input: one function for training, evaluation and serving.

The head is cropped, laid on a square without being squashed, resampled and its intensities set to
a common range, so that framing, resolution and brightness of the source tell the network nothing.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ml.framing import Box, head_box, is_part
from ml.image_types import Pixels
from ml.intensity import sample, to_unit

VERSION: Final = "3"
"""Changes whenever ``prepare`` would give other values; a bundle records the one it was trained with."""

DARK, BRIGHT = 0.5, 99.5
AROUND_PART: Final = 0.5
"""Of its size so much background is laid around a part of a head: about what else of it there would be."""


@dataclass(frozen=True)
class Geometry:
    """Where the network's square lies in the source picture.

    ``box`` is the cropped (left, top, right, bottom) in source pixels, right and bottom excluded;
    ``pad`` the (left, top) background added to make it a square of ``side``. Points are continuous:
    (0, 0) is the outer corner of the first pixel, the centre of pixel i is i + 0.5.
    """

    box: Box
    pad: tuple[int, int]
    side: int
    size: int

    @property
    def scale(self) -> float:
        """Network pixels per source pixel."""
        return self.size / self.side

    def to_source(self, x: float, y: float) -> tuple[float, float]:
        return self.box[0] - self.pad[0] + x / self.scale, self.box[1] - self.pad[1] + y / self.scale

    def to_network(self, x: float, y: float) -> tuple[float, float]:
        return (x - self.box[0] + self.pad[0]) * self.scale, (y - self.box[1] + self.pad[1]) * self.scale


def prepare(pixels: NDArray[Any], size: int) -> Pixels:
    """(height, width) grey values to float32 (size, size, 1) in [0, 1].

    Meant for values in [0, 1] but defined for every shape, range and type; values that are not
    finite count as background.
    """
    return prepare_with_geometry(pixels, size)[0]


def prepare_with_geometry(pixels: NDArray[Any], size: int) -> tuple[Pixels, Geometry]:
    """``prepare`` and the geometry that leads from its result back to ``pixels``."""
    values = _finite(pixels)
    box = head_box(values)
    crop = values[box[1] : box[3], box[0] : box[2]]
    geometry = _geometry(box, size, is_part=is_part(crop))
    return _laid_out(crop, geometry, _intensity_range(crop)), geometry


def prepare_part(pixels: NDArray[Any], whole: Geometry, part: Geometry) -> Pixels:
    """What lies in ``part`` of a picture whose head is ``whole``, in the head's range of intensities."""
    values = _finite(pixels)
    head, crop = (values[top:bottom, left:right] for left, top, right, bottom in (whole.box, part.box))
    return _laid_out(crop, part, _intensity_range(head))


def _laid_out(crop: Pixels, geometry: Geometry, grey: tuple[float, float]) -> Pixels:
    """On its square, resampled, its grey values from the first of ``grey`` to the second set to [0, 1]."""
    square = np.full((geometry.side, geometry.side), grey[0], np.float32)
    left, top = geometry.pad
    square[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    resized = PIL.Image.fromarray(square).resize((geometry.size,) * 2, PIL.Image.Resampling.BICUBIC)
    return to_unit(np.asarray(resized), *grey)[..., np.newaxis]


def _finite(pixels: NDArray[Any]) -> Pixels:
    """Values in [0, 1] as they are, any other range stretched to it; at least one pixel."""
    if pixels.ndim != 2:
        raise ValueError(f"expected (height, width), got {pixels.shape}")
    values = np.asarray(pixels, np.float64) if pixels.dtype != np.float32 else pixels
    if values.size == 0:
        return np.zeros((1, 1), np.float32)
    low, high = float(values.min()), float(values.max())
    if low >= 0.0 and high <= 1.0:
        return values.astype(np.float32, copy=False)
    finite = values[np.isfinite(values)]
    return (
        to_unit(values, float(finite.min()), float(finite.max()))
        if finite.size
        else np.zeros(values.shape, np.float32)
    )


def _geometry(box: Box, size: int, *, is_part: bool) -> Geometry:
    width, height = box[2] - box[0], box[3] - box[1]
    side = max(width, height, 1)
    if is_part:
        side += round(AROUND_PART * side)
    return Geometry(box, ((side - width) // 2, (side - height) // 2), side, size)


def _intensity_range(crop: Pixels) -> tuple[float, float]:
    values = sample(crop)
    low, high = np.percentile(values, (DARK, BRIGHT))
    return (float(low), float(high)) if high > low else (float(values.min()), float(values.max()))
