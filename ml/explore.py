"""A collection at a glance: one HTML file that needs nothing else, for a person to read."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray

from ml import charts, images, survey
from ml.datasets import Row
from ml.image_types import Pixels
from ml.labels import CLASSES
from ml.predictor import NOTICE
from ml.survey import SIDE, Picture, Survey

SAMPLES: Final = 12
SEED: Final = 0


def explore(data: Path, rows: Sequence[Row]) -> tuple[str, int]:
    """The report as HTML, and how many files could not be read. DataError where not one could."""
    found = survey.survey(data, rows)
    parts = [
        _counts(found.rows),
        _places(found.rows),
        _files(found.pictures),
        _sizes(found.pictures),
        _brightness(found),
        _samples(data, found),
        _unreadable(found),
    ]
    page = charts.page(f"Pictures of {data.resolve().name}", NOTICE, [_summary(found), *parts])
    return page, len(found.unreadable)


def _summary(found: Survey) -> str:
    groups = len({row.group for row in found.rows})
    flags = Counter(row.flag for row in found.rows if row.flag)
    flagged = ", ".join(f"{count} {name}" for name, count in sorted(flags.items()))
    return charts.paragraph(
        f"{len(found.rows)} pictures of {groups} groups (a patient, or one picture with its copies); "
        f"{len(found.unreadable)} files cannot be read. "
        f"Flagged, and left out of figures: {flagged or 'none'}."
    )


def _counts(rows: Sequence[Row]) -> str:
    return charts.section(
        "Classes, sources and views",
        charts.beside(
            charts.bars("Pictures of each class", _counted(rows, lambda row: row.label)),
            charts.bars("Pictures of each source", _counted(rows, lambda row: row.source)),
            charts.bars("Pictures of each view", _counted(rows, lambda row: row.view or "unknown")),
        ),
        charts.beside(
            _crossed("Pictures of each class and source", rows, lambda row: row.source),
            _crossed("Groups of each class and source", _one_of_each(rows), lambda row: row.source),
            _crossed("Pictures of each class and view", rows, lambda row: row.view or "unknown"),
        ),
    )


def _places(rows: Sequence[Row]) -> str:
    return charts.section(
        "Splits",
        charts.beside(
            _crossed("Published folders", rows, lambda row: row.official or "none"),
            _crossed("Frozen split by group", rows, _place),
        ),
    )


def _place(row: Row) -> str:
    return f"{row.split}, fold {row.fold}" if row.fold >= 0 else row.split or "none"


def _files(pictures: Sequence[Picture]) -> str:
    def form(picture: Picture) -> str:
        facts = picture.facts
        return f"{facts.kind} {facts.mode}, {facts.bits} bits"

    rows = [picture.row for picture in pictures]
    forms = dict(zip(map(id, rows), map(form, pictures), strict=True))
    spans = _span([picture.bytes / 1024 for picture in pictures])
    return charts.section(
        "Files",
        charts.paragraph(
            "What a file is must not tell its class: everything becomes grey before a network sees it."
        ),
        _crossed("Stored form", rows, lambda row: forms[id(row)]),
        charts.beside(*_histograms("size in KiB", rows, [p.bytes / 1024 for p in pictures], spans)),
    )


def _sizes(pictures: Sequence[Picture]) -> str:
    points = {
        label: np.array(
            [[p.facts.width, p.facts.height] for p in pictures if p.row.label == label], np.float64
        )
        for label in CLASSES
    }
    rows = [(label, *_quartiles(found)) for label, found in points.items() if found.size]
    columns = ("class", "width: least", "median", "most", "height: least", "median", "most", "aspect: median")
    return charts.section(
        "Shapes",
        charts.beside(
            charts.scatter("Width and height in pixels; larger dots are more pictures", points),
            charts.table("Pixels before preparation", columns, rows),
        ),
    )


def _quartiles(found: NDArray[np.float64]) -> tuple[str, ...]:
    parts = [f"{value:g}" for side in found.T for value in (side.min(), np.median(side), side.max())]
    return (*parts, f"{np.median(found[:, 0] / found[:, 1]):.2f}")


def _brightness(found: Survey) -> str:
    means = [float(picture.mean()) / 255 for picture in found.prepared]
    dark = [float(np.mean(picture <= 1)) for picture in found.prepared]
    return charts.section(
        "Prepared pictures",
        charts.paragraph(
            "Head cropped, padded to a square, intensities set to one range: the network's view."
        ),
        charts.beside(*_histograms("mean brightness", found.rows, means, (0.0, 1.0))),
        charts.beside(*_histograms("share of black", found.rows, dark, (0.0, 1.0))),
    )


def _histograms(
    what: str, rows: Sequence[Row], values: Sequence[float], span: tuple[float, float]
) -> list[str]:
    labels, found = np.array([row.label for row in rows]), np.asarray(values, np.float64)
    return [
        charts.histogram(f"{label}: {what}", found[labels == label], span, charts.COLOURS[label])
        for label in CLASSES
        if np.any(labels == label)
    ]


def _span(values: Sequence[float]) -> tuple[float, float]:
    return 0.0, float(np.ceil(np.percentile(values, 99) + 1))


def _samples(data: Path, found: Survey) -> str:
    cells: dict[str, list[int]] = {}
    for place, row in enumerate(found.rows):
        cells.setdefault(row.cell, []).append(place)
    sheets = [_sheet(data, found, name, places) for name, places in sorted(cells.items())]
    return charts.section(
        "Samples",
        charts.paragraph(
            "Drawn at random, each of another group where there are enough; above as stored, below prepared."
        ),
        *sheets,
    )


def _sheet(data: Path, found: Survey, name: str, places: Sequence[int]) -> str:
    chosen = _drawn(found.rows, places)
    stored = [_thumbnail(images.read(data / found.rows[at].path).slices[0]) for at in chosen]
    prepared = [found.prepared[at] for at in chosen]
    sheet = np.vstack([np.hstack(stored), np.hstack(prepared)])
    return charts.picture(f"{name}: {len(chosen)} of {len(places)}", sheet)


def _drawn(rows: Sequence[Row], places: Sequence[int]) -> list[int]:
    """At most SAMPLES places in a random order that is always the same; new groups come first."""
    order = np.random.default_rng(SEED).permutation(list(places)).tolist()
    seen: set[str] = set()
    repeated = []
    for at in order:
        repeated.append((rows[at].group in seen, at))
        seen.add(rows[at].group)
    return [at for _, at in sorted(repeated, key=lambda pair: pair[0])][:SAMPLES]


def _thumbnail(pixels: Pixels) -> NDArray[np.uint8]:
    picture = PIL.Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
    return np.asarray(PIL.ImageOps.pad(picture, (SIDE, SIDE)))


def _unreadable(found: Survey) -> str:
    if not found.unreadable:
        return ""
    rows = [(bad.path, bad.code, bad.detail) for bad in found.unreadable]
    return charts.section("Unreadable files", charts.table("", ("file", "code", "reason"), rows))


def _counted(rows: Sequence[Row], key: Callable[[Row], str]) -> Mapping[str, int]:
    return dict(sorted(Counter(key(row) for row in rows).items()))


def _one_of_each(rows: Sequence[Row]) -> list[Row]:
    return list({(row.label, row.source, row.group): row for row in rows}.values())


def _crossed(caption: str, rows: Sequence[Row], key: Callable[[Row], str]) -> str:
    counts = Counter((key(row), row.label) for row in rows)
    names = sorted({name for name, _ in counts})
    body: list[list[Any]] = [
        [name, *(counts[name, label] for label in CLASSES), sum(counts[name, label] for label in CLASSES)]
        for name in names
    ]
    body.append(["all", *(sum(row[column] for row in body) for column in range(1, len(CLASSES) + 2))])
    return charts.table(caption, ("", *CLASSES, "all"), body)
