"""The figures that belong to a bundle: the published test images or the patient-disjoint holdout.

A network trained on the published folders has seen most holdout patients, and one trained by
patient has seen published test images: each bundle is measured only on what it has not learnt.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np

from ml import datasets, evaluate, images
from ml.datasets import Row
from ml.errors import ImageError
from ml.evaluate import Answers
from ml.labels import CLASSES, REFUSED, TUMOUR_CLASSES
from ml.predictor import Predictor

PUBLISHED: Final = "published"
SLICE_SOURCES: Final = ("figshare", "sartaj", "br35h")
EVERY: Final = 15


def figures(predictor: Predictor, data: Path) -> dict[str, Any]:
    """Sets of figures by name, as ``metrics.json`` keeps them."""
    rows = unseen(predictor, data)
    found = _answers(predictor, data, rows)
    sets = _published(found) if _is_published(predictor) else _by_patient(found)
    return {
        **sets,
        "sources": evaluate.by_source(found),
        "not_brain_mri": _strangers(predictor, data),
        "subsample": subsample(predictor, data),
    }


def unseen(predictor: Predictor, data: Path) -> list[Row]:
    """The labelled slices on which this bundle may be measured."""
    if _is_published(predictor):
        return [row for row in datasets.published_test(data) if row.flag != "label_conflict"]
    return datasets.holdout(datasets.records(data, ("slices", "lgg", "healthy")))


def subsample(predictor: Predictor, data: Path) -> dict[str, Any]:
    """Counts on every ``EVERY``-th of those slices: few enough for a test to repeat them exactly."""
    found = _answers(predictor, data, unseen(predictor, data)[::EVERY])
    measured = evaluate.figures(found)
    return {"every": EVERY, "confusion": measured["confusion"], "answers": measured["answers"]}


def _is_published(predictor: Predictor) -> bool:
    return bool(predictor.card["recipe"]["data"]["split"] == PUBLISHED)


def _published(found: Answers) -> dict[str, Any]:
    return {"published_test": evaluate.figures(found)}


def _by_patient(found: Answers) -> dict[str, Any]:
    sources = np.array(found.sources)
    parts = {
        "holdout": np.isin(sources, SLICE_SOURCES),
        "holdout_lgg": np.char.startswith(sources, "lgg"),
        "holdout_healthy": sources == "healthy",
    }
    return {name: evaluate.figures(found.only(chosen)) for name, chosen in parts.items() if chosen.any()}


def _answers(predictor: Predictor, data: Path, rows: list[Row]) -> Answers:
    found, failed = evaluate.answers(predictor, data, rows)
    if failed:
        raise ImageError(f"{failed[0].path}: {failed[0].detail}", code=failed[0].code)
    return found


def stranger_paths(data: Path) -> list[Path]:
    return sorted((data / "ood").iterdir())


def _strangers(predictor: Predictor, data: Path) -> dict[str, Any]:
    """What the predictor says to pictures that are not brain MRI; the refusal was fitted to them."""
    outcomes = [predictor.predict(images.read(path)).outcome for path in stranger_paths(data)]
    return {
        "pictures": len(outcomes),
        "refused": outcomes.count(REFUSED),
        "called_tumour": sum(outcome in TUMOUR_CLASSES for outcome in outcomes),
    }


def as_text(metrics: dict[str, Any]) -> str:
    """A table for reading; every share with its 95 % interval from a bootstrap over groups."""
    blocks = [_block(name, values) for name, values in metrics.items() if "accuracy" in values]
    return "\n\n".join([*blocks, *_rest(metrics)])


def _block(name: str, values: dict[str, Any]) -> str:
    lines = [f"{name}: {values['slices']} slices of {values['groups']} groups"]
    shares = ("accuracy", "macro_recall", "macro_f1", "tumour_accuracy", "tumour_sensitivity", "specificity")
    lines += [f"  {share:<20} {_with_interval(values[share])}" for share in shares]
    for label, measured in values["classes"].items():
        lines.append(f"  {label:<12}" + "".join(f" {k} {_with_interval(v)}" for k, v in measured.items()))
    lines.append(
        f"  tumours called notumor by class: {values['tumours_called_notumor']} of {values['tumours']}"
    )
    lines.append(f"  calibration error {values['calibration_error']}, Brier {values['brier']}")
    lines.append("  answers: " + ", ".join(f"{k} {v}" for k, v in values["answers"].items()))
    lines += ["  confusion (truth in rows: " + ", ".join(CLASSES) + ")"]
    return "\n".join(lines + ["    " + " ".join(f"{n:5d}" for n in row) for row in values["confusion"]])


def _with_interval(measured: dict[str, Any]) -> str:
    if measured["value"] is None:
        return "  -  "
    low, high = measured["interval"]
    return f"{measured['value']:.3f} [{low:.3f}, {high:.3f}]"


def _rest(metrics: dict[str, Any]) -> list[str]:
    lines = [f"  {cell:<22} {values}" for cell, values in metrics.get("sources", {}).items()]
    blocks = ["by class and source\n" + "\n".join(lines)] if lines else []
    strangers = metrics.get("not_brain_mri")
    return [*blocks, f"not brain MRI: {strangers}"] if strangers else blocks
