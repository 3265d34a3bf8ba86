"""What of a whole head in thin slices is brain: the large, thick piece within skull and scalp.

Brain extraction by morphology: bone is dark in every usual sequence, so that tissue which is eroded far
enough falls into brain, muscles and scalp. A whole head that is no larger than a brain has lost its scalp
already. Nothing is said where slices are far apart, and where what is found is not as large as a brain or
does not fill the middle of the head.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy import ndimage

from ml.image_types import Image, Pixels

WIDEST_GAP: Final = 2.5
"""Millimetres between slices; of slices farther apart the morphology of a head cannot be told."""
GRID: Final = 3.0
"""Millimetres of a voxel that is looked at, where those of the scan are smaller."""
AIR: Final = 0.12
"""Of the range of grey values, above which lies the head."""
BELOW_SCALP: Final = 15.0
"""Millimetres below the head's surface, from which on grey values are those of brain rather than of scalp."""
AROUND: Final = 25.0
"""Millimetres, the standard deviation of the neighbourhood whose mean is the usual grey value of a place."""
BRIGHTEST: Final = 2.0
"""Of the usual grey value deep in the head, above which fat counts as no more."""
BONE: Final = 0.6
"""Of the usual grey value of a place, below which lie bone, air and the fluid of T1."""
DEPTHS: Final = tuple(range(7, 21, 2))
"""Millimetres by which tissue is eroded, until what stays is no larger than a brain."""
REGROWN: Final = 3.0
"""Millimetres by which the eroded brain grows back further than it was eroded, into folds."""
LITRES: Final = (0.9, 1.9)
"""Of a brain with its fluid from school age on."""
MIDDLE: Final = 40.0
"""Millimetres around the deepest point of the head."""
FILLED: Final = 0.7
"""Of the middle of the head, as much as a brain fills at least."""
TOUCHED: Final = 0.05
"""Of a side of the scan, more than a head that lies within touches."""
NEGLIGIBLE: Final = 1e-4
"""Of a neighbourhood, too little to take a mean of."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _Head:
    """A scan on a coarse grid.

    ``grey`` (slices, height, width) has voxels of ``sizes`` millimetres; ``merged`` slices of the scan are
    one of them.
    """

    grey: Pixels
    sizes: NDArray[np.float64]
    merged: int

    def depths(self, mask: Mask) -> NDArray[np.float64]:
        """Millimetres from every voxel to the nearest one that is not in the mask, or outside of the scan."""
        padded = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=self.sizes)
        return np.asarray(padded[1:-1, 1:-1, 1:-1])

    def litres(self, mask: Mask) -> float:
        return float(mask.sum() * self.sizes.prod() / 1e6)


def areas(image: Image) -> NDArray[np.float64] | None:
    """Of each slice the area of brain, in voxels of a coarse grid.

    None where slices are far apart, of different shapes or at unknown distances, and where no piece of the
    head is like a brain.
    """
    head = _head(image)
    brain = None if head is None else _extract(head)
    if head is None or brain is None:
        return None
    of_layers = brain.sum(axis=(1, 2)).astype(np.float64)
    return np.repeat(of_layers, head.merged)[: len(image.slices)]


def _head(image: Image) -> _Head | None:
    facts = image.facts
    between, within = facts.slice_spacing_mm, facts.spacing_mm
    even = not facts.gaps and len({pixels.shape for pixels in image.slices}) == 1
    if between is None or within is None or not even or not 0 < between <= WIDEST_GAP:
        return None
    shape = image.slices[0].shape
    height, width = (
        min(pixels, max(1, round(pixels * size / GRID))) for pixels, size in zip(shape, within, strict=True)
    )
    coarse = np.stack([_shrunk(pixels, width, height) for pixels in image.slices])
    merged = max(1, round(GRID / between))
    sizes = (between * merged, within[0] * shape[0] / height, within[1] * shape[1] / width)
    return _Head(_merged(coarse, merged), np.array(sizes), merged)


def _shrunk(pixels: Pixels, width: int, height: int) -> Pixels:
    return np.asarray(PIL.Image.fromarray(pixels).resize((width, height), PIL.Image.Resampling.BOX))


def _merged(slices: Pixels, count: int) -> Pixels:
    """Means of so many neighbours; the last slice stands for those that are missing."""
    missing = -len(slices) % count
    whole = np.concatenate([slices, np.repeat(slices[-1:], missing, axis=0)])
    return np.asarray(whole.reshape(-1, count, *slices.shape[1:]).mean(axis=1))


def _extract(head: _Head) -> Mask | None:
    low, high = np.percentile(head.grey, (1, 99))
    shown = head.grey > low + AIR * (high - low)
    filled = ndimage.binary_fill_holes(np.pad(shown, 1))[1:-1, 1:-1, 1:-1]
    depth = head.depths(filled)
    inner = shown & (depth > BELOW_SCALP)
    if not inner.any():
        return None
    tissue = head.grey > low + BONE * _usual(head, head.grey - low, inner)
    bare = () if _is_cut(filled) else (filled,)
    small = (one for one in chain(bare, _pieces(head, tissue)) if head.litres(one) <= LITRES[1])
    brain = next(small, None)
    if brain is None or head.litres(brain) < LITRES[0]:
        return None
    middle = _ball(head, np.unravel_index(int(depth.argmax()), depth.shape))
    return brain if brain[middle].mean() >= FILLED else None


def _is_cut(head: Mask) -> bool:
    """Whether the head goes on beyond the scan."""
    ends = (head.take(end, axis) for axis in range(head.ndim) for end in (0, -1))
    return max(float(end.mean()) for end in ends) > TOUCHED


def _usual(head: _Head, grey: Pixels, inner: Mask) -> Pixels:
    """The mean grey value around every voxel, of what lies within: light is seldom even."""
    everywhere = float(np.median(grey[inner]))
    width = AROUND / head.sizes
    weight = ndimage.gaussian_filter(inner.astype(np.float32), width)
    mean = ndimage.gaussian_filter(np.where(inner, np.minimum(grey, BRIGHTEST * everywhere), 0), width)
    near = weight > NEGLIGIBLE
    return np.where(near, mean / np.where(near, weight, 1), everywhere)


def _pieces(head: _Head, tissue: Mask) -> Iterator[Mask]:
    """The largest piece of the tissue, cut loose from the rest by more and more erosion."""
    depth = head.depths(tissue)
    for eroded in DEPTHS:
        pieces, count = ndimage.label(depth > eroded)
        if not count:
            return
        kernel = pieces == 1 + np.bincount(pieces.ravel())[1:].argmax()
        near = ndimage.distance_transform_edt(~kernel, sampling=head.sizes) <= eroded + REGROWN
        yield np.asarray(ndimage.binary_fill_holes(near & tissue))


def _ball(head: _Head, centre: tuple[np.intp, ...]) -> Mask:
    """What lies around a voxel."""
    away = (np.indices(head.grey.shape).T - np.array(centre)) * head.sizes
    return np.asarray(np.square(away).sum(axis=-1).T <= MIDDLE**2)
