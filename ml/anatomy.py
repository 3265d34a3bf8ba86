"""Where slices lie in the patient. Directions and positions are DICOM's: x to the left, y to the
back, z to the head, in millimetres."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

PLANES: Final = ("sagittal", "coronal", "axial")
SIDES: Final = (("R", "L"), ("A", "P"), ("I", "S"))
"""Where the negative and the positive half of each axis lead."""

LEAST_ALONG: Final = 0.8
"""Share of the normal along one axis from which a plane has that axis's name: 37 degrees of tilt."""

PARALLEL: Final = 0.99
SAME_POSITION_MM: Final = 0.01
UNEVEN: Final = 0.2
SMALLEST_MM, LARGEST_MM = 1e-3, 1e4
"""Of distances between pixels or slices: others are damage, and areas in them are no numbers."""


class Place(NamedTuple):
    """Of one slice: unit vectors along its rows and down its columns, and its first pixel's centre."""

    right: Vector | None = None
    down: Vector | None = None
    position: Vector | None = None


@dataclass(frozen=True)
class Stack:
    """How slices lie to each other. ``order`` holds their indices; the rest is what ``Facts`` says."""

    order: tuple[int, ...]
    plane: str | None = None
    orientation: tuple[str, str] | None = None
    slice_spacing_mm: float | None = None
    gaps: bool = False

    def facts(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "order"}


def stack(places: Sequence[Place], numbers: Sequence[int]) -> Stack:
    """The slices along their common normal; by ``numbers`` where they have none or no positions."""
    by_number = tuple(sorted(range(len(places)), key=lambda index: numbers[index]))
    first = places[0]
    if first.right is None or first.down is None or not all(parallel(first, one) for one in places):
        return Stack(by_number)
    normal = np.cross(first.right, first.down)
    hanging = plane(normal), (opposite(first.right), opposite(first.down))
    depths = [float(one.position @ normal) for one in places if one.position is not None]
    if len(depths) < len(places):
        return Stack(by_number, *hanging)
    steps = [round(depth / SAME_POSITION_MM) for depth in depths]
    order = tuple(sorted(by_number, key=lambda index: steps[index]))
    return Stack(order, *hanging, *_spacing(np.unique(steps) * SAME_POSITION_MM))


def is_possible(millimetres: float) -> bool:
    """Whether pixels or slices may be so far apart."""
    return SMALLEST_MM <= millimetres <= LARGEST_MM


def parallel(one: Place, other: Place) -> bool:
    """Whether two slices show the patient from the same side; also where neither says."""
    if one.right is None or one.down is None:
        return other.right is None
    if other.right is None or other.down is None:
        return False
    return bool(min(one.right @ other.right, one.down @ other.down) > PARALLEL)


def plane(normal: Vector) -> str:
    along = np.abs(normal)
    return PLANES[int(along.argmax())] if along.max() >= LEAST_ALONG else "oblique"


def opposite(direction: Vector) -> str:
    """The side of the patient that one comes from when going in this direction."""
    axis = int(np.abs(direction).argmax())
    return SIDES[axis][0 if direction[axis] > 0 else 1]


def _spacing(depths: Vector) -> tuple[float | None, bool]:
    """The usual distance of neighbours, and whether some differ from it."""
    steps = np.diff(depths)
    if not len(steps):
        return None, False
    usual = float(np.median(steps))
    return round(usual, 3), bool(np.any(np.abs(steps - usual) > UNEVEN * usual))
