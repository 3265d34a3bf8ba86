"""Can the class be told without looking at the head? A small tree on what the file is, not what it shows.

Measured by cross-validation that divides no group, before preparation and after it. Far above chance
before says that the collection can be told by its sources; after, that the network could, too.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.tree import DecisionTreeClassifier, export_text

from ml.statistics import Bootstrap, Figure, divided, figure
from ml.survey import Picture, Survey, asymmetry

FOLDS: Final = 5
DEPTH: Final = 5
SMALLEST_LEAF: Final = 10
SEED: Final = 0
MODES: Final = ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16")
KINDS: Final = ("jpeg", "png", "bmp", "tiff", "webp", "dicom")

FORM: Final = ("mode", "kind", "bits", "width", "height", "aspect", "bytes", "bytes a pixel", "quantisation")
SIDES: Final = "brighter side"
LOOK: Final = (
    "border",
    "border spread",
    "mean",
    "spread",
    "p5",
    "p25",
    "p50",
    "p75",
    "p95",
    "black",
    "grain",
)

Table = NDArray[np.float64]
Views = dict[str, tuple[Table, tuple[str, ...]]]


def measure(found: Survey, groups: Sequence[Any]) -> dict[str, Any]:
    """For each set of properties: macro recall with its interval, chance, and the tree's first questions.

    Empty where there is one class only, or a class with fewer than FOLDS groups.
    """
    targets = np.array([row.target for row in found.rows])
    named = np.asarray(groups)
    present = np.unique(targets)
    if len(present) < 2 or any(len(set(named[targets == one])) < FOLDS for one in present):
        return {}
    return {
        name: _told_from(values, columns, found, named) for name, (values, columns) in views(found).items()
    }


def views(found: Survey) -> Views:
    """The properties compared, by name: (pictures, properties) and the properties' names.

    "prepared" looks for the same properties in what the network sees, where most are constant; with
    "mirrored at random" as training does; "brightness" is what a prepared picture says without its
    shapes, which is not only the file's but also the sequence's and the anatomy's.
    """
    before = np.array([_form(picture) for picture in found.pictures], np.float64)
    side = np.array([[picture.asymmetry] for picture in found.pictures])
    after = np.tile([MODES.index("L"), 0, 8, *found.prepared.shape[1:], 1, 0, 0, 0], (len(before), 1))
    prepared_side = np.array([[asymmetry(picture)] for picture in found.prepared])
    coin = np.random.default_rng(SEED).choice([-1.0, 1.0], prepared_side.shape)
    look = np.array([_look(picture) for picture in found.prepared])
    both = (*FORM, SIDES)
    return {
        "file": (before, FORM),
        "file and brighter side": (np.hstack([before, side]), both),
        "prepared": (np.hstack([after, prepared_side]), both),
        "prepared, mirrored at random": (np.hstack([after, prepared_side * coin]), both),
        "prepared, brightness": (look, LOOK),
    }


def as_text(measured: dict[str, Any]) -> str:
    lines = [f"{'what the tree is told':<30}  macro recall            above chance"]
    for name, result in measured.items():
        low, high = result["interval"]
        share = f"{result['macro_recall']:.3f} [{low:.3f}, {high:.3f}]"
        lines.append(f"{name:<30}  {share:<22}  {result['macro_recall'] - result['chance']:+.3f}")
    return "\n".join(lines)


def _form(picture: Picture) -> tuple[float, ...]:
    facts = picture.facts
    return (
        _place(facts.mode, MODES),
        _place(facts.kind, KINDS),
        facts.bits,
        facts.width,
        facts.height,
        facts.width / facts.height,
        picture.bytes,
        picture.bytes / (facts.width * facts.height),
        picture.tables,
    )


def _place(value: str, known: tuple[str, ...]) -> int:
    return known.index(value) if value in known else len(known)


def _look(picture: NDArray[np.uint8]) -> tuple[float, ...]:
    values = picture.astype(np.float64) / 255
    border = np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])
    grain = np.abs(np.diff(values, n=2, axis=1)).mean()
    percentiles = np.percentile(values, (5, 25, 50, 75, 95))
    black = float(np.mean(picture <= 1))
    return (border.mean(), border.std(), values.mean(), values.std(), *percentiles, black, grain)


def _told_from(
    values: Table, columns: tuple[str, ...], found: Survey, groups: NDArray[Any]
) -> dict[str, Any]:
    targets = np.array([row.target for row in found.rows])
    called = np.empty_like(targets)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED)
    for learn, judge in folds.split(values, targets, groups):
        called[judge] = _tree().fit(values[learn], targets[learn]).predict(values[judge])
    recall = _macro_recall(targets, called, groups)
    return {
        "macro_recall": recall["value"],
        "interval": recall["interval"],
        "chance": round(1 / len(np.unique(targets)), 4),
        "tree": export_text(_tree().fit(values, targets), feature_names=list(columns), max_depth=2),
    }


def _macro_recall(targets: NDArray[np.int64], called: NDArray[np.int64], groups: NDArray[Any]) -> Figure:
    is_class = targets[:, None] == np.unique(targets)
    is_right = is_class & (called == targets)[:, None]
    bootstrap = Bootstrap([str(group) for group in groups])
    right, whole = bootstrap.by_group(is_right), bootstrap.by_group(is_class)
    value = np.mean(divided(right.sum(axis=0), whole.sum(axis=0)))
    spread = np.nanmean(divided(bootstrap.resampled(right), bootstrap.resampled(whole)), axis=1)
    return figure(float(value), spread, len(targets))


def _tree() -> DecisionTreeClassifier:
    return DecisionTreeClassifier(
        max_depth=DEPTH, min_samples_leaf=SMALLEST_LEAF, class_weight="balanced", random_state=SEED
    )
