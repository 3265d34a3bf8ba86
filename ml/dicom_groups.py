"""Attributes of one frame: of its functional groups in an enhanced image, of the data set in others."""

import math
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue


def group(header: Dataset, frame: int, sequence: str) -> Dataset:
    """Where an enhanced image keeps the attributes of ``frame``; the data set itself in the others."""
    for groups, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        items = header.get(groups) or []
        if index < len(items) and items[index].get(sequence):
            found: Dataset = items[index][sequence][0]
            return found
    return header


def number(value: Any) -> float | None:
    """The first of what may be several numbers; None for anything else, infinity included."""
    return next(iter(numbers(value[:1] if isinstance(value, MultiValue) else [value])), None)


def numbers(values: Any) -> tuple[float, ...]:
    """All of them, or none where one is no finite number."""
    try:
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return ()
    return found if all(math.isfinite(value) for value in found) else ()
