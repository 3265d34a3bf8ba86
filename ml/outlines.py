"""The experts' outlines of tumours as masks, and how far another mask agrees with them.

Masks are boolean (height, width) in the pixels of the picture as stored.
"""

from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ml.datasets import DataError, Row
from ml.framing import Box
from ml.labels import NO_TUMOUR

Mask = NDArray[np.bool_]


def outline(data: Path, row: Row, shape: tuple[int, int] | None = None) -> Mask | None:
    """The expert's mask of this slice: empty where it shows no tumour, None where nobody drew one.

    ``shape`` (height, width) of the picture saves opening it where the caller has read it.
    """
    if not row.mask and not row.border and row.label != NO_TUMOUR:
        return None
    shape = shape or _shape(data / row.path)
    if row.mask:
        return _read(data, row, shape)
    return polygon(_points(row), shape) if row.border else np.zeros(shape, np.bool_)


def _read(data: Path, row: Row, shape: tuple[int, int]) -> Mask:
    with PIL.Image.open(data / row.mask) as picture:
        mask = np.asarray(picture.convert("1"), np.bool_)
    if mask.shape != shape:
        raise DataError(f"{row.mask} has another size than {row.path}.")
    return mask


def _shape(path: Path) -> tuple[int, int]:
    with PIL.Image.open(path) as picture:
        return picture.height, picture.width


def _points(row: Row) -> NDArray[np.float64]:
    """The corners (n, 2) as (x, y), fractions of width and height."""
    points = np.array([pair.split(",") for pair in row.border.split()], np.float64)
    if points.ndim != 2 or points.shape[0] < 3 or points.shape[1] != 2:
        raise DataError(f"The outline of {row.path} is not a list of at least three points.")
    return points


def polygon(points: NDArray[np.float64], shape: tuple[int, int]) -> Mask:
    """The pixels whose centre lies inside, by the even-odd rule; ``points`` (n, 2) are fractions."""
    corners = points * (shape[1], shape[0])
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, None).astype(int)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int)
    x = np.arange(left, min(right, shape[1])) + 0.5
    y = np.arange(top, min(bottom, shape[0])) + 0.5
    inside = np.zeros((len(y), len(x)), np.bool_)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        rows = (y0 <= y) != (y1 <= y)
        crossing = x0 + (y[rows] - y0) * (x1 - x0) / (y1 - y0) if rows.any() else y[rows]
        inside[rows] ^= x[None, :] < crossing[:, None]
    mask = np.zeros(shape, np.bool_)
    mask[top : top + len(y), left : left + len(x)] = inside
    return mask


def box(mask: Mask) -> Box | None:
    """(left, top, right, bottom) around all of the mask, right and bottom excluded; None of nothing."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def dice(truth: Mask, found: Mask) -> float:
    """Twice the common pixels over the pixels of both, 0 to 1; two empty masks agree: 1."""
    both = int(truth.sum()) + int(found.sum())
    return 2 * int(np.sum(truth & found)) / both if both else 1.0


def box_overlap(truth: Mask, found: Mask) -> float:
    """Intersection over union of the boxes around two masks; 0 where only one of them is empty."""
    first, second = box(truth), box(found)
    if first is None or second is None:
        return float(first is second)
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    common = max(width, 0) * max(height, 0)
    return common / (_area(first) + _area(second) - common)


def _area(edges: Box) -> int:
    return (edges[2] - edges[0]) * (edges[3] - edges[1])
