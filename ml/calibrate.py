"""Temperature, thresholds and the notion of "familiar", all chosen on slices held out of training."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ml.decision import HEALTHY, Familiar, softmax

SPECIFICITY: Final = 0.95
WRONGLY_REFUSED: Final = 0.005
SHRINKAGE: Final = 0.05
COVERAGE_LOSS: Final = 0.05

Logits = NDArray[np.float32]
Targets = NDArray[np.int64]


def temperature(logits: Logits, targets: Targets) -> float:
    """The divisor of the logits that makes the probabilities likeliest; between 0.2 and 5."""

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits, float(np.exp(log_temperature)))
        return float(-np.log(probabilities[np.arange(len(targets)), targets] + 1e-12).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.2), np.log(5.0)), method="bounded")
    return round(float(np.exp(found.x)), 4)


def tumour_threshold(probabilities: NDArray[np.float64], targets: Targets) -> float:
    """The lowest tumour probability that still leaves ``SPECIFICITY`` of the healthy slices alone.

    Never above one half: then the class alone decides.
    """
    tumour = np.sort(1 - probabilities[targets == HEALTHY, HEALTHY])
    if not tumour.size:
        return 0.5
    allowed = tumour[min(int(np.ceil(SPECIFICITY * tumour.size)), tumour.size - 1)]
    return round(float(np.clip(allowed, 0.02, 0.5)), 4)


def margin(probabilities: NDArray[np.float64], targets: Targets) -> float:
    """A lead of the first class under which about half of the answers are wrong, at most 0.3.

    Not so wide that more than ``COVERAGE_LOSS`` of the slices become uncertain.
    """
    ranked = np.sort(probabilities, axis=1)
    lead = ranked[:, -1] - ranked[:, -2]
    wrong = probabilities.argmax(axis=1) != targets
    candidates = np.linspace(0.02, 0.3, 15)
    fair = [c for c in candidates if (lead < c).any() and wrong[lead < c].mean() >= 0.4]
    widest = float(np.quantile(lead, COVERAGE_LOSS))
    return round(float(np.clip(min(max(fair, default=0.1), widest), 0.05, 0.3)), 4)


def familiar(embeddings: NDArray[np.float32], cells: NDArray[np.str_]) -> Familiar:
    """One centre per cell (class and source), one covariance within cells, shrunk to its diagonal."""
    names = np.unique(cells)
    centres = np.stack([embeddings[cells == name].mean(axis=0) for name in names])
    within = embeddings - centres[np.searchsorted(names, cells)]
    covariance = within.T @ within / len(within)
    covariance += SHRINKAGE * np.diag(np.diag(covariance)) + 1e-6 * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(covariance)
    return Familiar(centres.astype(np.float32), (vectors / np.sqrt(values)).astype(np.float32))


def farthest(distances: NDArray[np.float32]) -> float:
    """The distance that wrongly refuses at most ``WRONGLY_REFUSED`` of these brain MRI slices."""
    return round(float(np.quantile(distances, 1 - WRONGLY_REFUSED)), 4)


def calibration_error(probabilities: NDArray[np.float64], targets: Targets, bins: int = 15) -> float:
    """Mean distance between confidence and accuracy over equal-width bins of confidence."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(float(confidence[place == b].sum() - right[place == b].sum())) for b in range(bins)]
    return sum(gaps) / len(targets)


def brier(probabilities: NDArray[np.float64], targets: Targets) -> float:
    """Mean squared distance from the one-hot truth, summed over classes: 0 to 2."""
    truth = np.eye(probabilities.shape[1])[targets]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())
