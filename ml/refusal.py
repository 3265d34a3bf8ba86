"""How well pictures that are not brain MRI are told from brain MRI, judged on pictures not learnt from.

The refusal learns a direction from the very pictures that are at hand to judge it. So it is learnt
anew without those that are scored: once without a fifth of every kind, once without the whole kind.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml import calibrate, statistics
from ml.datasets import DataError
from ml.decision import Familiar
from ml.statistics import Bootstrap, Figure

PARTS: Final = 5

Embeddings = NDArray[np.float32]


@dataclass(frozen=True)
class Stranger:
    """A picture that is not brain MRI."""

    path: str
    kind: str


def strangers(data: Path) -> list[Stranger]:
    """The rows of ``ood.csv`` in the order of their kinds and paths."""
    table = data / "ood.csv"
    if not table.is_file():
        raise DataError(f"There is no table {table.name} in {data}.")
    with table.open(encoding="utf-8", newline="") as file:
        found = [Stranger(row["path"], row["kind"]) for row in csv.DictReader(file)]
    return sorted(found, key=lambda one: (one.kind, one.path))


@dataclass(frozen=True)
class Evidence:
    """Embeddings: of ``held`` slices that set the limits, of the ``brains`` and ``others`` that are judged.

    ``groups`` are the patients of the brains, ``kinds`` the kinds of the others.
    """

    familiar: Familiar
    held: Embeddings
    brains: Embeddings
    groups: tuple[str, ...]
    others: Embeddings
    kinds: tuple[str, ...]


def figures(evidence: Evidence) -> dict[str, Any]:
    """``auroc`` and share ``refused`` of the others by protocol; by kind under the first of them."""
    kinds = np.array(evidence.kinds)
    place = np.arange(len(kinds))
    for kind in np.unique(kinds):
        place[kinds == kind] = np.arange(int(np.sum(kinds == kind))) % PARTS
    first = _judged(evidence, place)
    return {
        "pictures": len(kinds),
        "kind_learnt": _protocol(evidence, *first),
        "kind_never_learnt": _protocol(
            evidence, *_judged(evidence, np.unique(kinds, return_inverse=True)[1])
        ),
        "kinds": {str(kind): _kind(kinds == kind, *first) for kind in np.unique(kinds)},
    }


Judged = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Of every other picture: how often it scores above each brain slice (m, n), and whether it is refused."""


def _judged(evidence: Evidence, place: NDArray[np.intp]) -> Judged:
    wins = np.zeros((len(place), len(evidence.brains)))
    refused = np.zeros(len(place), np.bool_)
    for part in np.unique(place):
        scored = place == part
        learnt = calibrate.relearnt(evidence.familiar, evidence.others[~scored])
        limits = calibrate.limits(learnt, evidence.held)
        there = calibrate.strangeness(learnt, limits, evidence.others[scored])
        here = calibrate.strangeness(learnt, limits, evidence.brains)
        wins[scored] = (there[:, None] > here) + 0.5 * (there[:, None] == here)
        refused[scored] = there > 1
    return wins, refused


def _protocol(evidence: Evidence, wins: NDArray[np.float64], refused: NDArray[np.bool_]) -> dict[str, Figure]:
    """Patients and pictures are drawn independently."""
    brains = Bootstrap(evidence.groups)
    pictures = Bootstrap([str(index) for index in range(len(wins))])
    here, there = brains.weights(), pictures.weights()
    won = np.einsum("bj,bj->b", there @ wins, here)
    spread = statistics.divided(won, here.sum(axis=1) * there.sum(axis=1))
    return {
        "auroc": statistics.figure(float(wins.mean()), spread, len(wins)),
        "refused": pictures.share(refused),
    }


def _kind(chosen: NDArray[np.bool_], wins: NDArray[np.float64], refused: NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "pictures": int(chosen.sum()),
        "refused": int(refused[chosen].sum()),
        "auroc": statistics.rounded(float(wins[chosen].mean())),
    }


def wrongly_refused(outcomes: Sequence[str], groups: Sequence[str], refused: str) -> Figure:
    return Bootstrap(groups).share(np.array([outcome == refused for outcome in outcomes]))
