"""Grey values of any range to [0, 1]."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml.image_types import Pixels

Array = NDArray[Any]

SAMPLE: Final = 1 << 16
LEAST_SHARE: Final = 1 << 12
DARK, BRIGHT = 0.1, 99.9
ABOVE_GROUND: Final = 0.1
"""The share of the range of grey values by which something stands out from a dark ground."""


def sample(values: Array, most: int = SAMPLE) -> NDArray[np.float64]:
    """About ``most`` finite values spread evenly over ``values``, always the same ones.

    The step is odd so that it does not keep hitting the same column of a power-of-two picture. A
    sample of the same sample is the sample itself.
    """
    flat = values.reshape(-1)
    taken = flat[:: max(1, flat.size // most) | 1].astype(np.float64)
    return taken[np.isfinite(taken)]


def sample_share(frames: int) -> int:
    """How many values of each of so many frames are enough to judge them together."""
    return max(SAMPLE // frames, LEAST_SHARE)


def robust_range(frames: Sequence[Array]) -> tuple[float, float]:
    """The 0.1 and 99.9 percentiles of all frames together: frames of a volume share one scale.

    Where these coincide (nearly empty pictures) the extremes; (0, 1) if nothing is finite.
    """
    most = sample_share(len(frames))
    values = np.concatenate([sample(frame, most) for frame in frames])
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values, (DARK, BRIGHT))
    return (float(low), float(high)) if high > low else (float(values.min()), float(values.max()))


def to_unit(values: Array, low: float, high: float) -> Pixels:
    """``low`` to 0 and ``high`` to 1, clipped. NaN becomes 0; a range without width gives 0."""
    if not high > low:
        return np.zeros(values.shape, np.float32)
    exact = np.float32 if values.dtype.itemsize <= 2 else np.float64
    half_low, half_width = low / 2, high / 2 - low / 2  # halves: the full width may overflow
    with np.errstate(all="ignore"):
        unit = np.multiply(values, 0.5, dtype=exact)
        unit -= half_low
        unit /= half_width
    np.nan_to_num(unit, copy=False, nan=0.0)
    return np.ascontiguousarray(np.clip(unit, 0.0, 1.0, out=unit), dtype=np.float32)


def byte_to_unit(values: NDArray[np.uint8]) -> Pixels:
    return np.multiply(values, np.float32(1 / 255), dtype=np.float32, order="C")
