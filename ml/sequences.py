"""Slices as other sequences would show them: fluid bright as on T2, dark beside bright grey matter as on
FLAIR, or dark beside grey and white matter that are nearly alike as by spin echoes on T1.

The collections have tumours other than gliomas on T1 after contrast alone, and whole healthy heads by
gradient echoes on T1 alone. What a curve over grey values cannot do is done here by place: the tissues of the
brain change places, the scalp stays bright and bone and air dark, and the tumour gets a brightness of its
own, mostly above that of the brain.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml.augment import Grey, Random, Sample, smooth_field, soft

RANGE: Final = (2, 97)
"""Percentiles of the brain on T1 between which fluid, grey and white matter lie."""
KNOTS: Final = (-0.2, 0.0, 0.45, 0.85, 1.6)
"""Air, fluid, grey matter, white matter and what took up contrast, as shares of that range."""


def recast(sample: Sample, rng: Random) -> Sample:
    """``sample``, read as if taken on T1, as on T2, FLAIR or T1 by spin echoes.

    As it is where nobody outlined its tumour, or where nothing parts its brain from its skull.
    """
    inside = _inside(sample)
    if sample.mask is None or not inside.any():
        return sample
    low, high = np.percentile(sample.picture[inside], RANGE)
    share = (sample.picture.astype(np.float32) - low) / max(high - low, 1)
    levels = (_t2, _flair, _spin_echo)[rng.integers(3)](rng)
    brain = np.interp(share, KNOTS, levels).astype(np.float32)
    if sample.mask.any():
        brain = _with_tumour(brain, share, sample.mask, rng)
    edge = soft(np.where(inside, 255, 0).astype(np.uint8))
    around = rng.uniform(0.3, 1.1) * (sample.picture / 255) ** rng.uniform(0.7, 1.6)
    picture = 255 * (edge * brain + (1 - edge) * around)
    return replace(sample, picture=np.clip(picture, 0, 255).astype(np.uint8))


def _inside(sample: Sample) -> NDArray[np.bool_]:
    return sample.depths > 0 if sample.stripped else sample.brain > 0


def _t2(rng: Random) -> tuple[float, ...]:
    grey = rng.uniform(0.35, 0.65)
    return 0.5, rng.uniform(0.75, 1.0), grey, grey - rng.uniform(0.05, 0.25), rng.uniform(0.0, 0.4)


def _flair(rng: Random) -> tuple[float, ...]:
    grey = rng.uniform(0.35, 0.65)
    return 0.02, rng.uniform(0.03, 0.15), grey, grey - rng.uniform(0.02, 0.15), rng.uniform(0.2, 0.7)


def _spin_echo(rng: Random) -> tuple[float, ...]:
    grey = rng.uniform(0.25, 0.45)
    return 0.02, rng.uniform(0.06, 0.2), grey, grey + rng.uniform(-0.02, 0.08), rng.uniform(0.7, 1.0)


def _with_tumour(
    brain: NDArray[np.float32], share: NDArray[np.float32], mask: Grey, rng: Random
) -> NDArray[np.float32]:
    """The tumour mostly brighter than its surroundings, with its own texture or the reverse of it.

    In half of the cases with oedema, which no outline shows.
    """
    inside, tumour = mask > 0, soft(mask)
    around = ndimage.binary_dilation(inside, iterations=8) & ~inside
    level = np.median(brain[around]) + rng.uniform(-0.1, 0.5)
    texture = np.clip(share - share[inside].mean(), -1, 1)
    own = level + rng.uniform(-0.6, 0.6) * texture
    if rng.random() < 0.5:
        brain = brain + rng.uniform(0.1, 0.5) * _oedema(mask, rng)
    return np.asarray((1 - tumour) * brain + tumour * own, np.float32)


def _oedema(mask: Grey, rng: Random) -> NDArray[np.float32]:
    """Values in [0, 1]: an uneven border around the tumour."""
    side = mask.shape[0]
    wide = ndimage.gaussian_filter(mask.astype(np.float32) / 255, rng.uniform(0.03, 0.08) * side)
    return np.asarray(np.clip(4 * wide * (0.5 + smooth_field(side, 10, rng)), 0, 1), np.float32)
