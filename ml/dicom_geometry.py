"""Where the frames of DICOM images lie in the patient."""

from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from ml.anatomy import Place, Vector, is_possible
from ml.dicom_groups import group, number, numbers

UNIT_LENGTH: Final = 0.05
RIGHT_ANGLE: Final = 0.05


def place(header: Dataset, frame: int = 0) -> Place:
    """As far as the file tells it: directions that are none are taken for missing."""
    right, down = _directions(header, frame)
    position = numbers(group(header, frame, "PlanePositionSequence").get("ImagePositionPatient") or ())
    return Place(right, down, np.array(position) if len(position) == 3 else None)


def _directions(header: Dataset, frame: int) -> tuple[Vector, Vector] | tuple[None, None]:
    stored = group(header, frame, "PlaneOrientationSequence").get("ImageOrientationPatient")
    cosines = numbers(stored or ())
    if len(cosines) != 6:
        return None, None
    right, down = np.array(cosines[:3]), np.array(cosines[3:])
    lengths = np.linalg.norm(right), np.linalg.norm(down)
    if max(abs(length - 1) for length in lengths) > UNIT_LENGTH or abs(right @ down) > RIGHT_ANGLE:
        return None, None
    return right / lengths[0], down / lengths[1]


def pixel_spacing(header: Dataset) -> tuple[float, float] | None:
    """Between rows and between columns, in millimetres."""
    spacing = numbers(group(header, 0, "PixelMeasuresSequence").get("PixelSpacing") or ())
    if len(spacing) != 2 or not all(map(is_possible, spacing)):
        return None
    return spacing[0], spacing[1]


def announced_slice_spacing(header: Dataset) -> float | None:
    """What the file says, for want of positions to measure."""
    measures = group(header, 0, "PixelMeasuresSequence")
    spacing = number(measures.get("SpacingBetweenSlices"))
    return abs(spacing) if spacing and is_possible(abs(spacing)) else None


def instance_number(header: Dataset) -> int:
    return int(number(header.get("InstanceNumber")) or 0)
