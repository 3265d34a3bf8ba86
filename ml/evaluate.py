"""Figures from truths and answers, with 95 % intervals from a bootstrap over patients."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml import images, outlines, statistics
from ml.calibrate import brier, calibration_error
from ml.datasets import DataError, Row
from ml.decision import HEALTHY
from ml.errors import ImageError
from ml.image_types import Image
from ml.labels import CLASSES, REFUSED, TUMOUR_CLASSES, UNCERTAIN
from ml.predictor import Prediction, Predictor
from ml.statistics import Bootstrap, Figure

Confusion = NDArray[np.float64]
Measure = Callable[[Confusion], NDArray[np.float64]]


@dataclass(frozen=True)
class Marks:
    """How far masks agree with the experts' on n slices; areas are pixels of the slice.

    ``truth``: the expert's area, NaN where nobody drew one. ``found``: the area shown with the answer,
    0 where the answer shows none. ``dice`` and ``overlap`` (of the boxes): NaN where there is no
    tumour or no expert's mask.
    """

    truth: NDArray[np.float64]
    found: NDArray[np.float64]
    picture: NDArray[np.float64]
    dice: NDArray[np.float64]
    overlap: NDArray[np.float64]

    def only(self, chosen: NDArray[np.bool_]) -> "Marks":
        return Marks(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


@dataclass(frozen=True)
class Answers:
    """What a predictor said about labelled slices. Rows of ``probabilities`` are in class order.

    ``marks`` is None for a model that outlines nothing.
    """

    targets: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    outcomes: tuple[str, ...]
    groups: tuple[str, ...]
    sources: tuple[str, ...]
    marks: Marks | None = None

    def only(self, chosen: NDArray[np.bool_]) -> "Answers":
        def pick(values: Sequence[str]) -> tuple[str, ...]:
            return tuple(value for value, keep in zip(values, chosen, strict=True) if keep)

        return Answers(
            self.targets[chosen],
            self.probabilities[chosen],
            pick(self.outcomes),
            pick(self.groups),
            pick(self.sources),
            self.marks.only(chosen) if self.marks else None,
        )

    @property
    def sick(self) -> NDArray[np.bool_]:
        return np.asarray(self.targets != HEALTHY)

    @property
    def called(self) -> NDArray[np.int64]:
        """The likeliest class, whatever the outcome."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    @property
    def tumour(self) -> NDArray[np.float64]:
        """The probability of any tumour."""
        return np.asarray(1 - self.probabilities[:, HEALTHY])


@dataclass(frozen=True)
class Unreadable:
    """A file that could not be judged, and why."""

    path: str
    code: str
    detail: str


Vary = Callable[[Image], Image]
Mark = tuple[float, float, float, float, float]


def answers(
    predictor: Predictor, data: Path, rows: Sequence[Row], vary: Vary | None = None
) -> tuple[Answers, list[Unreadable]]:
    """Every row through the serving path: read, prepare, predict; ``vary`` changes what was read."""
    read: list[tuple[Row, Prediction]] = []
    marks: list[Mark] = []
    failed: list[Unreadable] = []
    for row in tqdm(rows, desc="evaluate", unit="image", leave=False, disable=None):
        try:
            image = images.read(data / row.path)
            prediction = predictor.predict(vary(image) if vary else image)
        except ImageError as error:
            failed.append(Unreadable(row.path, error.code, error.detail))
            continue
        read.append((row, prediction))
        if vary is None and _outlines(prediction):
            marks.append(_mark(data, row, image, prediction))
    return _collect(read, marks), failed


def _outlines(prediction: Prediction) -> bool:
    """Whether the model has a mask at all, shown or not."""
    return any(result.mask_area_px is not None for result in prediction.slices)


def _mark(data: Path, row: Row, image: Image, prediction: Prediction) -> Mark:
    height, width = image.slices[prediction.slice_index].shape
    truth = outlines.outline(data, row, (height, width))
    found = prediction.masks.get(prediction.slice_index, np.zeros((height, width), np.bool_))
    area = np.nan if truth is None else float(truth.sum())
    if truth is None or not truth.any():
        return area, float(found.sum()), float(found.size), np.nan, np.nan
    agreement = outlines.dice(truth, found), outlines.box_overlap(truth, found)
    return area, float(found.sum()), float(found.size), *agreement


def _collect(read: Sequence[tuple[Row, Prediction]], marks: Sequence[Mark]) -> Answers:
    probabilities = [[prediction.probabilities[name] for name in CLASSES] for _, prediction in read]
    return Answers(
        np.array([row.target for row, _ in read], np.int64),
        np.array(probabilities, np.float64).reshape(-1, len(CLASSES)),
        tuple(prediction.outcome for _, prediction in read),
        tuple(row.group for row, _ in read),
        tuple(row.source for row, _ in read),
        Marks(*np.array(marks, np.float64).T) if marks else None,
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
    """The figures of one set of slices; shares with ``value``, ``interval`` and ``n``."""
    bootstrap = Bootstrap(found.groups)
    tables = _tables(found, bootstrap)
    whole = tables.sum(axis=0)
    measured = {name: _measured(bootstrap, tables, *how) for name, how in MEASURES.items()}
    return {
        "slices": len(found.targets),
        "groups": bootstrap.groups,
        **measured,
        "classes": {name: _class_figures(bootstrap, tables, index) for index, name in enumerate(CLASSES)},
        "confusion": whole.astype(int).tolist(),
        "tumours": int(np.sum(found.sick)),
        "tumours_called_notumor": int(_missed(whole[None])[0]),
        "calibration_error": statistics.rounded(calibration_error(found.probabilities, found.targets)),
        "brier": statistics.rounded(brier(found.probabilities, found.targets)),
        "answers": answer_figures(found),
    }


def _measured(bootstrap: Bootstrap, tables: Confusion, measure: Measure, cases: Measure) -> Figure:
    whole = tables.sum(axis=0)[None]
    taking_part = int(np.sum(cases(tables) > 0))
    spread = measure(bootstrap.resampled(tables))
    return statistics.figure(float(measure(whole)[0]), spread, int(cases(whole)[0]), taking_part)


def _class_figures(bootstrap: Bootstrap, tables: Confusion, index: int) -> dict[str, Figure]:
    def true(c: Confusion) -> NDArray[np.float64]:
        return np.asarray(c[:, index].sum(axis=1))

    def called(c: Confusion) -> NDArray[np.float64]:
        return np.asarray(c[:, :, index].sum(axis=1))

    return {
        "precision": _measured(bootstrap, tables, lambda c: precision(c)[:, index], called),
        "recall": _measured(bootstrap, tables, lambda c: recall(c)[:, index], true),
        "f1": _measured(bootstrap, tables, lambda c: f1(c)[:, index], true),
    }


def compare(first: Answers, second: Answers) -> dict[str, Figure]:
    """What ``second`` gains over ``first`` on the same slices: differences with paired intervals.

    An interval that excludes 0 is a difference that other patients would most likely show, too. Raises
    ValueError where the slices are not the same.
    """
    same = np.array_equal(first.targets, second.targets)
    if not same or first.groups != second.groups or first.sources != second.sources:
        raise ValueError("two sets of answers are compared on the same slices in the same order")
    bootstrap = Bootstrap(first.groups)
    before, after = (_tables(found, bootstrap) for found in (first, second))

    def difference(measure: Measure, cases: Measure) -> Figure:
        old, new = (measure(t.sum(axis=0)[None])[0] for t in (before, after))
        spread = measure(bootstrap.resampled(after)) - measure(bootstrap.resampled(before))
        return statistics.figure(float(new - old), spread, int(cases(before.sum(axis=0)[None])[0]))

    return {name: difference(*how) for name, how in MEASURES.items()}


def joined(parts: Iterable[Answers]) -> Answers:
    """The slices of several sets one after the other, as the folds of a cross-validation."""
    sets = list(parts)
    marked = [found.marks for found in sets if found.marks is not None]
    marks = None
    if marked and len(marked) == len(sets):
        columns = {f.name: np.concatenate([getattr(m, f.name) for m in marked]) for f in fields(Marks)}
        marks = Marks(**columns)
    return Answers(
        np.concatenate([found.targets for found in sets]),
        np.concatenate([found.probabilities for found in sets]),
        tuple(outcome for found in sets for outcome in found.outcomes),
        tuple(group for found in sets for group in found.groups),
        tuple(source for found in sets for source in found.sources),
        marks,
    )


def answer_figures(found: Answers) -> dict[str, Any]:
    """What the clinician sees: outcomes with thresholds, "uncertain" and refusals."""
    outcomes = np.array(found.outcomes, dtype=object)
    sick = found.sick
    answered = (outcomes != UNCERTAIN) & (outcomes != REFUSED)
    names = np.array(CLASSES, dtype=object)[found.targets]
    right = outcomes == names
    return {
        "coverage": statistics.rounded(float(answered.mean())),
        "accuracy_when_answered": statistics.rounded(float(statistics.divided(right.sum(), answered.sum()))),
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
    called = part.called
    sick = part.sick
    return {
        "slices": len(called),
        "recall": statistics.rounded(float(np.mean(called == part.targets))),
        "called_notumor": int(np.sum(sick & (called == HEALTHY))),
        **{key: answer_figures(part)[key] for key in ("uncertain", "refused")},
    }


def _tables(found: Answers, bootstrap: Bootstrap) -> Confusion:
    """One confusion table (truth, called) per group: (groups, 4, 4)."""
    cells = np.zeros((len(found.targets), len(CLASSES), len(CLASSES)))
    cells[np.arange(len(cells)), found.targets, found.called] = 1
    return bootstrap.by_group(cells)


def accuracy(c: Confusion) -> NDArray[np.float64]:
    return statistics.divided(np.trace(c, axis1=1, axis2=2), c.sum(axis=(1, 2)))


def recall(c: Confusion) -> NDArray[np.float64]:
    return statistics.divided(np.diagonal(c, axis1=1, axis2=2), c.sum(axis=2))


def precision(c: Confusion) -> NDArray[np.float64]:
    return statistics.divided(np.diagonal(c, axis1=1, axis2=2), c.sum(axis=1))


def f1(c: Confusion) -> NDArray[np.float64]:
    """Undefined (NaN) for a class that does not occur in the truth."""
    hits = np.diagonal(c, axis1=1, axis2=2)
    present = np.where(c.sum(axis=2) > 0, 1.0, np.nan)
    return statistics.divided(2 * hits, c.sum(axis=1) + c.sum(axis=2)) * present


def tumour_accuracy(c: Confusion) -> NDArray[np.float64]:
    """Of the tumour slices, the share given their own class of tumour."""
    sick = [index for index in range(len(CLASSES)) if index != HEALTHY]
    return statistics.divided(
        np.diagonal(c, axis1=1, axis2=2)[:, sick].sum(axis=1), c[:, sick].sum(axis=(1, 2))
    )


def tumour_sensitivity(c: Confusion) -> NDArray[np.float64]:
    """Of the tumour slices, the share given any class of tumour."""
    total = c.sum(axis=(1, 2)) - c[:, HEALTHY].sum(axis=1)
    return statistics.divided(total - _missed(c), total)


def _missed(c: Confusion) -> NDArray[np.float64]:
    return np.asarray(c[:, :, HEALTHY].sum(axis=1) - c[:, HEALTHY, HEALTHY])


def macro_recall(c: Confusion) -> NDArray[np.float64]:
    return _mean_of_defined(recall(c))


def macro_f1(c: Confusion) -> NDArray[np.float64]:
    return _mean_of_defined(f1(c))


def _mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return statistics.divided(np.nansum(values, axis=1), np.sum(~np.isnan(values), axis=1))


def _slices(c: Confusion) -> NDArray[np.float64]:
    return np.asarray(c.sum(axis=(1, 2)))


def _healthy(c: Confusion) -> NDArray[np.float64]:
    return np.asarray(c[:, HEALTHY].sum(axis=1))


def _tumours(c: Confusion) -> NDArray[np.float64]:
    return _slices(c) - _healthy(c)


MEASURES: Final[dict[str, tuple[Measure, Measure]]] = {
    "accuracy": (accuracy, _slices),
    "macro_recall": (macro_recall, _slices),
    "macro_f1": (macro_f1, _slices),
    "tumour_accuracy": (tumour_accuracy, _tumours),
    "tumour_sensitivity": (tumour_sensitivity, _tumours),
    "specificity": (lambda c: recall(c)[:, HEALTHY], _healthy),
}
"""Each with the number of slices it rests on."""
