"""Temperature, thresholds and the notion of "familiar", all chosen on slices held out of training."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from typing import Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ml import findings
from ml.decision import HEALTHY, Familiar, softmax

SPECIFICITY: Final = 0.9
WRONGLY_REFUSED: Final = 0.01
SHRINKAGE: Final = 0.05
JITTER: Final = 1e-6
RIDGE: Final = 10.0
SLACK: Final = 1.5
COVERAGE_LOSS: Final = 0.05
LEAST_MARGIN, WIDEST_MARGIN = 0.05, 0.3
BINS: Final = 15
MASK_LEVELS: Final = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
CONTRADICTED: Final = 0.02
LEAST_AREA: Final = 0.002

Logits = NDArray[np.float32]
Targets = NDArray[np.int64]
Limits = Mapping[str, float]
"""The largest ``distance`` and ``foreignness`` that are not refused."""


def temperature(logits: Logits, targets: Targets) -> float:
    """The divisor of the logits that makes the probabilities likeliest; between 0.2 and 5."""

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits, float(np.exp(log_temperature)))
        return float(-np.log(probabilities[np.arange(len(targets)), targets] + 1e-12).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.2), np.log(5.0)), method="bounded")
    return round(float(np.exp(found.x)), 4)


def threshold(tumour: NDArray[np.float64], specificity: float) -> float:
    """The lowest threshold below which at least this share of healthy slices lies.

    ``tumour`` (n,) are their probabilities of a tumour, at least one.
    """
    needed = int(np.ceil(round(specificity * len(tumour), 9)))
    return float(np.nextafter(np.sort(tumour)[needed - 1], np.inf)) if needed else 0.0


def tumour_threshold(probabilities: NDArray[np.float64], targets: Targets) -> float:
    """The ``threshold`` of ``SPECIFICITY``, rounded up to four places.

    Never above one half: then the class alone decides.
    """
    tumour = 1 - probabilities[targets == HEALTHY, HEALTHY]
    if not tumour.size:
        return 0.5
    lowest = Decimal(threshold(tumour, SPECIFICITY)).quantize(Decimal("0.0001"), ROUND_CEILING)
    return float(np.clip(float(lowest), 0.02, 0.5))


def margin(probabilities: NDArray[np.float64], targets: Targets) -> float:
    """A lead of the first class under which about half of the answers are wrong, at most 0.3.

    Not so wide that more than ``COVERAGE_LOSS`` of the slices become uncertain.
    """
    ranked = np.sort(probabilities, axis=1)
    lead = ranked[:, -1] - ranked[:, -2]
    wrong = probabilities.argmax(axis=1) != targets
    candidates = np.linspace(0.02, WIDEST_MARGIN, 15)
    fair = [c for c in candidates if (lead < c).any() and wrong[lead < c].mean() >= 0.4]
    widest = float(np.quantile(lead, COVERAGE_LOSS))
    return round(float(np.clip(min(max(fair, default=0.1), widest), LEAST_MARGIN, WIDEST_MARGIN)), 4)


def answering(logits: Logits, targets: Targets) -> tuple[float, dict[str, float]]:
    """The temperature and, at that temperature, the ``tumour`` and ``margin`` of ``decision.Thresholds``."""
    divisor = temperature(logits, targets)
    probabilities = softmax(logits, divisor)
    return divisor, {
        "tumour": tumour_threshold(probabilities, targets),
        "margin": margin(probabilities, targets),
    }


def outline(masks: NDArray[np.float32], truths: NDArray[np.uint8], targets: Targets) -> dict[str, float]:
    """``mask``: the probability of a point at which outlines agree best with the experts'.

    ``mask_area``: the share of the square that all but ``CONTRADICTED`` of the healthy slices leave
    unoutlined at that probability. ``masks`` (n, m, m); ``truths`` (n, side, side), 0 to 255, a
    constant 128 where nobody drew the outline.
    """
    drawn = truths.max(axis=(1, 2)) > 128
    best = _best_level(masks[drawn], truths[drawn]) if drawn.any() else 0.5
    areas = [findings.share(mask, best) for mask in masks[targets == HEALTHY]]
    limit = float(np.quantile(areas, 1 - CONTRADICTED)) if areas else 1.0
    return {"mask": best, "mask_area": round(max(limit, LEAST_AREA), 5)}


def _best_level(masks: NDArray[np.float32], truths: NDArray[np.uint8]) -> float:
    truth = reduced(truths, masks.shape[1]) >= 128
    return max(MASK_LEVELS, key=lambda level: mean_dice(masks > level, truth))


def mean_dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Over the slices of two stacks (n, m, m) of masks; two empty masks count as 0."""
    common = (found & truth).sum(axis=(1, 2))
    return float(np.mean(2 * common / np.maximum(found.sum(axis=(1, 2)) + truth.sum(axis=(1, 2)), 1)))


def reduced(truths: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Pictures or masks (n, …, …) averaged down to (n, side, side)."""
    small = (PIL.Image.fromarray(t).resize((side, side), PIL.Image.Resampling.BOX) for t in truths)
    return np.stack([np.asarray(picture) for picture in small])


def familiar(
    embeddings: NDArray[np.float32], cells: NDArray[np.str_], strangers: NDArray[np.float32]
) -> Familiar:
    """One centre per cell (class and source), one covariance within cells, shrunk to its diagonal.

    ``strangers`` (m, k), which may be none, are embeddings of pictures that are not brain MRI.
    """
    known = np.sqrt(np.maximum(embeddings, 0)).astype(np.float64)
    names = np.unique(cells)
    centres = np.stack([known[cells == name].mean(axis=0) for name in names])
    within = known - centres[np.searchsorted(names, cells)]
    covariance = within.T @ within / len(within)
    covariance += SHRINKAGE * np.diag(np.diag(covariance)) + JITTER * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(covariance)
    whitening = (vectors / np.sqrt(values)).astype(np.float32)
    origin = (known @ whitening).mean(axis=0).astype(np.float32)
    blank = Familiar((centres @ whitening).astype(np.float32), whitening, origin, np.zeros_like(origin))
    return replace(blank, direction=_direction(blank, embeddings, strangers))


def _direction(
    blank: Familiar, known: NDArray[np.float32], strangers: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Ridge regression of "stranger" on whitened embeddings, both sides with the same weight."""
    here = blank.whiten(known) - blank.origin
    return _towards(blank, here.T @ here / len(here), strangers)


def _towards(
    blank: Familiar, known_moment: NDArray[np.floating], strangers: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The direction, from the second moment (k, k) of what is known and the strangers themselves."""
    if not len(strangers):
        return np.zeros_like(blank.origin)
    there = blank.whiten(strangers) - blank.origin
    spread = known_moment + there.T @ there / len(there)
    return np.asarray(
        np.linalg.solve(spread / 2 + RIDGE * np.eye(len(spread)), there.mean(axis=0) / 2), np.float32
    )


def relearnt(familiar: Familiar, strangers: NDArray[np.float32]) -> Familiar:
    """The same notion of "familiar" with a direction learnt from these strangers alone.

    What was known is not kept, but its second moment follows from the centres and the whitening.
    """
    return replace(familiar, direction=_towards(familiar, _known_moment(familiar), strangers))


def _known_moment(familiar: Familiar) -> NDArray[np.float64]:
    """Covariance within cells plus that between their centres, in the whitened space."""
    whitening, origin = familiar.whitening.astype(np.float64), familiar.origin.astype(np.float64)
    values = 1 / (whitening**2).sum(axis=0)
    diagonal = (whitening**2 @ values**2 - JITTER) / (1 + SHRINKAGE)
    added = SHRINKAGE * whitening.T @ (diagonal[:, None] * whitening) + JITTER * whitening.T @ whitening
    shares = np.linalg.lstsq(familiar.centres.T.astype(np.float64), origin, rcond=None)[0]
    apart = familiar.centres - origin
    return np.asarray(np.eye(len(origin)) - added + (shares[:, None] * apart).T @ apart)


def strangeness(familiar: Familiar, limits: Limits, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    """How near embeddings come to a refusal: above 1 one of the two limits is passed."""
    distance = familiar.distance(embeddings) / max(limits["distance"], JITTER)
    foreignness = familiar.foreignness(embeddings) / max(limits["foreignness"], JITTER)
    return np.asarray(np.maximum(distance, foreignness), np.float64)


def limits(familiar: Familiar, embeddings: NDArray[np.float32]) -> dict[str, float]:
    """Thresholds of ``Familiar``: ``SLACK`` times what ``WRONGLY_REFUSED`` of these slices exceed.

    Slices of another hospital lie farther out than held-out ones of the same collections, and a
    tumour that is refused is a tumour that is not found.
    """
    return {
        "distance": _limit(SLACK * familiar.distance(embeddings)),
        "foreignness": _limit(SLACK * familiar.foreignness(embeddings)),
    }


def _limit(values: NDArray[np.float32]) -> float:
    return round(float(np.quantile(values, 1 - WRONGLY_REFUSED)), 6)


def bins_of(probabilities: NDArray[np.float64]) -> NDArray[np.intp]:
    """The number of the bin of equal width in which the confidence of each answer lies."""
    return np.asarray(np.minimum((probabilities.max(axis=1) * BINS).astype(int), BINS - 1))


def calibration_error(probabilities: NDArray[np.float64], targets: Targets) -> float:
    """Mean distance between confidence and accuracy over ``BINS`` bins of confidence."""
    gaps = probabilities.max(axis=1) - (probabilities.argmax(axis=1) == targets)
    sums = np.bincount(bins_of(probabilities), weights=gaps, minlength=BINS)
    return float(np.abs(sums).sum()) / len(targets)


def brier(probabilities: NDArray[np.float64], targets: Targets) -> float:
    """Mean squared distance from the one-hot truth, summed over classes: 0 to 2."""
    truth = np.eye(probabilities.shape[1])[targets]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())
