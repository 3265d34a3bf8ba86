"""How sure the probabilities are entitled to be, and what answering only where sure gains."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml import statistics
from ml.calibrate import BINS, bins_of
from ml.decision import softmax
from ml.evaluate import Answers
from ml.labels import REFUSED
from ml.statistics import Bootstrap, Figure, Statistic, Values

COVERAGE: Final = 0.9
COVERAGES: Final = tuple(round(0.5 + 0.05 * step, 2) for step in range(11))


def calibration(found: Answers, temperature: float) -> dict[str, Any]:
    """Calibration error and Brier score with the card's temperature and without, and the bins with it.

    Resampling adds noise to every bin, so that the interval of an error lies rather high.
    """
    before = unscaled(found.probabilities, temperature)
    return {
        "before": _errors(before, found),
        "after": _errors(found.probabilities, found),
        "bins": bins(found.probabilities, found.targets),
    }


def unscaled(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """What the probabilities were before division of the logits by ``temperature``."""
    return softmax(np.log(np.maximum(probabilities, 1e-300)), 1 / temperature)


def _errors(probabilities: NDArray[np.float64], found: Answers) -> dict[str, Figure]:
    bootstrap, n = Bootstrap(found.groups), len(found.targets)
    truth = np.eye(probabilities.shape[1])[found.targets]
    gaps = np.zeros((n, BINS))
    gaps[np.arange(n), bins_of(probabilities)] = _gap(probabilities, found.targets)
    sums = bootstrap.by_group(np.concatenate([gaps, np.ones((n, 1))], axis=1))
    return {
        "calibration_error": statistics.figure(
            float(_error(sums.sum(axis=0)[None])[0]), _error(bootstrap.resampled(sums)), n
        ),
        "brier": bootstrap.share(((probabilities - truth) ** 2).sum(axis=1)),
    }


def _gap(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> Values:
    return np.asarray(probabilities.max(axis=1) - (probabilities.argmax(axis=1) == targets))


def _error(sums: Values) -> Values:
    """From (n, BINS + 1) sums of gaps and of slices."""
    return statistics.divided(np.abs(sums[:, :-1]).sum(axis=1), sums[:, -1])


def bins(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Every bin that is not empty: its edges, slices, mean confidence and accuracy."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    place = bins_of(probabilities)
    return [
        {
            "from": round(index / BINS, 4),
            "to": round((index + 1) / BINS, 4),
            "slices": int(np.sum(place == index)),
            "confidence": round(float(confidence[place == index].mean()), 4),
            "accuracy": round(float(right[place == index].mean()), 4),
        }
        for index in np.unique(place).tolist()
    ]


def selective(found: Answers) -> dict[str, Any]:
    """Accuracy where only the surest slices are answered; what was refused is left out first."""
    refused = np.array([outcome == REFUSED for outcome in found.outcomes])
    confidence = np.where(refused, 0.0, found.probabilities.max(axis=1))
    right, bootstrap = found.called == found.targets, Bootstrap(found.groups)
    n, at_90 = len(right), answered(confidence, right, COVERAGE)
    curve = [float(answered(confidence, right, c)(np.ones((1, n)))[0]) for c in COVERAGES]
    return {
        "accuracy_at_90": bootstrap.weighted(at_90, round(COVERAGE * n), is_share=True),
        "curve": [[c, statistics.rounded(a)] for c, a in zip(COVERAGES, curve, strict=True)],
    }


def answered(confidence: Values, right: NDArray[np.bool_], coverage: float) -> Statistic:
    """Accuracy on the surest share of the weight, as a statistic of weights."""
    order = np.argsort(-confidence, kind="stable")

    def statistic(weights: Values) -> Values:
        sorted_weights = weights[:, order]
        before = np.cumsum(sorted_weights, axis=1) - sorted_weights
        room = coverage * sorted_weights.sum(axis=1, keepdims=True)
        taken = np.clip(room - before, 0, sorted_weights)
        return statistics.divided(taken @ right[order].astype(np.float64), taken.sum(axis=1))

    return statistic
