"""Which slices of a volume show enough of the brain to be judged."""

from typing import Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy import ndimage

from ml import brain_extraction
from ml.image_types import Image, Pixels

SIDE: Final = 64
HEAD_ABOVE: Final = 0.12
SCALP: Final = 3
"""Of ``SIDE`` pixels, as many as scalp and skull take at each edge of a head."""

DARKEST, BRIGHTEST = 0.4, 2.0
"""Brain, as multiples of the usual grey value inside of heads; air is darker, fat brighter."""

ENOUGH: Final = 0.05
"""Of the fullest slices' tissue; more would leave out the poles of a brain, and a tumour there."""
ENOUGH_BRAIN: Final = 0.1
"""The same of brain that could be told from scalp and face: a pole of four millimetres has less."""

_IN_PLANE: Final = ndimage.generate_binary_structure(3, 1) & np.array([0, 1, 0], bool)[:, None, None]


def brain_slices(image: Image) -> NDArray[np.bool_]:
    """For each slice whether it lies between the first and the last that hold brain.

    A slice of a whole head in thin slices holds brain where it has ``ENOUGH_BRAIN`` of the area of brain in
    the fullest slices (``ml.brain_extraction``). Of other scans it holds brain where what lies inside of its
    scalp and looks like tissue has at least ``ENOUGH`` of the area that it has in the fullest slices. This
    leaves out empty slices and scalp at the ends of a volume; face and neck may stay, and of a brain without
    its scalp the last centimetre at either end is left out. A single slice holds brain unless it is blank.
    All False where no slice shows anything.
    """
    areas, enough = brain_extraction.areas(image), ENOUGH_BRAIN
    if areas is None:
        areas, enough = tissue_areas(image), ENOUGH
    full = np.percentile(areas, 95, method="higher")
    inside = np.flatnonzero((areas >= enough * full) & (areas > 0))
    found = np.zeros(len(areas), bool)
    if len(inside):
        found[inside[0] : inside[-1] + 1] = True
    return found


def tissue_areas(image: Image) -> NDArray[np.float64]:
    """For each slice the share of the picture that lies inside of a scalp and looks like brain."""
    small = np.stack([_small(pixels) for pixels in image.slices])
    low, high = np.percentile(small, (1, 99))
    head = ndimage.binary_fill_holes(small > low + HEAD_ABOVE * (high - low), _IN_PLANE)
    inner = ndimage.binary_erosion(head, _IN_PLANE, iterations=SCALP)
    if not inner.any():
        return np.asarray(head.mean(axis=(1, 2)))
    usual = low + (np.median(small[inner]) - low) * np.array([DARKEST, BRIGHTEST])
    tissue = inner & (small > usual[0]) & (small < usual[1])
    return np.asarray(tissue.mean(axis=(1, 2)))


def _small(pixels: Pixels) -> Pixels:
    picture = PIL.Image.fromarray(pixels).resize((SIDE, SIDE), PIL.Image.Resampling.BOX)
    return np.asarray(picture)
