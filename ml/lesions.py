"""Tumours put into healthy slices, and taken out of others, so that no source stands for a class.

A network that has met healthy slices of one hospital and tumours of another learns the hospitals.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.augment import Grey, Sample, soft


def paste(healthy: Sample, donor: Sample) -> Sample | None:
    """``healthy`` with the outlined tumour of ``donor`` in the same place; None where no head is there.

    The tumour's grey values are moved so that its surroundings are as bright as before.
    """
    if donor.mask is None or not donor.mask.any():
        return None
    tumour = donor.mask > 0
    if (healthy.depths[tumour] > 25).mean() < 0.9:
        return None
    near = ndimage.binary_dilation(tumour, iterations=8) & ~tumour & (healthy.depths > 25)
    if not near.any():
        return None
    shift = float(healthy.picture[near].mean()) - float(donor.picture[near].mean())
    share = soft(donor.mask)
    mixed = (1 - share) * healthy.picture + share * (donor.picture + shift)
    return replace(healthy, picture=np.clip(mixed, 0, 255).astype(np.uint8), mask=donor.mask)


def heal(sick: Sample) -> Sample | None:
    """``sick``, upright and seen along or from the front, with the other side's tissue in its tumour's place.

    None where nobody outlined it, or where it reaches the other side or lies at the head's edge there.
    """
    if sick.mask is None or not sick.mask.any():
        return None
    tumour = ndimage.binary_dilation(sick.mask > 0, iterations=3)
    other = _other_side(sick.picture, tumour)
    lent = _reflected(tumour, other)
    if (tumour & lent).any() or (_reflected(sick.depths, other)[tumour] > 0).mean() < 0.9:
        return None
    around = ndimage.binary_dilation(tumour, iterations=6) & ~tumour
    picture = _reflected(sick.picture, other)
    shift = float(np.median(sick.picture[around])) - float(np.median(picture[around]))
    share = soft(np.where(tumour, 255, 0).astype(np.uint8))
    mixed = (1 - share) * sick.picture + share * (picture + shift)
    return replace(sick, picture=np.clip(mixed, 0, 255).astype(np.uint8), mask=np.zeros_like(sick.mask))


def _other_side(picture: Grey, tumour: NDArray[np.bool_]) -> int:
    """By how many columns the mirror image must move to fit the picture best, the tumour left out."""
    reach = picture.shape[1] // 12
    small, left = picture[::2].astype(np.int16), ~tumour[::2]
    moves = range(-reach, reach + 1)
    return min(moves, key=lambda move: int(np.abs(small - _reflected(small, move))[left].sum()))


def _reflected(values: NDArray[Any], move: int) -> NDArray[Any]:
    return np.roll(values[:, ::-1], move, axis=1)
