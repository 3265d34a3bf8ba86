"""Intervals from a bootstrap over patients, for sums, shares and whatever else weights can express."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 2000
SEED: Final = 0
TAIL: Final = 0.025

Values = NDArray[np.float64]
Figure = dict[str, Any]
"""``value``, ``interval`` (95 %, [low, high]; None where undefined) and ``n``, the cases it rests on."""

Statistic = Callable[[Values], Values]
"""From weights of slices (any number, slices) to that number of values."""


class Bootstrap:
    """Groups (patients) drawn with replacement, the same draws for every figure of the same slices.

    Draws of as many groups are the same ones with the same ``seed``.
    """

    def __init__(self, groups: Sequence[str], seed: int = SEED) -> None:
        names, self._places = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
        self.groups = len(names)
        chances = np.full(self.groups, 1 / max(self.groups, 1))
        draw = np.random.default_rng(seed).multinomial
        self.counts: Values = draw(self.groups, chances, RESAMPLES).astype(np.float64)

    def by_group(self, values: NDArray[Any]) -> Values:
        """Sums (groups, …) of values (slices, …)."""
        sums = np.zeros((self.groups, *values.shape[1:]))
        np.add.at(sums, self._places, values)
        return sums

    def resampled(self, sums: Values) -> Values:
        """Sums (resamples, …) over the drawn groups, of sums (groups, …)."""
        return np.asarray(np.tensordot(self.counts, sums, axes=1))

    def weights(self) -> Values:
        """How often each slice was drawn: (resamples, slices)."""
        return self.counts[:, self._places]

    def share(self, part: NDArray[Any], whole: NDArray[Any] | None = None) -> Figure:
        """The sum of ``part`` over that of ``whole`` (slices,), which counts slices where it is not given."""
        denominator = np.ones(len(part)) if whole is None else np.asarray(whole, np.float64)
        sums = self.by_group(np.stack([np.asarray(part, np.float64), denominator], axis=1))
        value = divided(sums[:, 0].sum(), sums[:, 1].sum())
        spread = divided(*np.moveaxis(self.resampled(sums), -1, 0))
        taking_part = int(np.sum(sums[:, 1] > 0))
        return figure(float(value), spread, int(np.count_nonzero(denominator)), taking_part)

    def weighted(self, statistic: Statistic, n: int, *, is_share: bool = False) -> Figure:
        """A statistic that is no quotient of sums; ``is_share`` where 0 and 1 mean that all agree."""
        value = float(statistic(np.ones((1, len(self._places))))[0])
        return figure(value, statistic(self.weights()), n, self.groups if is_share else 0)


def figure(value: float, spread: Values, n: int, groups: int = 0) -> Figure:
    """A value with the 95 % range of its resamples.

    A share on which all ``groups`` agree (0 or 1) has no spread, which is not certainty: its open end
    is then the exact binomial bound for that many patients.
    """
    defined = spread[~np.isnan(spread)]
    low, high = np.quantile(defined, (TAIL, 1 - TAIL)) if defined.size else (np.nan, np.nan)
    if groups and low == high == value and value in (0.0, 1.0):
        bound = TAIL ** (1 / groups)
        low, high = (bound, 1.0) if value else (0.0, 1 - bound)
    return {"value": rounded(value), "interval": [rounded(low), rounded(high)], "n": n}


def quantile(values: Values, share: float) -> Statistic:
    """The lowest value below or at which ``share`` of the weight lies, as a statistic of weights."""
    order = np.argsort(values, kind="stable")

    def statistic(weights: Values) -> Values:
        running = np.cumsum(weights[:, order], axis=1)
        reached = running >= share * running[:, -1:]
        return np.asarray(values[order][reached.argmax(axis=1)])

    return statistic


def divided(part: Any, whole: Any) -> Values:
    """The quotient, NaN where ``whole`` is not above nothing."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))


def rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
