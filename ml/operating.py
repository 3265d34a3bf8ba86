"""Tumour or no tumour at a threshold: what is missed, what is alarmed, and what an answer then means.

At a threshold a slice is called ``notumor`` where its probability of a tumour is below it. Refusals
and "uncertain" play no part here.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml import statistics
from ml.evaluate import Answers
from ml.statistics import Bootstrap, Figure, Values

SPECIFICITY: Final = 0.95
PREVALENCES: Final = (0.01, 0.05, 0.2)


def at(found: Answers, limit: float) -> dict[str, Any]:
    """Tumours called ``notumor`` and specificity at one threshold."""
    bootstrap, negative = Bootstrap(found.groups), found.tumour < limit
    return {
        "threshold": round(limit, 6),
        "tumours": int(found.sick.sum()),
        "tumours_called_notumor": int(np.sum(negative & found.sick)),
        "missed": bootstrap.share(negative & found.sick, found.sick),
        "specificity": bootstrap.share(negative & ~found.sick, ~found.sick),
    }


def roc_area(found: Answers) -> Figure | None:
    """The chance that a tumour slice has a higher tumour probability than a healthy one."""
    if found.sick.all() or not found.sick.any():
        return None
    bootstrap = Bootstrap(found.groups)
    statistic = area(found.tumour, found.sick)
    return bootstrap.weighted(statistic, len(found.targets))


def area(scores: Values, positive: NDArray[np.bool_]) -> statistics.Statistic:
    """The area under the ROC curve as a statistic of weights; ties count half."""
    above = scores[positive, None] > scores[None, ~positive]
    level = scores[positive, None] == scores[None, ~positive]
    wins = above + 0.5 * level

    def statistic(weights: Values) -> Values:
        here, there = weights[:, positive], weights[:, ~positive]
        won = np.einsum("bi,bi->b", here @ wins, there)
        return statistics.divided(won, here.sum(axis=1) * there.sum(axis=1))

    return statistic


def at_prevalence(
    found: Answers, limit: float, prevalences: Sequence[float] = PREVALENCES
) -> dict[str, dict[str, Figure]]:
    """PPV and NPV where so large a share of slices shows a tumour, by prevalence.

    Sensitivity and specificity at ``limit`` are taken from ``found``, which must hold both kinds.
    """
    bootstrap, positive = Bootstrap(found.groups), found.tumour >= limit
    columns = (positive & found.sick, found.sick, ~positive & ~found.sick, ~found.sick)
    resampled = bootstrap.resampled(bootstrap.by_group(np.stack(columns, axis=1).astype(np.float64)))
    spreads = (statistics.divided(*resampled[:, :2].T), statistics.divided(*resampled[:, 2:].T))
    sensitivity, specificity = (np.asarray(p.sum() / w.sum()) for p, w in (columns[:2], columns[2:]))
    sensitive, specific = (_least(bootstrap.share(p, w)) for p, w in (columns[:2], columns[2:]))

    def figures(prevalence: float) -> dict[str, Figure]:
        values = _predictive(sensitivity, specificity, prevalence)
        least = (
            _predictive(sensitivity, specific, prevalence)[0],
            _predictive(sensitive, specificity, prevalence)[1],
        )
        around = _predictive(*spreads, prevalence)
        return {
            name: _bounded(statistics.figure(float(values[i]), around[i], len(found.targets)), least[i])
            for i, name in enumerate(("ppv", "npv"))
        }

    return {f"{prevalence:g}": figures(prevalence) for prevalence in prevalences}


def _predictive(sensitivity: Values, specificity: Values, prevalence: float) -> tuple[Values, Values]:
    """(PPV, NPV)"""
    found, alarmed = prevalence * sensitivity, (1 - prevalence) * (1 - specificity)
    missed, left = prevalence * (1 - sensitivity), (1 - prevalence) * specificity
    return statistics.divided(found, found + alarmed), statistics.divided(left, left + missed)


def _least(figure: Figure) -> Values:
    return np.array(figure["interval"][0])


def _bounded(figure: Figure, least: Values) -> Figure:
    """Without a single false answer resamples have no spread: then the bound of the share decides."""
    if figure["value"] == figure["interval"][0] == 1:
        return {**figure, "interval": [statistics.rounded(float(least)), 1.0]}
    return figure
