"""Whole scans put together from the tables' slices, and how well each aggregation answers them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml import datasets, decision, images, tables
from ml.aggregate import Aggregation, Scan, Slices, aggregate
from ml.datasets import DataError, Row
from ml.decision import HEALTHY, Thresholds
from ml.images import Facts, Image
from ml.labels import CLASSES, NO_TUMOUR, REFUSED
from ml.predictor import Predictor
from ml.statistics import Bootstrap

SHORTEST: Final = 5
CANDIDATES: Final = (
    Aggregation("max"),
    Aggregation("max", kinds="all"),
    *(Aggregation("top", slices=k) for k in (2, 3, 5)),
    *(Aggregation("run", slices=k) for k in (2, 3, 5)),
    *(Aggregation("run", slices=k, kinds="all") for k in (2, 3, 5)),
    *(Aggregation("central", spread=share) for share in (0.15, 0.25, 0.4)),
    *(Aggregation("noisy_or", slices=k) for k in (2, 5, 10)),
    *(Aggregation("largest", slices=k) for k in (1, 3, 5)),
)


@dataclass(frozen=True)
class Volume:
    """Slices of one scan in order. ``kind`` tells the table; ``patient`` is never divided."""

    kind: str
    patient: str
    label: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Judged:
    """What the network says of the slices of each volume."""

    volumes: tuple[Volume, ...]
    curves: tuple[Slices, ...]

    @property
    def sick(self) -> NDArray[np.bool_]:
        return np.array([volume.label != NO_TUMOUR for volume in self.volumes])


def volumes(data: Path, fold: int) -> list[Volume]:
    """Of the patients in one fold of ``dev``: every sequence of ``lgg``, every view of ``healthy``.

    A sequence of a tumour patient gives a second, healthy volume: its longest run of slices away
    from the tumour. Raises DataError where the fold has none.
    """
    scans = _scans(data, fold)
    parts = [part for scan in scans for part in (_volume(scan), _healthy_part(scan))]
    found = [part for part in parts if len(part.paths) >= SHORTEST]
    if not found:
        raise DataError(f"No scan of fold {fold} can be put together from {data}.")
    return found


def pieces(data: Path, fold: int, slices: int) -> list[Volume]:
    """The same scans in pieces of so many neighbouring slices; DataError where none has as many."""
    found = [
        _volume(scan[start : start + slices])
        for scan in _scans(data, fold)
        for start in range(0, len(scan) - slices + 1, slices)
    ]
    if not found:
        raise DataError(f"No scan of fold {fold} in {data} has {slices} slices.")
    return found


def thin(data: Path, fold: int, slices: int) -> list[Volume]:
    """The tumour patients' scans as if the tumour were only so many slices thick, and without it.

    Once for every so many neighbouring slices of the tumour, with all slices away from it. DataError
    where the fold has no such scan.
    """
    found = [part for scan in _scans(data, fold) for part in _thinned(scan, slices)]
    if not found:
        raise DataError(f"No scan of fold {fold} in {data} has {slices} slices of a tumour.")
    return found


def _thinned(scan: Sequence[Row], slices: int) -> list[Volume]:
    healthy = [row for row in scan if row.label == NO_TUMOUR]
    sick = [row for row in scan if row.label != NO_TUMOUR]
    windows = [sick[start : start + slices] for start in range(len(sick) - slices + 1)]
    if not windows or len(healthy) < SHORTEST:
        return []
    thinned = [_volume([row for row in scan if row in healthy or row in window]) for window in windows]
    return [*thinned, _volume(healthy)]


def _scans(data: Path, fold: int) -> list[list[Row]]:
    rows = [
        row
        for row in datasets.records(data, ("lgg", "healthy"))
        if row.split == "dev" and row.fold == fold and not row.flag
    ]
    rows.sort(key=lambda row: (row.group, row.source, row.view, row.path))
    return [list(scan) for _, scan in groupby(rows, key=lambda row: (row.group, row.source, row.view))]


def _volume(rows: Sequence[Row]) -> Volume:
    """A tumour's where one of its slices shows one."""
    sick = [row.label for row in rows if row.label != NO_TUMOUR]
    return Volume(rows[0].source, rows[0].group, sick[0] if sick else NO_TUMOUR, _paths(rows))


def _healthy_part(scan: Sequence[Row]) -> Volume:
    """The longest run without a tumour of a scan that shows one; nothing of another scan."""
    runs = [list(run) for healthy, run in groupby(scan, key=lambda row: row.label == NO_TUMOUR) if healthy]
    longest = max((run for run in runs if len(run) < len(scan)), key=len, default=[])
    return replace(_volume(scan), kind=f"{scan[0].source}_part", label=NO_TUMOUR, paths=_paths(longest))


def _paths(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(row.path for row in rows)


def judge(predictor: Predictor, data: Path, found: Sequence[Volume]) -> Judged:
    """Every slice once, through the serving path."""
    bar = tqdm(found, desc="volumes", unit="volume", leave=False, disable=None)
    return Judged(tuple(found), tuple(predictor.curve(_image(data, volume)) for volume in bar))


def _image(data: Path, volume: Volume) -> Image:
    pixels = tuple(images.read(data / path).slices[0] for path in volume.paths)
    height, width = pixels[0].shape
    return Image(pixels, Facts("jpeg", width, height, len(pixels), 8, "L"))


def compare(judged: Judged, thresholds: Thresholds) -> list[dict[str, Any]]:
    """The figures of every candidate, in the order of ``CANDIDATES``."""
    bootstrap = Bootstrap([volume.patient for volume in judged.volumes])
    return [_candidate(judged, thresholds, how, bootstrap) for how in CANDIDATES]


def _candidate(
    judged: Judged, thresholds: Thresholds, how: Aggregation, bootstrap: Bootstrap
) -> dict[str, Any]:
    scans = [aggregate(curve, how, large=thresholds.mask_area) for curve in judged.curves]
    outcomes = np.array([_outcome(scan, thresholds) for scan in scans], dtype=object)
    truth = np.array([volume.label for volume in judged.volumes], dtype=object)
    sick, tumour = judged.sick, np.array([1 - scan.probabilities[HEALTHY] for scan in scans])
    likeliest = np.array([CLASSES[int(scan.probabilities.argmax())] for scan in scans], dtype=object)
    least = float(tumour[sick].min()) if sick.any() else 0.0
    return {
        "aggregation": _described(how),
        "sensitivity": bootstrap.share(sick & ~np.isin(outcomes, (NO_TUMOUR, REFUSED)), sick),
        "specificity": bootstrap.share(~sick & (outcomes == NO_TUMOUR), ~sick),
        "accuracy": bootstrap.share(likeliest == truth),
        "all_found_threshold": round(least, 4),
        "all_found_specificity": bootstrap.share(~sick & (tumour < least), ~sick),
        "refused": int(np.sum(outcomes == REFUSED)),
    }


def _outcome(scan: Scan, thresholds: Thresholds) -> str:
    if scan.refused:
        return REFUSED
    return decision.decide(scan.probabilities, thresholds, outlined=scan.outlined is not None)[0]


def _described(how: Aggregation) -> dict[str, Any]:
    """As the card says it: the method, and the parameters that this method reads."""
    parameters = {"max": {}, "central": {"spread": how.spread}}.get(how.method, {"slices": how.slices})
    kinds = {"kinds": how.kinds} if how.kinds != "chosen" else {}
    return {"method": how.method, **parameters, **kinds}


COLUMNS: Final = ("sensitivity", "specificity", "accuracy", "all_found_specificity")


def as_markdown(judged: Judged, candidates: Sequence[dict[str, Any]]) -> str:
    kinds = sorted({volume.kind for volume in judged.volumes})
    counts = ", ".join(f"{sum(v.kind == kind for v in judged.volumes)} {kind}" for kind in kinds)
    head = f"{len(judged.volumes)} volumes ({counts}) of {len({v.patient for v in judged.volumes})} patients."
    columns = (
        "method",
        "sensitivity",
        "specificity",
        "accuracy",
        "specificity with all found",
        "threshold",
        "refused",
    )
    lines = [" | ".join(columns), " | ".join(["---"] * len(columns)), *map(_row, candidates)]
    return "\n".join([head, "", *(f"| {line} |" for line in lines)])


def _row(one: dict[str, Any]) -> str:
    method = ", ".join(str(value) for value in one["aggregation"].values())
    figures = [tables.shown(one[column]) for column in (*COLUMNS, "all_found_threshold", "refused")]
    return " | ".join([method, *figures])
