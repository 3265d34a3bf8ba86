"""A picture that shows several slices side by side, as films, figures and viewers do: one by one.

The network judges one head at a time: a tumour in another slice of the sheet would not be seen. A sheet
is cut along lines of one grey from edge to edge, again and again, as pages of print are (recursive X-Y
cut, Nagy and Seth, ICPR 1984), and is one only where at least two parts look like slices of its kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ml.image_types import SMALLEST_SIDE, Image, Pixels
from ml.intensity import ABOVE_GROUND

if TYPE_CHECKING:
    from ml.framing import Region

POINTS: Final = 96
"""Of every line so many pixels are looked at."""
EVEN: Final = 0.06
"""The grey values of a line are within so much of each other, ..."""
ALONG: Final = 0.97
"""... but for noise and writing in the rest of it."""
NARROWEST: Final = 1 / 24
"""What is narrower, of what is cut, is writing, a scale or noise; so there are no thousands of parts."""
FILLED: Final = 0.4
"""A head fills more of its box than this."""
SLIM: Final = 0.55
"""Neither a head nor its place is slimmer."""
ALIKE: Final = 0.4
"""The smallest head of a sheet, of the height and width of the largest."""
LEAST_PLACE: Final = 0.45
"""The smallest place for a slice, of the height and width of a usual one."""
MOST_PIXELS: Final = 4
"""Slices in one size have at most so many times the pixels of their sheet."""
PAPER: Final = 0.9

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Place:
    """A part of a sheet, and the height and width of the largest bright thing there, in pixels."""

    region: Region
    content: tuple[float, float]
    is_head: bool

    @property
    def sides(self) -> tuple[int, int]:
        rows, columns = self.region
        return rows.stop - rows.start, columns.stop - columns.start


def opened(image: Image) -> Image:
    """The slices of a single picture that is a sheet, row by row and in one size; else the image as it is."""
    if len(image.slices) != 1:
        return image
    [picture] = image.slices
    parts = [picture[place] for place in find(picture)]
    height, width = (max((part.shape[axis] for part in parts), default=0) for axis in (0, 1))
    if len(parts) < 2 or len(parts) * height * width > MOST_PIXELS * picture.size:
        return image
    slices = tuple(_in_middle(part, height, width) for part in parts)
    return Image(slices, replace(image.facts, width=width, height=height, frames=len(slices), sheet=True))


def _in_middle(part: Pixels, height: int, width: int) -> Pixels:
    """Of a picture of this size, otherwise as dark as the part's darkest point."""
    top, left = (height - part.shape[0]) // 2, (width - part.shape[1]) // 2
    picture = np.full((height, width), part.min(), np.float32)
    picture[top : top + part.shape[0], left : left + part.shape[1]] = part
    return picture


def find(picture: Pixels) -> list[Region]:
    """Where the slices of a sheet are, row by row; none, or a single one, on a picture that is no sheet."""
    dark = _dark(picture)
    parts = _cut(picture, (slice(0, picture.shape[0]), slice(0, picture.shape[1])), dark)
    if len(parts) < 2:
        return []
    places = [place for part in parts if (place := _place(picture, part, dark))]
    usual = _usual(places)
    if usual is None:
        return []
    chosen = [place for place in places if _reach(place.sides, usual) >= LEAST_PLACE]
    slices = [part for place in chosen for part in _divided(place, usual)]
    return sorted(slices, key=lambda region: (round(region[0].start / usual[0]), region[1].start))


def _dark(picture: Pixels) -> float:
    low, high = float(picture.min()), float(picture.max())
    return low + ABOVE_GROUND * (high - low)


def _cut(picture: Pixels, region: Region, dark: float) -> list[Region]:
    """The parts of a region that even lines cannot cut any more."""
    for axis in (0, 1):
        cells = _cells(picture[region], axis, dark)
        parts = [_within(region, axis, cell) for cell in cells]
        if parts != [region]:
            return [rest for part in parts for rest in _cut(picture, part, dark)]
    return [region]


def _within(region: Region, axis: int, cell: slice) -> Region:
    start = region[axis].start
    moved = slice(start + cell.start, start + cell.stop)
    return (moved, region[1]) if axis == 0 else (region[0], moved)


def _cells(part: Pixels, axis: int, dark: float) -> list[slice]:
    """What lies between even lines across ``axis``, each with its dark margins."""
    even, shades = _lines(part, axis)
    filled = [span for span in _runs(~even) if span.stop - span.start >= NARROWEST * len(even)]
    margins = shades <= dark
    ends = [0, *(span.stop for span in filled)]
    starts = [*(span.start for span in filled[1:]), len(even)]
    return [
        slice(
            span.start - _margin(margins[before : span.start][::-1], span, shared=before > 0),
            span.stop + _margin(margins[span.stop : after], span, shared=after < len(even)),
        )
        for before, span, after in zip(ends, filled, starts, strict=False)
    ]


def _lines(part: Pixels, axis: int) -> tuple[Flags, NDArray[np.float32]]:
    """Of every row (``axis`` 0) or column (1): whether it is even, and its grey value."""
    crossing = part if axis == 1 else part.T
    points = crossing[:: max(1, len(crossing) // POINTS)]
    shades = np.median(points, axis=0)
    return (np.abs(points - shades) < EVEN).mean(axis=0) >= ALONG, shades


def _runs(flags: Flags) -> list[slice]:
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return [slice(int(start), int(stop)) for start, stop in list(pairwise(edges))[::2]]


def _margin(dark: Flags, span: slice, *, shared: bool) -> int:
    """So many of the lines beside a span, nearest first, are its own: half of dark ones that it shares,
    and not more than half as many as it has itself."""
    own = len(dark) // (1 + shared) if dark.all() else int(dark.argmin())
    most: int = (span.stop - span.start) // 2
    return min(own, most)


def _place(picture: Pixels, region: Region, dark: float) -> Place | None:
    """None where there is nothing, or a drawing on paper."""
    from ml.framing import overview, things  # with SciPy, which a picture that cannot be cut does without

    part = picture[region]
    reduced = overview(part)
    bright = things(reduced > dark)
    if not bright or np.mean(reduced > PAPER * picture.max()) > 0.5:
        return None
    largest, step = bright[0], part.shape[0] / reduced.shape[0]
    height, width = (side * step for side in largest.sides)
    is_head = (
        largest.filling > FILLED
        and min(height, width) >= max(SLIM * max(height, width), SMALLEST_SIDE)
        and min(part.shape) >= SLIM * max(part.shape)
    )
    return Place(region, (height, width), is_head)


def _usual(places: Sequence[Place]) -> tuple[float, float] | None:
    """Height and width of the places of heads of similar size; None where there are no two of them."""
    heads = [place for place in places if place.is_head]
    if not heads:
        return None
    largest = max(place.content[0] for place in heads), max(place.content[1] for place in heads)
    alike = [place.sides for place in heads if _reach(place.content, largest) >= ALIKE]
    if len(alike) < 2:
        return None
    height, width = np.median(alike, axis=0)
    return float(height), float(width)


def _reach(sides: tuple[float, float], of: tuple[float, float]) -> float:
    return min(sides[0] / of[0], sides[1] / of[1])


def _divided(place: Place, usual: tuple[float, float]) -> list[Region]:
    """In equal parts where it is as large as several usual places: heads that touch leave no line."""
    if place.is_head:
        return [place.region]
    rows, columns = (_equal(span, side) for span, side in zip(place.region, usual, strict=True))
    return [(row, column) for row in rows for column in columns]


def _equal(span: slice, usual: float) -> list[slice]:
    length = span.stop - span.start
    count = max(1, round(length / usual))
    edges = [span.start + length * index // count for index in range(count + 1)]
    return [slice(*pair) for pair in pairwise(edges)]
