"""Figures from truths and answers, with 95 % intervals from a bootstrap over patients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml import images
from ml.calibrate import brier, calibration_error
from ml.datasets import DataError, Row
from ml.decision import HEALTHY
from ml.errors import ImageError
from ml.labels import CLASSES, REFUSED, TUMOUR_CLASSES, UNCERTAIN
from ml.predictor import Prediction, Predictor

RESAMPLES: Final = 2000
SEED: Final = 0

Confusion = NDArray[np.float64]
Measure = Callable[[Confusion], NDArray[np.float64]]


@dataclass(frozen=True)
class Answers:
    """What a predictor said about labelled slices. Rows of ``probabilities`` are in class order."""

    targets: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    outcomes: tuple[str, ...]
    groups: tuple[str, ...]
    sources: tuple[str, ...]

    def only(self, chosen: NDArray[np.bool_]) -> "Answers":
        def pick(values: Sequence[str]) -> tuple[str, ...]:
            return tuple(value for value, keep in zip(values, chosen, strict=True) if keep)

        return Answers(
            self.targets[chosen],
            self.probabilities[chosen],
            pick(self.outcomes),
            pick(self.groups),
            pick(self.sources),
        )


@dataclass(frozen=True)
class Unreadable:
    """A file that could not be judged, and why."""

    path: str
    code: str
    detail: str


def answers(predictor: Predictor, data: Path, rows: Sequence[Row]) -> tuple[Answers, list[Unreadable]]:
    """Every row through the serving path: read, prepare, predict."""
    read: list[tuple[Row, Prediction]] = []
    failed: list[Unreadable] = []
    for row in tqdm(rows, desc="evaluate", unit="image", leave=False, disable=None):
        try:
            read.append((row, predictor.predict(images.read(data / row.path))))
        except ImageError as error:
            failed.append(Unreadable(row.path, error.code, error.detail))
    return _collect(read), failed


def _collect(read: Sequence[tuple[Row, Prediction]]) -> Answers:
    probabilities = [[prediction.probabilities[name] for name in CLASSES] for _, prediction in read]
    return Answers(
        np.array([row.target for row, _ in read], np.int64),
        np.array(probabilities, np.float64).reshape(-1, len(CLASSES)),
        tuple(prediction.outcome for _, prediction in read),
        tuple(row.group for row, _ in read),
        tuple(row.source for row, _ in read),
    )


def folder_rows(folder: Path) -> list[Row]:
    """Every image of a folder of class folders; every file its own group."""
    rows = [
        Row(str(path.relative_to(folder)), label, folder.name, path.name, "", -1)
        for label in CLASSES
        for path in sorted((folder / label).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    if not rows:
        raise DataError(f"{folder} has no folder named {', '.join(CLASSES)} with images.")
    return rows


def figures(found: Answers) -> dict[str, Any]:
    """The figures of one set of slices; each with ``value`` and, where it has one, ``interval``."""
    tables = _tables(found)
    resampled = _resample(tables)
    whole = tables.sum(axis=0)

    def measured(measure: Measure) -> dict[str, Any]:
        spread = measure(resampled)
        defined = spread[~np.isnan(spread)]
        low, high = np.percentile(defined, (2.5, 97.5)) if defined.size else (np.nan, np.nan)
        return {"value": _round(float(measure(whole[None])[0])), "interval": [_round(low), _round(high)]}

    return {
        "slices": len(found.targets),
        "groups": len(set(found.groups)),
        "accuracy": measured(accuracy),
        "macro_recall": measured(lambda c: np.nanmean(recall(c), axis=1)),
        "macro_f1": measured(lambda c: np.nanmean(f1(c), axis=1)),
        "tumour_accuracy": measured(tumour_accuracy),
        "tumour_sensitivity": measured(tumour_sensitivity),
        "specificity": measured(lambda c: recall(c)[:, HEALTHY]),
        "classes": {name: _class_figures(index, measured) for index, name in enumerate(CLASSES)},
        "confusion": whole.astype(int).tolist(),
        "tumours": int(np.sum(found.targets != HEALTHY)),
        "tumours_called_notumor": int(_missed(whole[None])[0]),
        "calibration_error": _round(calibration_error(found.probabilities, found.targets)),
        "brier": _round(brier(found.probabilities, found.targets)),
        "answers": answer_figures(found),
    }


def answer_figures(found: Answers) -> dict[str, Any]:
    """What the clinician sees: outcomes with thresholds, "uncertain" and refusals."""
    outcomes = np.array(found.outcomes, dtype=object)
    sick = found.targets != HEALTHY
    answered = (outcomes != UNCERTAIN) & (outcomes != REFUSED)
    names = np.array(CLASSES, dtype=object)[found.targets]
    right = answered & (outcomes == names)
    return {
        "coverage": _round(float(answered.mean())),
        "accuracy_when_answered": _round(float(right.sum() / max(answered.sum(), 1))),
        "uncertain": int(np.sum(outcomes == UNCERTAIN)),
        "refused": int(np.sum(outcomes == REFUSED)),
        "tumours_called_notumor": int(np.sum(sick & (outcomes == CLASSES[HEALTHY]))),
        "tumours_refused": int(np.sum(sick & (outcomes == REFUSED))),
        "healthy_called_tumour": int(np.sum(~sick & np.isin(outcomes, TUMOUR_CLASSES))),
    }


def by_source(found: Answers) -> dict[str, dict[str, Any]]:
    """For every class and source: slices, share with the right class, tumours called ``notumor``."""
    cells = [f"{CLASSES[t]}/{s}" for t, s in zip(found.targets, found.sources, strict=True)]
    return {cell: _cell(found.only(np.array([c == cell for c in cells]))) for cell in sorted(set(cells))}


def _cell(part: Answers) -> dict[str, Any]:
    called = part.probabilities.argmax(axis=1)
    sick = part.targets != HEALTHY
    return {
        "slices": len(called),
        "recall": _round(float(np.mean(called == part.targets))),
        "called_notumor": int(np.sum(sick & (called == HEALTHY))),
        **{key: answer_figures(part)[key] for key in ("uncertain", "refused")},
    }


def _tables(found: Answers) -> Confusion:
    """One confusion table (truth, called) per group: (groups, 4, 4)."""
    names = sorted(set(found.groups))
    place = {name: index for index, name in enumerate(names)}
    tables = np.zeros((len(names), len(CLASSES), len(CLASSES)))
    called = found.probabilities.argmax(axis=1)
    rows = np.array([place[group] for group in found.groups], np.intp)
    for row, target, call in zip(rows, found.targets, called, strict=True):
        tables[row, target, call] += 1
    return tables


def _resample(tables: Confusion) -> Confusion:
    """Confusion tables (resamples, 4, 4) of as many groups, drawn with replacement."""
    groups = len(tables)
    counts = np.random.default_rng(SEED).multinomial(groups, np.full(groups, 1 / groups), RESAMPLES)
    return np.asarray(np.tensordot(counts, tables, axes=1))


def accuracy(c: Confusion) -> NDArray[np.float64]:
    return _share(np.trace(c, axis1=1, axis2=2), c.sum(axis=(1, 2)))


def recall(c: Confusion) -> NDArray[np.float64]:
    return _share(np.diagonal(c, axis1=1, axis2=2), c.sum(axis=2))


def precision(c: Confusion) -> NDArray[np.float64]:
    return _share(np.diagonal(c, axis1=1, axis2=2), c.sum(axis=1))


def f1(c: Confusion) -> NDArray[np.float64]:
    """Undefined (NaN) for a class that does not occur in the truth."""
    hits = np.diagonal(c, axis1=1, axis2=2)
    present = np.where(c.sum(axis=2) > 0, 1.0, np.nan)
    return _share(2 * hits, c.sum(axis=1) + c.sum(axis=2)) * present


def tumour_accuracy(c: Confusion) -> NDArray[np.float64]:
    """Of the tumour slices, the share given their own class of tumour."""
    sick = [index for index in range(len(CLASSES)) if index != HEALTHY]
    return _share(np.diagonal(c, axis1=1, axis2=2)[:, sick].sum(axis=1), c[:, sick].sum(axis=(1, 2)))


def tumour_sensitivity(c: Confusion) -> NDArray[np.float64]:
    """Of the tumour slices, the share given any class of tumour."""
    total = c.sum(axis=(1, 2)) - c[:, HEALTHY].sum(axis=1)
    return _share(total - _missed(c), total)


def _missed(c: Confusion) -> NDArray[np.float64]:
    return np.asarray(c[:, :, HEALTHY].sum(axis=1) - c[:, HEALTHY, HEALTHY])


def _share(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))


def _class_figures(index: int, measured: Callable[[Measure], dict[str, Any]]) -> dict[str, Any]:
    return {
        "precision": measured(lambda c: precision(c)[:, index]),
        "recall": measured(lambda c: recall(c)[:, index]),
        "f1": measured(lambda c: f1(c)[:, index]),
    }


def _round(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
