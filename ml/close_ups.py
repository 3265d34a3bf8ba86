"""Close-ups: an outlined area with its surroundings, for a network of their own to outline it finer."""

from typing import Final, NamedTuple

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ml import outlines
from ml.preprocess import Geometry

TIMES: Final = 2.0
"""The side of a frame, in the larger one of the tumour's width and height."""
WEIGHT: Final = 2 / 3
"""Of the network that outlines close-ups, beside that of whole heads."""
SMALLEST: Final = 0.16
"""The least side of a frame, in those of the whole head's square: less has no more to show."""

Probabilities = NDArray[np.float32]


class Frame(NamedTuple):
    """A square by its middle and side, in pixels of a picture beyond which it may reach."""

    x: float
    y: float
    side: float


def around(mask: NDArray[np.bool_], whole: int) -> Frame:
    """The frame around a mask that is not empty; ``whole`` is the side of the head's square."""
    box = outlines.box(mask)
    if box is None:
        raise ValueError("there is nothing to be seen from near")
    left, top, right, bottom = box
    side = max(TIMES * max(right - left, bottom - top), SMALLEST * whole)
    return Frame((left + right) / 2, (top + bottom) / 2, side)


def merged(near: Probabilities, far: Probabilities, whole: Geometry, part: Geometry) -> Probabilities:
    """What both networks say of a close-up (m, m): the one that has seen it, and the one of the whole head.

    ``far`` (k, k) covers the square of ``whole``, ``near`` that of ``part``, and weighs ``WEIGHT``: on
    fold 0 both together agree better with the experts than each of them.
    """
    step = len(far) / whole.side
    left, top = ((part.box[i] - part.pad[i] - whole.box[i] + whole.pad[i]) * step for i in (0, 1))
    extent = (left, top, left + part.side * step, top + part.side * step)
    seen = PIL.Image.fromarray(np.ascontiguousarray(far, np.float32)).transform(
        near.shape, PIL.Image.Transform.EXTENT, extent, resample=PIL.Image.Resampling.BILINEAR
    )
    return np.asarray(WEIGHT * near + (1 - WEIGHT) * np.asarray(seen), np.float32)


def geometry(frame: Frame, whole: Geometry, size: int) -> Geometry:
    """The close-up's: what of the frame lies in the head's box, which ``whole`` tells, the rest padded."""
    side = max(round(frame.side), 1)
    left, top = round(frame.x - side / 2), round(frame.y - side / 2)
    box = (
        max(left, whole.box[0]),
        max(top, whole.box[1]),
        min(left + side, whole.box[2]),
        min(top + side, whole.box[3]),
    )
    return Geometry(box, (box[0] - left, box[1] - top), side, size)
