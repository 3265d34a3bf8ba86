"""Metrics as tables for reading, in Markdown or in plain text. Parts that a bundle lacks are left out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ml.labels import CLASSES

Metrics = Mapping[str, Any]

SHARES: Final[Mapping[str, str]] = {
    "accuracy": "accuracy, 4 classes",
    "macro_recall": "macro recall",
    "macro_f1": "macro F1",
    "tumour_accuracy": "tumours given their own class",
    "tumour_sensitivity": "tumours given any tumour class",
    "specificity": "healthy slices called notumor",
}
CERTAIN: Final = ("0.000", "-0.000", "1.000")


@dataclass(frozen=True)
class Table:
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_markdown(self) -> str:
        lines = [self.columns, tuple("---" for _ in self.columns), *self.rows]
        return f"### {self.title}\n\n" + "\n".join("| " + " | ".join(cells) + " |" for cells in lines)

    def as_text(self) -> str:
        widths = [max(len(row[i]) for row in (self.columns, *self.rows)) for i in range(len(self.columns))]
        lines = (
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (self.columns, *self.rows)
        )
        return f"{self.title}\n" + "\n".join(lines)


def tables(metrics: Metrics) -> list[Table]:
    found = [table for make in MAKERS for table in make(metrics)]
    return [table for table in found if table.rows]


def shown(figure: Any) -> str:
    """A figure with its interval, a number, or a dash where there is none."""
    if isinstance(figure, Mapping):
        low, high = figure["interval"]
        interval = "" if low is None else f" [{short(low)}, {short(high)}]"
        return short(figure["value"]) + interval
    return short(figure) if isinstance(figure, float) or figure is None else str(figure)


def short(value: float | None) -> str:
    """Three places without the zero before the point, or a dash; four where three read as all or none."""
    if value is None:
        return "-"
    places = 4 if f"{value:.3f}" in CERTAIN and value not in (0, 1) else 3
    return f"{value:.{places}f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.{places}f}"


def of_runs(runs: Mapping[str, Metrics], measures: Sequence[str] = tuple(SHARES)) -> Table:
    """One row for each run; ``runs`` are what ``evaluate.figures`` gave on the same slices."""
    columns = ("run", *(SHARES.get(name, name.replace("_", " ")) for name in measures))
    rows = [(name, *(shown(found.get(measure)) for measure in measures)) for name, found in runs.items()]
    return Table("Runs", columns, tuple(rows))


def _targets(metrics: Metrics) -> Iterator[Table]:
    rows = [
        (one["measure"], one["aim"], shown(one), str(one["n"]), _yes(one["met"]))
        for one in metrics.get("targets", {}).values()
    ]
    yield Table("Aims", ("measure", "aim", "value [95 % interval]", "n", "met"), tuple(rows))


def _yes(met: bool | None) -> str:
    return "" if met is None else "yes" if met else "no"


def _sets(metrics: Metrics) -> Iterator[Table]:
    sets = sets_of(metrics)
    rows = [(words, *(shown(found.get(name)) for found in sets.values())) for name, words in SHARES.items()]
    rows += [
        (
            "tumours whose likeliest class is notumor",
            *(f"{f['tumours_called_notumor']} of {f['tumours']}" for f in sets.values()),
        )
    ]
    rows += [(words, *(shown(f["answers"][key]) for f in sets.values())) for key, words in ANSWERS.items()]
    rows += [(words, *(shown(f[key]) for f in sets.values())) for key, words in ERRORS.items()]
    columns = ("", *(f"{name} ({f['slices']} slices, {f['groups']} groups)" for name, f in sets.items()))
    yield Table("Sets of slices", columns, tuple(rows) if sets else ())


ANSWERS: Final[Mapping[str, str]] = {
    "tumours_called_notumor": "tumours answered notumor",
    "tumours_refused": "tumours refused",
    "healthy_called_tumour": "healthy slices answered with a tumour",
    "uncertain": "uncertain",
    "refused": "refused",
    "coverage": "share answered",
    "accuracy_when_answered": "accuracy of those answered",
}
ERRORS: Final[Mapping[str, str]] = {"calibration_error": "calibration error", "brier": "Brier"}


def sets_of(metrics: Metrics) -> dict[str, Metrics]:
    """The sets of slices that ``evaluate.figures`` measured."""
    return {
        name: found for name, found in metrics.items() if isinstance(found, Mapping) and "classes" in found
    }


def _classes(metrics: Metrics) -> Iterator[Table]:
    for name, found in sets_of(metrics).items():
        rows = [
            (label, *(shown(figures[key]) for key in ("precision", "recall", "f1")))
            for label, figures in found["classes"].items()
        ]
        yield Table(f"{name}, by class", ("", "precision", "recall", "F1"), tuple(rows))
        confusion = [
            (label, *(str(n) for n in row)) for label, row in zip(CLASSES, found["confusion"], strict=True)
        ]
        yield Table(f"{name}, confusion (truth in rows)", ("", *CLASSES), tuple(confusion))


def _sources(metrics: Metrics) -> Iterator[Table]:
    yield _nested("By class and source", metrics.get("sources", {}))


def _masks(metrics: Metrics) -> Iterator[Table]:
    found = {**metrics.get("masks", {}), **metrics.get("mask_sources", {})}
    tumours = {name: {k: v for k, v in one.items() if k != "healthy"} for name, one in found.items()}
    yield _nested("Outlines of tumours", {name: one for name, one in tumours.items() if one})
    healthy = {name: one["healthy"] for name, one in found.items() if "healthy" in one}
    yield _nested("Outlines on healthy slices", healthy)


def _patients(metrics: Metrics) -> Iterator[Table]:
    yield _nested("Patients by vote", metrics.get("patients", {}))


def _operating(metrics: Metrics) -> Iterator[Table]:
    for how, sets in metrics.get("operating", {}).items():
        yield _nested(f"Specificity .95, threshold {how.replace('_', ' ')}", sets)


def _prevalence(metrics: Metrics) -> Iterator[Table]:
    found = metrics.get("prevalence", {})
    rows = {
        f"{name}, {float(share):.0%} tumours": values
        for name, shares in found.items()
        if isinstance(shares, Mapping)
        for share, values in shares.items()
    }
    yield _nested(f"Predictive values at threshold {found.get('threshold')}", rows)


def _calibration(metrics: Metrics) -> Iterator[Table]:
    found = metrics.get("calibration", {})
    rows = {
        f"{name}, {when} scaling": one[when] for name, one in found.items() for when in ("before", "after")
    }
    yield _nested("Calibration", rows)


def _selective(metrics: Metrics) -> Iterator[Table]:
    found = metrics.get("selective", {})
    rows = [
        (name, shown(one["accuracy_at_90"]), ", ".join(f"{short(c)} {short(a)}" for c, a in one["curve"]))
        for name, one in found.items()
    ]
    yield Table("Selective answers", ("", "accuracy at 90 % coverage", "coverage and accuracy"), tuple(rows))


def _refusal(metrics: Metrics) -> Iterator[Table]:
    found = metrics.get("refusal", {})
    protocols = {name: found[name] for name in ("unseen", "kind_never_learnt") if name in found}
    yield _nested(f"Not brain MRI: {found.get('protocol')}", protocols)
    yield _nested("The same by kind", found.get("kinds", {}))
    if "brain_refused" in found:
        yield Table("Brain MRI wrongly refused", ("share",), ((shown(found["brain_refused"]),),))
    old = metrics.get("not_brain_mri")
    yield _nested("Not brain MRI: answers", {"all": old} if old else {})


def _lgg(metrics: Metrics) -> Iterator[Table]:
    found = metrics.get("lgg", {})
    yield _nested("LGG patients by sequence", found.get("sequences", {}))
    yield _nested("LGG tumours by size", found.get("sizes", {}))


def _invariance(metrics: Metrics) -> Iterator[Table]:
    found = metrics.get("invariance", {})
    if found:
        every = {**found["variants"], "all": found["same_class"]}
        rows = tuple((name.replace("_", " "), shown(one)) for name, one in every.items())
        yield Table("Class unchanged", ("variant", "share"), rows)


def _nested(title: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    """A table whose columns are the keys of the rows, in the order of their first appearance."""
    keys = tuple(dict.fromkeys(key for row in rows.values() for key in row))
    cells = [(name, *(shown(row[key]) if key in row else "-" for key in keys)) for name, row in rows.items()]
    return Table(title, ("", *(key.replace("_", " ") for key in keys)), tuple(cells))


MAKERS: Final[Sequence[Callable[[Metrics], Iterable[Table]]]] = (
    _targets,
    _sets,
    _classes,
    _sources,
    _masks,
    _patients,
    _operating,
    _prevalence,
    _calibration,
    _selective,
    _refusal,
    _lgg,
    _invariance,
)
