"""Tumours of single slices as ellipsoids in whole scans, to ask how small one may be and still be found."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy import ndimage

from ml import images, outlines, preprocess
from ml.augment import Random
from ml.datasets import Row
from ml.image_types import Image, Pixels
from ml.preprocess import Geometry

SIDE: Final = 192
"""Points along the square in which donors are kept."""
MIDDLE: Final = (0.2, 0.85)
"""Between which shares of a scan's slices the middle of a tumour lies."""
AIR: Final = 0.07
DEEP: Final = 8
"""Pixels between the outline of a planted tumour and the head's surface, at least."""
TRIES: Final = 50
POINTED: Final = 0.15
"""Of its diameter: a section that is smaller still is left out."""


@dataclass(frozen=True)
class Donor:
    """A slice and its outlined tumour, both (SIDE, SIDE) in [0, 1], and the tumour's class."""

    picture: Pixels
    mask: Pixels
    label: str


@dataclass(frozen=True)
class Planted:
    """A scan with a tumour in the slices from ``first`` to ``last``, and its class."""

    image: Image
    first: int
    last: int
    label: str


@dataclass(frozen=True)
class _Place:
    """Where a tumour goes: pixels of a scan's slice by points of the donor's square."""

    geometry: Geometry
    scale: float
    centre: NDArray[np.float64]

    @property
    def at(self) -> NDArray[np.float64]:
        """(x, y) of the tumour's middle in the slice."""
        corner = np.subtract(self.geometry.box[:2], self.geometry.pad)
        return np.asarray(corner + self.centre * self.geometry.side / SIDE)

    def sources(self, shape: tuple[int, ...], section: float) -> list[NDArray[np.float64]]:
        """Rows and columns of the square for every pixel, of a section this much smaller."""
        y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
        step = self.geometry.side / SIDE * self.scale * section
        column, row = (
            (axis - at) / step + middle for axis, at, middle in zip((x, y), self.at, self.centre, strict=True)
        )
        return [row - 0.5, column - 0.5]


def donor(data: Path, row: Row) -> Donor:
    """Of a slice whose tumour an expert has outlined; ValueError of another one."""
    pixels = images.read(data / row.path).slices[0]
    mask = outlines.outline(data, row, (pixels.shape[0], pixels.shape[1]))
    if mask is None or not mask.any():
        raise ValueError(f"{row.path} has no outlined tumour")
    prepared, geometry = preprocess.prepare_with_geometry(pixels, SIDE)
    left, top = np.subtract(geometry.box[:2], geometry.pad)
    extent = (left, top, left + geometry.side, top + geometry.side)
    square = PIL.Image.fromarray(mask.astype(np.float32)).transform(
        (SIDE, SIDE), PIL.Image.Transform.EXTENT, extent, resample=PIL.Image.Resampling.BILINEAR
    )
    return Donor(prepared[..., 0], np.asarray(square), row.label)


def plant(image: Image, donors: Sequence[Donor], diameter_mm: float, rng: Random) -> Planted | None:
    """``image``, of pixels of a millimetre, with a tumour as thick as it is wide.

    None where no place deep enough in the head is found for any of ``TRIES`` tumours.
    """
    spacing = image.facts.slice_spacing_mm or 1.0
    for _ in range(TRIES):
        one = donors[int(rng.integers(len(donors)))]
        lowest, highest = (int(share * len(image.slices)) for share in MIDDLE)
        middle = int(rng.integers(lowest, highest))
        place = _place(image.slices[middle], one, diameter_mm)
        if _fits(image.slices[middle], one, place):
            return _grown(image, one, place, middle, diameter_mm / 2 / spacing)
    return None


def _place(pixels: Pixels, one: Donor, diameter_mm: float) -> _Place:
    _, geometry = preprocess.prepare_with_geometry(pixels, SIDE)
    inside = np.argwhere(one.mask > 0.5)
    natural = 2 * np.sqrt(len(inside) / np.pi) * geometry.side / SIDE
    return _Place(geometry, diameter_mm / natural, inside.mean(axis=0)[::-1] + 0.5)


def _fits(pixels: Pixels, one: Donor, place: _Place) -> bool:
    head = ndimage.binary_fill_holes(ndimage.gaussian_filter(pixels, 1) > AIR)
    inside = _sampled(one.mask, place, pixels.shape, 1.0) > 0.5
    return bool(inside.any() and ndimage.distance_transform_edt(head)[inside].min() >= DEEP)


def _grown(image: Image, one: Donor, place: _Place, middle: int, half: float) -> Planted:
    """With sections of the tumour in the slices up to ``half`` a diameter, in slices, from the middle."""
    inside = _sampled(one.mask, place, image.slices[middle].shape, 1.0) > 0.5
    shift = _around(image.slices[middle], inside) - _around(one.picture, one.mask > 0.5)
    first, last = max(0, int(np.ceil(middle - half))), min(len(image.slices) - 1, int(middle + half))
    slices = list(image.slices)
    for index in range(first, last + 1):
        section = np.sqrt(max(0.0, 1 - ((index - middle) / half) ** 2))
        if section > POINTED:
            slices[index] = _mixed(slices[index], one, place, section, shift)
    return Planted(replace(image, slices=tuple(slices)), first, last, one.label)


def _mixed(pixels: Pixels, one: Donor, place: _Place, section: float, shift: float) -> Pixels:
    share = np.clip(ndimage.gaussian_filter(_sampled(one.mask, place, pixels.shape, section), 0.7), 0, 1)
    tumour = _sampled(one.picture, place, pixels.shape, section) + shift
    return np.asarray(np.clip((1 - share) * pixels + share * tumour, 0, 1), np.float32)


def _sampled(values: Pixels, place: _Place, shape: tuple[int, ...], section: float) -> NDArray[np.float32]:
    return np.asarray(ndimage.map_coordinates(values, place.sources(shape, section), order=1))


def _around(pixels: Pixels, inside: NDArray[np.bool_]) -> float:
    """How bright it is beside a tumour."""
    return float(pixels[ndimage.binary_dilation(inside, iterations=5) & ~inside].mean())
