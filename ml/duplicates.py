"""Copies of a picture within a collection: the same pixels, or nearly the same in any orientation.

Exact copies are told by a digest, near ones by the correlation of small prepared pictures, so that
framing, size, brightness and contrast hide no copy. All pairs in all eight orientations are compared
as products of matrices, a block of pictures at a time.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

SIDE: Final = 16
"""Small enough that noise hides no copy. Of the research images, no two of different groups are alike
at 16, 24 or 32 pixels; at 32 an eighth of the published twins are missed."""
ALIKE: Final = 0.99
BLOCK: Final = 256
ORIENTATIONS: Final = (
    "as it is",
    "turned by 90",
    "turned by 180",
    "turned by 270",
    "mirrored",
    "mirrored, turned by 90",
    "mirrored, turned by 180",
    "mirrored, turned by 270",
)

Index = NDArray[np.int32]


@dataclass(frozen=True)
class Pairs:
    """Pairs of different pictures i < j: the highest correlation and the orientation of i that has it."""

    first: Index
    second: Index
    correlation: NDArray[np.float32]
    orientation: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.first)


def near(prepared: NDArray[np.uint8], alike: float = ALIKE) -> Pairs:
    """Pairs of (n, side, side) pictures that correlate above ``alike``; an even surface with nothing.

    Needs memory for BLOCK times n correlations at once, and for the pairs found: compare
    representatives of exact copies only.
    """
    small = np.stack([_shrink(picture) for picture in prepared])
    vectors = _unit_vectors(small)
    starts = range(0, len(small), BLOCK)
    found = [
        _block(small[start : start + BLOCK], vectors, start, alike)
        for start in tqdm(starts, desc="compare", unit="block", disable=None)
    ]
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    return Pairs(*columns)


def clusters(count: int, pairs: Pairs, *also: Sequence[Hashable]) -> NDArray[np.int32]:
    """A number per picture, the same for what pairs or a shared key in ``also`` join, however far."""
    first, second = [pairs.first], [pairs.second]
    for keys in also:
        earliest: dict[Hashable, int] = {}
        second.append(np.array([earliest.setdefault(key, i) for i, key in enumerate(keys)], np.int32))
        first.append(np.arange(len(keys), dtype=np.int32))
    rows, columns = np.concatenate(first), np.concatenate(second)
    graph = coo_array((np.ones(len(rows), np.bool_), (rows, columns)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int32)


def oriented(pictures: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """(n, side, side) in every orientation, in the order of ``ORIENTATIONS``."""
    for mirrored in (pictures, pictures[:, :, ::-1]):
        for quarter in range(4):
            yield np.rot90(mirrored, quarter, axes=(1, 2))


def _shrink(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    factor = picture.shape[0] // SIDE
    blocks = picture.reshape(SIDE, factor, SIDE, factor)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def _unit_vectors(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = pictures.reshape(len(pictures), -1)
    centred = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-3))


def _block(
    block: NDArray[np.float32], vectors: NDArray[np.float32], start: int, alike: float
) -> tuple[Index, Index, NDArray[np.float32], NDArray[np.int8]]:
    """The pairs of the pictures from ``start`` on with themselves and with all later ones."""
    best = np.full((len(block), len(vectors) - start), alike, np.float32)
    which = np.full(best.shape, -1, np.int8)
    for number, turned in enumerate(oriented(block)):
        correlation = _unit_vectors(np.ascontiguousarray(turned)) @ vectors[start:].T
        better = correlation > best
        best[better], which[better] = correlation[better], number
    first, second = np.nonzero(np.triu(which >= 0, k=1))
    return (
        (first + start).astype(np.int32),
        (second + start).astype(np.int32),
        best[first, second],
        which[first, second],
    )
