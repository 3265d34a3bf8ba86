"""The figures that belong to a bundle: the published test images or the patient-disjoint holdout.

A network trained on the published folders has seen most holdout patients, and one trained by
patient has seen published test images: each bundle is measured only on what it has not learnt.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml import (
    bundle,
    calibrate,
    confidence,
    datasets,
    evaluate,
    localisation,
    low_grade,
    operating,
    outlines,
    outputs,
    patients,
    plots,
    readings,
    refusal,
    robustness,
    strangers,
    tables,
    targets,
)
from ml.datasets import DataError, Row
from ml.evaluate import Answers
from ml.labels import REFUSED
from ml.predictor import Predictor
from ml.readings import Observed, Reading
from ml.refusal import Evidence
from ml.statistics import Bootstrap
from ml.tables import Table

PUBLISHED: Final = "published"
SLICE_SOURCES: Final = ("figshare", "sartaj", "br35h")
SMALL: Final = 60
"""Slices that a test repeats at most."""
LEARNT_ALL: Final = "not_brain_mri_refused_unseen"
"""What the card of a bundle says whose refusal has learnt from all pictures there are."""
SAMPLE: Final = 100
"""Slices that are turned, mirrored, darkened and brightened, about."""

Sets = dict[str, Answers]


def figures(predictor: Predictor, data: Path) -> dict[str, Any]:
    """Everything that ``metrics.json`` keeps, by name; ``targets`` are those with an aim."""
    observed = readings.observed(predictor)
    whole = readings.read(observed, data, unseen(observed, data))
    sets = _sets(observed, whole.answers)
    metrics = {
        **{name: evaluate.figures(found) for name, found in sets.items()},
        **(_rotated(observed, data, whole) if _is_published(observed) else {}),
        "sources": evaluate.by_source(whole.answers),
        **_outlined(sets, whole.answers),
        "patients": _patients(sets),
        "operating": _operating(sets, observed.card.get("specific_threshold")),
        "prevalence": _prevalence(observed, {**sets, "all": whole.answers}),
        **_confidence(observed, sets),
        **_strangers(observed, data, whole),
        **_low_grade(data, whole),
        "invariance": _invariance(observed, data, whole),
        "subsample": _subsample(whole.answers, max(1, -(-len(whole.rows) // SMALL))),
    }
    command = f"python -m ml report --bundle ml/bundles/{observed.version}"
    return {"command": command, **metrics, "targets": targets.figures(metrics, command)}


def unseen(predictor: Predictor, data: Path) -> list[Row]:
    """The labelled slices on which this bundle may be measured."""
    if _is_published(predictor):
        return [row for row in datasets.published_test(data) if row.flag != "label_conflict"]
    return datasets.holdout(datasets.records(data, ("slices", "lgg", "healthy")))


def subsample(predictor: Predictor, data: Path, every: int) -> dict[str, Any]:
    """Counts on every so many of those slices: few enough for a test to repeat them exactly."""
    found = readings.read(readings.observed(predictor), data, unseen(predictor, data)[::every])
    return _counts(found.answers, every)


def hard(predictor: Predictor, data: Path, *, held: bool, every: int = 1) -> Table:
    """How well hard variants are answered: of every so many slices that the bundle has not learnt.

    With ``held`` those of the fold held out of training, for choices; DataError where there is none.
    """
    looking = readings.observed(predictor)
    rows = _held_rows(looking, data) if held else unseen(looking, data)
    if not rows:
        raise DataError(f"{predictor.version} has learnt every fold.")
    return robustness.hard(lambda vary: readings.answers(predictor, data, rows[::every], vary))


def _subsample(found: Answers, every: int) -> dict[str, Any]:
    chosen = np.zeros(len(found.targets), np.bool_)
    chosen[::every] = True
    return _counts(found.only(chosen), every)


def _counts(found: Answers, every: int) -> dict[str, Any]:
    measured = evaluate.figures(found)
    counts = {"every": every, "confusion": measured["confusion"], "answers": measured["answers"]}
    masks = localisation.figures(found) or {}
    if "dice" not in masks:
        return counts
    return {**counts, "dice": round(masks["dice"]["value"], 3), "boxes": masks["boxes"]["value"]}


def _is_published(predictor: Predictor) -> bool:
    return bool(predictor.card["recipe"]["data"]["split"] == PUBLISHED)


def _held(predictor: Observed, data: Path) -> Reading | None:
    """The slices held out of training, which are no part of the figures."""
    held = _held_rows(predictor, data)
    return readings.read(predictor, data, held) if held else None


def _held_rows(predictor: Observed, data: Path) -> list[Row]:
    learnt_from = predictor.learnt_from
    rows = datasets.records(data, learnt_from.tables)
    return datasets.training_and_validation(rows, learnt_from)[1]


def _sets(predictor: Predictor, found: Answers) -> Sets:
    if _is_published(predictor):
        return {"published_test": found}
    sources = np.array(found.sources)
    parts = {
        "holdout": np.isin(sources, SLICE_SOURCES),
        "holdout_lgg": np.char.startswith(sources, low_grade.PREFIX),
        "holdout_healthy": sources == "healthy",
    }
    return {name: found.only(chosen) for name, chosen in parts.items() if chosen.any()}


def _rotated(predictor: Observed, data: Path, plain: Reading) -> dict[str, Any]:
    """The test images at five rotations; those without one have been read."""
    by_angle = {
        angle: readings.read(predictor, data, plain.rows, robustness.turned(angle)).answers
        for angle in robustness.ANGLES
        if angle
    }
    by_angle = {0: plain.answers, **by_angle}
    whole = evaluate.figures(evaluate.joined(by_angle.values()))
    return {"published_rotated": {**whole, **robustness.over_rotations(by_angle)}}


def _outlined(sets: Sets, whole: Answers) -> dict[str, Any]:
    found = {name: localisation.figures(answers) for name, answers in sets.items()}
    masks = {name: figures for name, figures in found.items() if figures}
    return {"masks": masks, "mask_sources": localisation.by_source(whole)} if masks else {}


def _patients(sets: Sets) -> dict[str, Any]:
    votes = {name: patients.vote(found.only(patients.known(found))) for name, found in sets.items()}
    return {name: patients.figures(vote) for name, vote in votes.items() if len(vote.targets)}


def _operating(sets: Sets, limit: float | None) -> dict[str, Any]:
    both = {name: found for name, found in sets.items() if found.sick.any() and not found.sick.all()}
    own = {
        name: calibrate.threshold(found.tumour[~found.sick], operating.SPECIFICITY)
        for name, found in both.items()
    }
    itself = {
        name: {**operating.at(found, own[name]), "roc_area": operating.roc_area(found)}
        for name, found in both.items()
    }
    if limit is None:
        return {"chosen_on_the_set_itself": itself}
    chosen = {name: operating.at(found, limit) for name, found in both.items()}
    return {"chosen_on_validation": chosen, "chosen_on_the_set_itself": itself}


def _prevalence(predictor: Observed, sets: Mapping[str, Answers]) -> dict[str, Any]:
    """At the card's threshold: positive is every slice that is not answered ``notumor`` by its classes."""
    limit = predictor.thresholds.tumour
    both = {name: found for name, found in sets.items() if found.sick.any() and not found.sick.all()}
    return {
        "threshold": limit,
        **{name: operating.at_prevalence(found, limit) for name, found in both.items()},
    }


def _confidence(predictor: Observed, sets: Sets) -> dict[str, Any]:
    return {
        "calibration": {
            name: confidence.calibration(found, predictor.temperature) for name, found in sets.items()
        },
        "selective": {name: confidence.selective(found) for name, found in sets.items()},
    }


def _strangers(predictor: Observed, data: Path, whole: Reading) -> dict[str, Any]:
    """Pictures that are not brain MRI; flagged slices, which may be CT, do not count as brain MRI."""
    judged = _to_judge(predictor, data)
    if not judged:
        return {}
    pictures = readings.look(predictor, [data / path for path, _ in judged])
    brains = whole.only(np.array([not row.flag for row in whole.rows]))
    evidence = Evidence(
        brains.embeddings, brains.answers.groups, pictures.embeddings, tuple(kind for _, kind in judged)
    )
    if LEARNT_ALL in predictor.card:
        held = _held(predictor, data) or brains
        found = refusal.learnt_anew(evidence, predictor.familiar, held.embeddings)
    else:
        limits = asdict(predictor.thresholds)
        found = refusal.as_shipped(evidence, predictor.familiar, limits, pictures.refused)
    wrongly = np.array([outcome == REFUSED for outcome in brains.answers.outcomes])
    return {
        "refusal": {**found, "brain_refused": Bootstrap(brains.answers.groups).share(wrongly)},
        "not_brain_mri": {
            "pictures": len(judged),
            "refused": int(pictures.refused.sum()),
            "called_tumour": pictures.called_tumour,
        },
    }


def _to_judge(predictor: Predictor, data: Path) -> list[tuple[str, str]]:
    """(path, kind) of pictures: those that the bundle has not learnt from, or all where it has of all.

    With them the CT slices of the holdout, which no bundle has learnt from.
    """
    if LEARNT_ALL in predictor.card:
        return [(one.path, one.kind) for one in strangers.table(data)]
    scans = [row for row in datasets.table(data, "slices") if row.flag == "ct" and row.split == "holdout"]
    known = [(one.path, one.kind) for one in strangers.judged(data)]
    return known + [(row.path, "head CT of the collections") for row in scans if row.unique]


def _low_grade(data: Path, whole: Reading) -> dict[str, Any]:
    part = whole.only(np.char.startswith(np.array(whole.answers.sources), low_grade.PREFIX))
    return {"lgg": low_grade.figures(part.answers, _areas(data, part.rows))} if part.rows else {}


def _areas(data: Path, rows: tuple[Row, ...]) -> NDArray[np.float64]:
    masks = [outlines.outline(data, row) for row in rows]
    return np.array([np.nan if mask is None else mask.sum() for mask in masks], np.float64)


def _invariance(predictor: Observed, data: Path, whole: Reading) -> dict[str, Any]:
    chosen = np.zeros(len(whole.rows), np.bool_)
    chosen[:: max(1, len(whole.rows) // SAMPLE)] = True
    sample = whole.only(chosen)
    variants = {
        name: readings.read(predictor, data, sample.rows, vary).answers
        for name, vary in robustness.VARIANTS.items()
    }
    return robustness.unchanged(sample.answers, variants)


def recorded(predictor: Predictor) -> dict[str, Any]:
    """What the bundle's own ``metrics.json`` says."""
    metrics: dict[str, Any] = json.loads((predictor.directory / bundle.METRICS).read_text("utf-8"))
    return metrics


def draw(metrics: Mapping[str, Any], folder: Path) -> None:
    """The charts of the metrics as PNG files. OutputError where they cannot be written."""
    for name, content in plots.of(metrics).items():
        outputs.write_bytes(folder / name, content)


def as_text(metrics: Mapping[str, Any]) -> str:
    """Tables for reading; every share with its 95 % interval from a bootstrap over groups."""
    return "\n\n".join(table.as_text() for table in tables.tables(metrics))


def as_markdown(metrics: Mapping[str, Any]) -> str:
    """The same tables for the documentation."""
    return "\n\n".join(table.as_markdown() for table in tables.tables(metrics))
