"""Where in a picture the head is: not the margins of a page, the panels of a viewer, a frame or writing."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy import ndimage

from ml.image_types import Pixels
from ml.intensity import ABOVE_GROUND

OVERVIEW: Final = 96
"""Where the head is, is seen in a picture of so many pixels a side."""
BLURRED: Final = 3
"""So many of its pixels are a mixture of two sides of an edge."""
OPENED: Final = (5, 5)
EVEN: Final = 0.03
"""The grey values of a page, or of a viewer's panel, are within so much of each other, ..."""
ALONG: Final = 0.7
"""... and make up this share of an edge."""
RECTANGLE: Final = 0.9
"""A picture on a page fills more of its box than this, ..."""
ROUND: Final = 0.5
"""... a head less than that, but more than this."""
SMALLEST: Final = 0.02
"""The smallest head: the share of the picture that its box covers, ..."""
SMALLEST_WITHIN: Final = 0.1
"""... that of one between panels, and that of a picture on a page."""
FAR: Final = 0.42
"""A head that is smaller in its picture is looked at once more by itself."""
DARK_EDGES: Final = 0.35
"""A whole head leaves more of the edges of its box dark."""
MARGIN: Final = 0.03
"""Around a head, of its size."""

Box = tuple[int, int, int, int]
Region = tuple[slice, slice]


@dataclass(frozen=True)
class Thing:
    """Connected pixels: the rows and columns of their box, and how many they are."""

    region: Region
    area: int

    @property
    def sides(self) -> tuple[int, int]:
        rows, columns = self.region
        return rows.stop - rows.start, columns.stop - columns.start

    @property
    def filling(self) -> float:
        return self.area / math.prod(self.sides)

    def share(self, shape: tuple[int, ...]) -> float:
        """Of the picture, what its box covers."""
        return math.prod(self.sides) / math.prod(shape)

    def edges(self, shape: tuple[int, ...]) -> int:
        """How many of the picture's four edges it reaches."""
        pairs = zip(self.region, shape, strict=True)
        return sum((span.start == 0) + (span.stop == side) for span, side in pairs)


def head_box(values: Pixels) -> Box:
    """(left, top, right, bottom) of the largest bright object with a small margin.

    On a page, or between panels, of that in the largest picture there. The whole picture where nothing
    stands out from the background or what does is too small.
    """
    left, top, right, bottom = box = _box(values)
    if max((right - left) / values.shape[1], (bottom - top) / values.shape[0]) > FAR:
        return box
    closer = _box(values[top:bottom, left:right])
    return left + closer[0], top + closer[1], left + closer[2], top + closer[3]


def _box(values: Pixels) -> Box:
    reduced = overview(values)
    picture = _picture(reduced)
    rows, columns = _head(reduced[picture]) or (None, None)
    top, bottom = _in_source(rows, picture[0], reduced.shape[0], values.shape[0])
    left, right = _in_source(columns, picture[1], reduced.shape[1], values.shape[1])
    return left, top, right, bottom


def is_part(crop: Pixels) -> bool:
    """Whether a part of a head is shown alone: tissue reaches most of the edges.

    A whole head is round, and leaves the corners of the smallest box around it dark. An even edge is paper
    or a panel.
    """
    reduced = overview(crop)
    low, high = np.percentile(reduced, (1, 99))
    dark = reduced <= low + ABOVE_GROUND * (high - low)
    empty = [
        1.0 if _is_even(edge) else edge_dark.mean()
        for edge, edge_dark in zip(_edges(reduced), _edges(dark), strict=True)
    ]
    return float(np.mean(empty)) < DARK_EDGES


def _edges(picture: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    return picture[0], picture[-1], picture[:, 0], picture[:, -1]


def _is_even(edge: Pixels) -> bool:
    return bool((np.abs(edge - np.median(edge)) < EVEN).mean() >= ALONG)


def overview(values: Pixels) -> Pixels:
    """The picture averaged down to at most ``OVERVIEW`` pixels a side, noise smoothed away."""
    height, width = values.shape
    ratio = min(1.0, OVERVIEW / max(height, width))
    shape = max(1, round(width * ratio)), max(1, round(height * ratio))
    small = PIL.Image.fromarray(values).resize(shape, PIL.Image.Resampling.BOX)
    return np.asarray(ndimage.uniform_filter(np.asarray(small), 3, mode="nearest"))


def _picture(reduced: Pixels) -> Region:
    """The largest picture on a page or between panels; everything where there are none."""
    around = _around(reduced)
    if around.any():
        # Opened, so that neither words nor uneven places of an edge are joined to the picture.
        pictures = things(ndimage.binary_opening(ndimage.binary_fill_holes(~around), np.ones(OPENED)))
        if pictures and _is_picture(pictures[0], reduced.shape):
            return _trimmed(pictures[0].region, reduced.shape)
    return slice(0, reduced.shape[0]), slice(0, reduced.shape[1])


def _is_picture(thing: Thing, shape: tuple[int, ...]) -> bool:
    is_large = thing.share(shape) >= SMALLEST_WITHIN and min(thing.sides) > 2 * BLURRED
    return is_large and thing.filling > RECTANGLE


def _around(reduced: Pixels) -> NDArray[np.bool_]:
    """Pages and panels: the even grey of an edge that is brighter than the background."""
    low, high = float(reduced.min()), float(reduced.max())
    found = np.zeros(reduced.shape, np.bool_)
    for edge in _edges(reduced):
        shade = float(np.median(edge))
        if _is_even(edge) and shade > low + ABOVE_GROUND * (high - low):
            found |= np.abs(reduced - shade) < EVEN
    return found


def _trimmed(region: Region, shape: tuple[int, ...]) -> Region:
    """Less the pixels into which what is around is smoothed, on the sides where there is something around."""
    rows, columns = (
        slice(span.start + BLURRED * (span.start > 0), span.stop - BLURRED * (span.stop < side))
        for span, side in zip(region, shape, strict=True)
    )
    return rows, columns


def _head(picture: Pixels) -> Region | None:
    """The largest bright object, or None where there is none of some size.

    Panels and frames of a viewer reach the edge on most sides; then the largest that does not is the head.
    """
    low, high = np.percentile(picture, (1, 99))
    bright = things(picture > low + ABOVE_GROUND * (high - low))
    large = [thing for thing in bright if thing.share(picture.shape) >= SMALLEST]
    if not large:
        return None
    inside = [thing for thing in large if _is_within(thing, picture.shape)]
    around = large[0].edges(picture.shape) > 2
    return inside[0].region if around and inside else large[0].region


def _is_within(thing: Thing, shape: tuple[int, ...]) -> bool:
    """Whether it may be a head between panels."""
    return thing.share(shape) >= SMALLEST_WITHIN and not thing.edges(shape) and thing.filling > ROUND


def things(where: NDArray[np.bool_]) -> list[Thing]:
    """Connected pixels, the largest first."""
    labels, count = ndimage.label(where)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    found = map(Thing, ndimage.find_objects(labels), areas)
    return sorted(found, key=lambda thing: -thing.area)


def _in_source(inner: slice | None, outer: slice, few: int, many: int) -> tuple[int, int]:
    """First and last of ``many`` pixels, of ``outer``'s of an overview of ``few`` or of ``inner`` within it.

    ``inner`` is given its margin as far as ``outer`` reaches.
    """
    step = many / few
    least, most = round(outer.start * step), round(outer.stop * step)
    if inner is None:
        return least, most
    margin = MARGIN * (inner.stop - inner.start)
    first = int((outer.start + inner.start - margin) * step)
    last = int(np.ceil((outer.start + inner.stop + margin) * step))
    return max(least, first), min(most, last)
