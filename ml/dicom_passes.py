"""DICOM series that show each position several times: water and fat, echoes, time points.

Each pass is a scan of its own. Shuffled into one, every other neighbour of a slice would be a picture
of another kind, and a tumour would have as many slices as there are passes.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from pydicom.dataset import Dataset

from ml.anatomy import SAME_POSITION_MM, Place
from ml.dicom_geometry import instance_number
from ml.dicom_groups import number

ECHO_DIGITS: Final = 2
"""Of EchoTime, in milliseconds."""

Kind = tuple[float, str]


def passes(headers: Sequence[Dataset], places: Sequence[Place]) -> list[list[int]]:
    """Indices of the images of one series, in parts that show every position once.

    One part, unless each of several positions is shown equally often and always in the same order: by
    EchoTime and ImageType where all positions have the same ones, then by InstanceNumber. Files that
    all name one position may have been given it for want of a better one, and stay together.
    """
    positions = _by_position(places)
    ranks = _ranks(headers, positions)
    times = {len(indices) for indices in positions}
    clear = all(len({ranks[index] for index in indices}) == len(indices) for indices in positions)
    if len(positions) < 2 or len(times) > 1 or not clear:
        return [list(range(len(headers)))]
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


def _ranks(headers: Sequence[Dataset], positions: Sequence[Sequence[int]]) -> list[tuple[Any, ...]]:
    """What orders the images of one position."""
    kinds = [_kind(header) for header in headers]
    numbers = [instance_number(header) for header in headers]
    everywhere = {tuple(sorted(kinds[index] for index in indices)) for indices in positions}
    if len(everywhere) > 1:
        return [(one,) for one in numbers]
    return list(zip(kinds, numbers, strict=True))


def _kind(header: Dataset) -> Kind:
    return round(number(header.get("EchoTime")) or 0.0, ECHO_DIGITS), str(header.get("ImageType") or "")
