"""DICOM series that show each position several times: water and fat, echoes, time points.

Each pass is a scan of its own. Shuffled into one, every other neighbour of a slice would be a picture
of another kind, and a tumour would have as many slices as there are passes.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from pydicom.dataset import Dataset

from ml.anatomy import SAME_POSITION_MM, Place
from ml.dicom_geometry import instance_number
from ml.dicom_groups import number

ECHO_DIGITS: Final = 2
"""Of EchoTime, in milliseconds."""

Kind = tuple[float, str]


class Rank(NamedTuple):
    """What tells an image from the others at its position: EchoTime with ImageType, and InstanceNumber."""

    kind: Kind
    number: int


def rank(header: Dataset) -> Rank:
    kind = round(number(header.get("EchoTime")) or 0.0, ECHO_DIGITS), str(header.get("ImageType") or "")
    return Rank(kind, instance_number(header))


def passes(images: Sequence[Rank], places: Sequence[Place]) -> list[list[int]]:
    """Indices of the images of one series, in parts that show every position once.

    One part, unless each of several positions is shown equally often and always in the same order: by
    EchoTime and ImageType where all positions have the same ones, then by InstanceNumber. Files that
    all name one position may have been given it for want of a better one, and stay together.
    """
    positions = _by_position(places)
    ranks = _ranks(images, positions)
    times = {len(indices) for indices in positions}
    clear = all(len({ranks[index] for index in indices}) == len(indices) for indices in positions)
    if len(positions) < 2 or len(times) > 1 or not clear:
        return [list(range(len(images)))]
    ordered = [sorted(indices, key=lambda index: ranks[index]) for indices in positions]
    return [sorted(one) for one in zip(*ordered, strict=True)]


def _by_position(places: Sequence[Place]) -> list[list[int]]:
    """Indices of what lies at each position; nothing where one is not known."""
    found: defaultdict[tuple[float, ...], list[int]] = defaultdict(list)
    for index, place in enumerate(places):
        if place.position is None:
            return []
        found[tuple(np.rint(place.position / SAME_POSITION_MM))].append(index)
    return list(found.values())


def _ranks(images: Sequence[Rank], positions: Sequence[Sequence[int]]) -> list[tuple[Any, ...]]:
    """What orders the images of one position."""
    everywhere = {tuple(sorted(images[index].kind for index in indices)) for indices in positions}
    if len(everywhere) > 1:
        return [(image.number,) for image in images]
    return list(images)
