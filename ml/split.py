"""A new division of a collection into a test share and folds, no group divided, classes kept in proportion.

The project's own figures rest on the frozen split of the tables, never on one made here.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ml import outputs
from ml.datasets import DataError, Row
from ml.labels import CLASSES

TEST: Final = "test"
DEV: Final = "dev"
COLUMNS: Final = ("path", "label", "source", "group", "split", "fold")

Place = tuple[str, int]


def split(
    rows: Sequence[Row], groups: Sequence[str], share: float, folds: int, seed: int
) -> dict[str, Place]:
    """(split, fold) of every group: ("test", -1) or ("dev", 0 … folds - 1).

    The same rows, share, folds and seed give the same places, whatever the order of the rows. The
    larger groups are placed first, each where its classes are wanted most; among groups of about the
    same size the seed decides the order. Raises DataError split_impossible where a class has fewer
    groups than there are places.
    """
    _check(rows, groups, share, folds)
    places: list[Place] = [(TEST, -1), *((DEV, fold) for fold in range(folds))]
    shares = np.array([share, *[(1 - share) / folds] * folds])
    counts = _class_counts(rows, groups)
    wanted = shares[:, None] * sum(counts.values(), np.zeros(len(CLASSES)))
    placed = np.zeros_like(wanted)
    chosen = {}
    for group in _ordered(counts, seed):
        at = _neediest(wanted, placed, counts[group])
        placed[at] += counts[group]
        chosen[group] = places[at]
    return chosen


def as_csv(rows: Sequence[Row], groups: Sequence[str], places: dict[str, Place]) -> str:
    ordered = sorted(zip(rows, groups, strict=True), key=lambda pair: pair[0].path)
    records = [(row.path, row.label, row.source, group, *places[group]) for row, group in ordered]
    return outputs.csv_text([COLUMNS, *records])


def as_text(rows: Sequence[Row], groups: Sequence[str], places: dict[str, Place]) -> str:
    """Pictures of each class, and groups, in every place; the share of the test beside its count."""
    counts = Counter((places[group], row.label) for row, group in zip(rows, groups, strict=True))
    totals = Counter(row.label for row in rows)
    members = Counter(places[group] for group in set(groups))
    lines = [f"{'':<8}" + "".join(f"{label:>18}" for label in CLASSES) + f"{'groups':>9}"]
    for place in sorted(members, key=lambda place: place[1]):
        cells = [_cell(counts[place, label], totals[label]) for label in CLASSES]
        name = TEST if place[0] == TEST else f"fold {place[1]}"
        lines.append(f"{name:<8}" + "".join(f"{cell:>18}" for cell in cells) + f"{members[place]:9d}")
    return "\n".join(lines)


def _cell(count: int, total: int) -> str:
    return f"{count} ({count / total:.1%})" if total else "-"


def _check(rows: Sequence[Row], groups: Sequence[str], share: float, folds: int) -> None:
    if not 0 < share < 1 or folds < 1:
        raise DataError(
            "The test share lies between 0 and 1, and there is at least one fold.", code="split_impossible"
        )
    members: dict[str, set[str]] = defaultdict(set)
    for row, group in zip(rows, groups, strict=True):
        members[row.label].add(group)
    for label, found in sorted(members.items()):
        if len(found) < folds + 1:
            raise DataError(
                f"{label} has {len(found)} groups, too few for a test share and {folds} folds.",
                code="split_impossible",
            )


def _class_counts(rows: Sequence[Row], groups: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    counts: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(len(CLASSES)))
    for row, group in zip(rows, groups, strict=True):
        counts[group][row.target] += 1
    return counts


def _ordered(counts: dict[str, NDArray[np.float64]], seed: int) -> list[str]:
    """Large before small by powers of two, in an order of the seed's within a power."""
    names = sorted(counts)
    luck = np.random.default_rng(seed).permutation(len(names))
    size = {name: math.floor(math.log2(counts[name].sum())) for name in names}
    return [names[at] for at in sorted(luck, key=lambda at: -size[names[at]])]


def _neediest(wanted: NDArray[np.float64], placed: NDArray[np.float64], group: NDArray[np.float64]) -> int:
    """The place that lacks the largest share of what it wants of the group's classes."""
    present = group > 0
    lacking = 1 - placed[:, present] / wanted[:, present]
    return int(np.argmax(lacking @ group[present]))
