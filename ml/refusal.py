"""How well pictures that are not brain MRI are told from brain MRI, judged on pictures not learnt from.

A bundle that has learnt from half of the pictures at hand is judged as it is on the other half. One
that has learnt from all of them is judged by its method: what it learnt is learnt anew without the
pictures that are scored, once without a fifth of every kind, once without the whole kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml import calibrate, statistics
from ml.calibrate import Limits
from ml.decision import Familiar
from ml.statistics import Bootstrap, Figure

PARTS: Final = 5

Embeddings = NDArray[np.float32]
Judged = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Of every other picture: 1 where it scores above a brain slice, 0 below; and whether it is refused."""


@dataclass(frozen=True)
class Evidence:
    """Embeddings of the brain slices of ``groups`` (patients) and of the other pictures of ``kinds``."""

    brains: Embeddings
    groups: tuple[str, ...]
    others: Embeddings
    kinds: tuple[str, ...]


def as_shipped(
    evidence: Evidence, familiar: Familiar, limits: Limits, refused: NDArray[np.bool_]
) -> dict[str, Any]:
    """Figures of a bundle that has learnt from none of the others, ``refused`` by its answers."""
    wins = _wins(familiar, limits, evidence.others, evidence.brains)
    return {
        "protocol": "as shipped, on pictures that nothing has learnt from",
        "pictures": len(evidence.kinds),
        "unseen": _figures(evidence, wins, refused),
        "kinds": _by_kind(evidence.kinds, wins, refused),
    }


def learnt_anew(evidence: Evidence, familiar: Familiar, held: Embeddings) -> dict[str, Any]:
    """Figures of the method; ``held`` are embeddings of the slices that set the limits each time."""
    kinds = np.array(evidence.kinds)
    fifth = np.arange(len(kinds))
    for kind in np.unique(kinds):
        fifth[kinds == kind] = np.arange(int(np.sum(kinds == kind))) % PARTS
    wins, refused = _crossed(evidence, familiar, held, fifth)
    without_kind = _crossed(evidence, familiar, held, np.unique(kinds, return_inverse=True)[1])
    return {
        "protocol": "learnt anew without the fifth of each kind that is judged",
        "pictures": len(kinds),
        "unseen": _figures(evidence, wins, refused),
        "kind_never_learnt": _figures(evidence, *without_kind),
        "kinds": _by_kind(evidence.kinds, wins, refused),
    }


def _crossed(evidence: Evidence, familiar: Familiar, held: Embeddings, place: NDArray[np.intp]) -> Judged:
    """The others of each place are judged by what was learnt from those of all other places."""
    wins = np.zeros((len(place), len(evidence.brains)))
    refused = np.zeros(len(place), np.bool_)
    for part in np.unique(place):
        scored = place == part
        learnt = calibrate.relearnt(familiar, evidence.others[~scored])
        limits = calibrate.limits(learnt, held)
        wins[scored] = _wins(learnt, limits, evidence.others[scored], evidence.brains)
        refused[scored] = calibrate.strangeness(learnt, limits, evidence.others[scored]) > 1
    return wins, refused


def _wins(familiar: Familiar, limits: Limits, others: Embeddings, brains: Embeddings) -> NDArray[np.float64]:
    there = calibrate.strangeness(familiar, limits, others)[:, None]
    here = calibrate.strangeness(familiar, limits, brains)
    return np.asarray((there > here) + 0.5 * (there == here))


def _figures(evidence: Evidence, wins: NDArray[np.float64], refused: NDArray[np.bool_]) -> dict[str, Figure]:
    """Patients and pictures are drawn independently."""
    brains = Bootstrap(evidence.groups)
    pictures = Bootstrap([str(index) for index in range(len(wins))], statistics.SEED + 1)
    here, there = brains.weights(), pictures.weights()
    won = np.einsum("bj,bj->b", there @ wins, here)
    spread = statistics.divided(won, here.sum(axis=1) * there.sum(axis=1))
    return {
        "auroc": statistics.figure(float(wins.mean()), spread, len(wins)),
        "refused": pictures.share(refused),
    }


def _by_kind(
    kinds: Sequence[str], wins: NDArray[np.float64], refused: NDArray[np.bool_]
) -> dict[str, dict[str, Any]]:
    chosen = {kind: np.array([one == kind for one in kinds]) for kind in sorted(set(kinds))}
    return {
        kind: {
            "pictures": int(mine.sum()),
            "refused": int(refused[mine].sum()),
            "auroc": statistics.rounded(float(wins[mine].mean())),
        }
        for kind, mine in chosen.items()
    }
