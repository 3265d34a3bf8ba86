"""From a network's logits and embedding to an answer, an "uncertain" or a refusal, with the reason."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml.labels import CLASSES, NO_TUMOUR, UNCERTAIN

HEALTHY: Final = CLASSES.index(NO_TUMOUR)
FLAT: Final = 0.02
GRID: Final = 1 << 13
"""So many pixels, evenly spread, tell whether a slice is even."""

REASONS: Final[Mapping[str, str]] = {
    "near_threshold": "The picture is near the line between tumour and no tumour. Please look closely.",
    "two_plausible": "Two classes are almost equally likely.",
    "not_brain_mri": "This does not look like the brain MRI slices that the model has learnt.",
    "image_blank": "The picture shows nothing but an even surface.",
    "mask_disagrees": "A large area was outlined although no class of tumour was found. Please look closely.",
    "few_slices": "Only a few thin slices look like a tumour, those beside them do not. Please look closely.",
    "no_brain": "This slice of the scan shows no brain.",
}


@dataclass(frozen=True)
class Thresholds:
    """Chosen on a validation fold and kept in the card.

    ``tumour``: lowest probability of a tumour that is not called ``notumor``. ``margin``: least
    lead of the most likely class. ``distance`` and ``foreignness``: the largest of an embedding that
    still counts as brain MRI. ``mask``: probability above which a pixel counts as a tumour's. ``mask_area``:
    share of the network's square from which an outline contradicts ``notumor``; None asks for no
    such agreement.
    """

    tumour: float
    margin: float
    distance: float
    foreignness: float
    mask: float = 0.5
    mask_area: float | None = None

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> "Thresholds":
        """Raises TypeError where the card lacks one that has no default."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: float(value) for name, value in card["thresholds"].items() if name in known})


@dataclass(frozen=True)
class Familiar:
    """What embeddings of brain MRI look like, and in which direction other pictures lie.

    Embeddings are channel means, so their square roots are taken first. ``centres`` (c, k) and
    ``direction`` (k,) are in the space whitened by ``whitening`` (k, k); ``origin`` (k,) likewise.
    """

    centres: NDArray[np.float32]
    whitening: NDArray[np.float32]
    origin: NDArray[np.float32]
    direction: NDArray[np.float32]

    @classmethod
    def load(cls, path: Path) -> "Familiar":
        with np.load(path) as kept:
            return cls(**{field.name: kept[field.name] for field in fields(cls)})

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    def whiten(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(np.sqrt(np.maximum(embeddings, 0)) @ self.whitening)

    def distance(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mahalanobis distance (n,) of embeddings (n, k) to the nearest centre, per dimension."""
        squared = ((self.whiten(embeddings)[:, None, :] - self.centres[None]) ** 2).mean(axis=2)
        return np.asarray(np.sqrt(squared.min(axis=1)), np.float32)

    def foreignness(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """How far (n,) embeddings (n, k) lie towards pictures of other things."""
        return np.asarray((self.whiten(embeddings) - self.origin) @ self.direction, np.float32)


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Calibrated probabilities, same shape, each row summing to 1."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def unusable(pixels: NDArray[np.float32]) -> str | None:
    """The reason why a slice (height, width) in [0, 1] cannot be judged at all, if there is one."""
    step = max(1, math.isqrt(pixels.size // GRID))
    low, high = np.percentile(pixels[::step, ::step], (1, 99))
    return "image_blank" if high - low < FLAT else None


def decide(
    probabilities: NDArray[np.float64], thresholds: Thresholds, *, outlined: bool = False
) -> tuple[str, str | None]:
    """(outcome, reason) of one slice or scan that was not refused.

    It is called ``notumor`` only below the tumour threshold, which is far under one half, and not
    where a large area is ``outlined``.
    """
    best = int(probabilities.argmax())
    if 1 - probabilities[HEALTHY] < thresholds.tumour:
        return (UNCERTAIN, "mask_disagrees") if outlined else (NO_TUMOUR, None)
    if best == HEALTHY:
        return UNCERTAIN, "near_threshold"
    second, first = np.sort(probabilities)[-2:]
    if first - second >= thresholds.margin:
        return CLASSES[best], None
    rival = int(np.argsort(probabilities)[-2])
    return UNCERTAIN, "near_threshold" if rival == HEALTHY else "two_plausible"


def refusals(
    unusable: Sequence[str | None],
    embeddings: NDArray[np.float32],
    familiar: Familiar,
    thresholds: Thresholds,
) -> list[str | None]:
    """For every slice the reason why it is refused, or None."""
    strange = familiar.distance(embeddings) > thresholds.distance
    strange |= familiar.foreignness(embeddings) > thresholds.foreignness
    return [why or ("not_brain_mri" if odd else None) for why, odd in zip(unusable, strange, strict=True)]
