"""Whole heads in slices as thin as they were scanned: healthy ones, and with tumours planted in them.

The scans are those of ``ml.heads``, which are fetched anew.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from ml import datasets, heads, planted
from ml.datasets import DataError, Row
from ml.image_types import Facts, Image
from ml.labels import NO_TUMOUR, REFUSED, TUMOUR_CLASSES, UNCERTAIN
from ml.planted import Donor
from ml.predictor import Predictor

DIAMETERS: Final = (10, 15, 20, 30)
"""Of planted tumours, in millimetres."""
EACH: Final = 8
"""Tumours of every diameter in every view of a head."""
SEED: Final = 5
OUTCOMES: Final = (NO_TUMOUR, UNCERTAIN, *TUMOUR_CLASSES, REFUSED)


@dataclass
class Answered:
    """Outcomes of healthy scans by whether their head was learnt, and of tumours by their diameter.

    ``found`` counts the tumours in which the deciding slice lies, of scans that are not answered notumor.
    """

    healthy: dict[bool, Counter[str]] = field(default_factory=lambda: {True: Counter(), False: Counter()})
    sick: dict[int, Counter[str]] = field(default_factory=lambda: {size: Counter() for size in DIAMETERS})
    found: Counter[int] = field(default_factory=Counter)


def scans() -> Iterator[tuple[heads.Head, str, Image]]:
    """Every head that has slices in all views, in each of them; raises as ``ml.heads.fetch``."""
    whole = [head for head in heads.HEADS if all(head.brain)]
    with tempfile.TemporaryDirectory() as place:
        for head, volume, sizes in heads.scans(whole, Path(place)):
            for axis, view in enumerate(heads.VIEWS):
                yield head, view, image(volume, sizes, axis)


def image(volume: heads.Volume, sizes: heads.Sizes, axis: int) -> Image:
    """All slices across one axis, a voxel thick, in pixels of a millimetre."""
    slices = tuple(np.clip(one, 0, 1) for one in heads.across(volume, sizes, axis))
    height, width = slices[0].shape
    facts = Facts(
        "nifti",
        width,
        height,
        len(slices),
        16,
        "L",
        spacing_mm=(1.0, 1.0),
        slice_spacing_mm=float(sizes[axis]),
    )
    return Image(slices, facts)


def judge(predictor: Predictor, data: Path) -> Answered:
    """Planted are tumours of ``slices`` that the bundle has not learnt, in heads that nothing has learnt.

    Raises DataError where no such tumour is outlined in some view.
    """
    donors = _donors(data, _unlearnt(predictor, data))
    rng, answered = np.random.default_rng(SEED), Answered()
    for head, view, scan in tqdm(scans(), unit="scan", leave=False, disable=None):
        answered.healthy[head.fold >= 0][predictor.predict(scan).outcome] += 1
        if head.fold < 0:
            _plant(predictor, answered, scan, donors[view], rng)
    return answered


def _unlearnt(predictor: Predictor, data: Path) -> list[Row]:
    """Those of the fold held out of training, for choices; of the holdout where there is none."""
    rows, fold = datasets.table(data, "slices"), predictor.card["recipe"]["data"]["fold"]
    if fold < 0:
        return datasets.holdout(rows)
    return [row for row in rows if row.split == "dev" and row.fold == fold and not row.flag]


def _donors(data: Path, rows: Sequence[Row]) -> dict[str, list[Donor]]:
    """Gliomas and meningiomas by view; a pituitary tumour has its place."""
    outlined = [row for row in rows if row.outlined and row.label != "pituitary"]
    by_view = {view: [row for row in outlined if row.view == view] for view in heads.VIEWS}
    if not all(by_view.values()):
        raise DataError("There is not an outlined tumour in every view.")
    return {view: [planted.donor(data, row) for row in found] for view, found in by_view.items()}


def _plant(
    predictor: Predictor, answered: Answered, scan: Image, donors: Sequence[Donor], rng: np.random.Generator
) -> None:
    for size in DIAMETERS:
        for _ in range(EACH):
            one = planted.plant(scan, donors, size, rng)
            if one is None:
                continue
            answer = predictor.predict(one.image)
            answered.sick[size][answer.outcome] += 1
            answered.found[size] += (
                answer.outcome != NO_TUMOUR and one.first <= answer.slice_index <= one.last
            )


def as_markdown(answered: Answered) -> str:
    lines = [
        " | ".join(("scans", *OUTCOMES, "shown")),
        " | ".join(["---"] * (len(OUTCOMES) + 2)),
        *(
            _row(f"healthy heads, {'learnt in slices' if learnt else 'not learnt'}", counts, "-")
            for learnt, counts in answered.healthy.items()
        ),
        *(
            _row(f"a tumour of {size} mm, head not learnt", counts, str(answered.found[size]))
            for size, counts in answered.sick.items()
        ),
    ]
    return "\n".join(f"| {line} |" for line in lines)


def _row(name: str, counts: Counter[str], shown: str) -> str:
    return " | ".join((name, *(str(counts[outcome]) for outcome in OUTCOMES), shown))
