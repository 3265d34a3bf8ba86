"""Tables of labelled slices, the splits by patient, and their prepared pixels as one array.

The tables and their columns are described beside the data (``README.md`` in the data folder).
"""

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml import images, preprocess
from ml.errors import MlError
from ml.labels import CLASSES, NO_TUMOUR
from ml.recipe import Data

SPLIT_SALT: Final = "split-1"
HOLDOUT_SHARE: Final = 0.2
FOLDS: Final = 5
CACHE: Final = Path("runs/cache")
NECK: Final = "neck"
"""What a slice shows that lies below the brain; no class."""


class DataError(MlError):
    """The data folder lacks a table or a table is not what its description says."""

    code = "data_missing"


@dataclass(frozen=True)
class Row:
    """One labelled slice. ``group`` is never divided: a patient, or one picture and its copies.

    ``border`` is an expert's outline of the tumour as ``x,y`` pairs, fractions of width and height;
    ``mask`` the path of a picture of it. Both are empty where there is none.
    """

    path: str
    label: str
    source: str
    group: str
    split: str
    fold: int
    official: str = ""
    view: str = ""
    unique: bool = True
    flag: str = ""
    border: str = ""
    mask: str = ""

    @property
    def target(self) -> int:
        return CLASSES.index(self.label)

    @property
    def outlined(self) -> bool:
        """Whether it shows a tumour that an expert has outlined."""
        return self.label != NO_TUMOUR and bool(self.mask or self.border)

    @property
    def cell(self) -> str:
        return f"{self.label}/{self.source}"


def table(data: Path, name: str) -> list[Row]:
    """The rows of one of ``slices``, ``nickparvar``, ``lgg``, ``healthy``, ``heads``."""
    if name not in READERS:
        raise _missing(data, name)
    return READERS[name](data)


def records(data: Path, names: Iterable[str]) -> list[Row]:
    return [row for name in names for row in table(data, name)]


def _records(data: Path, name: str) -> list[dict[str, str]]:
    path = data / f"{name}.csv"
    if not path.is_file():
        raise _missing(data, name)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _missing(data: Path, name: str) -> DataError:
    made = " `python -m ml heads` makes it." if name == "heads" else ""
    return DataError(f"There is no table {name}.csv in {data}.{made}")


def _slices(data: Path) -> list[Row]:
    return [
        Row(
            path=r["path"],
            label=r["label"],
            source=r["source"],
            group=r["group"],
            split=r["split"],
            fold=int(r["fold"]),
            view=r["view"],
            unique=r["unique"] == "1",
            flag=r["flag"],
            border=r.get("border", ""),
        )
        for r in _records(data, "slices")
    ]


def _nickparvar(data: Path) -> list[Row]:
    borders = _figshare_borders(data)
    return [
        Row(
            path=f"nickparvar/{r['path']}",
            label=r["label"],
            source=r["source"],
            group=r["group"],
            split=r["split"],
            fold=int(r["fold"]),
            official=r["official_split"],
            view=r["view"],
            flag=r["flag"],
            border=_copied_border(r, borders),
        )
        for r in _records(data, "nickparvar")
    ]


def _figshare_borders(data: Path) -> dict[str, str]:
    """Outlines by key; none where the table of the same slices without their copies is not there."""
    if not (data / "slices.csv").is_file():
        return {}
    return {r["key"]: r.get("border", "") for r in _records(data, "slices")}


def _copied_border(record: dict[str, str], borders: dict[str, str]) -> str:
    """The outline of the slice that this file is a copy of, mirrored as the copy is."""
    border = borders.get(f"fig{record['figshare_id']}", "")
    if record["mirrored"] != "1":
        return border
    points = (pair.split(",") for pair in border.split())
    return " ".join(f"{1 - float(x):.4f},{y}" for x, y in points)


def _lgg(data: Path) -> list[Row]:
    records = _records(data, "lgg")
    places = split_by_group(r["patient"] for r in records)
    return [
        Row(
            path=r["path"],
            label=r["label"],
            source=f"lgg_{r['sequence']}",
            group=r["patient"],
            split=places[r["patient"]][0],
            fold=places[r["patient"]][1],
            view="axial",
            mask=r["mask"],
        )
        for r in records
    ]


def _healthy(data: Path) -> list[Row]:
    records = _records(data, "healthy")
    places = split_by_group(r["subject"] for r in records)
    return [
        Row(r["path"], r["label"], "healthy", r["subject"], *places[r["subject"]], view=r["view"])
        for r in records
    ]


def _heads(data: Path) -> list[Row]:
    return [row for row in _of_heads(data) if row.label == NO_TUMOUR]


def necks(data: Path) -> list[Row]:
    """Slices below the brain, from ``heads.csv``, which no network should judge; they have no class."""
    return [row for row in _of_heads(data) if row.label == NECK]


def _of_heads(data: Path) -> list[Row]:
    return [
        Row(r["path"], r["label"], "heads", r["subject"], r["split"], int(r["fold"]), view=r["view"])
        for r in _records(data, "heads")
    ]


READERS: Final[dict[str, Callable[[Path], list[Row]]]] = {
    "slices": _slices,
    "nickparvar": _nickparvar,
    "lgg": _lgg,
    "healthy": _healthy,
    "heads": _heads,
}


def split_by_group(groups: Iterable[str]) -> dict[str, tuple[str, int]]:
    """(split, fold) of every group: ordered by salted SHA-256, the first fifth is the holdout.

    The rest go round the folds in that order. The same groups are always divided in the same way.
    """
    ordered = sorted(set(groups), key=lambda g: hashlib.sha256(f"{SPLIT_SALT}:{g}".encode()).hexdigest())
    held = round(HOLDOUT_SHARE * len(ordered))
    return {
        group: ("holdout", -1) if rank < held else ("dev", (rank - held) % FOLDS)
        for rank, group in enumerate(ordered)
    }


def training_and_validation(rows: Sequence[Row], data: Data) -> tuple[list[Row], list[Row]]:
    """By patient in ``dev``; by file, as its users do, in ``published``.

    Flagged rows are in neither; in ``published``, whose test images have the same CT slices and lesions
    under ``notumor``, only those whose label is in conflict. Copies of a picture are not in the
    validation of ``dev``. Sources that are left ``without`` are in neither: whatever is set on the
    validation, as limits of refusal are, must not know them. With fold -1 nothing is held out.
    """
    flags = ("", "ct", "lesion") if data.split == "published" else ("",)
    known = [row for row in rows if row.flag in flags and row.source not in data.without]
    pool = [row for row in known if _is_for_training(row, data.split)]
    held = {row.path for row in pool if _fold(row, data) == data.fold}
    train = [row for row in pool if row.path not in held]
    return train, [row for row in pool if row.path in held and row.unique]


def _is_for_training(row: Row, split: str) -> bool:
    return row.official == "train" if split == "published" else row.split == "dev"


def _fold(row: Row, data: Data) -> int:
    """By patient in ``dev``, by file in ``published``."""
    if data.split == "published":
        return hashlib.sha256(row.path.encode()).digest()[0] % data.file_folds
    return row.fold


def published_test(data: Path) -> list[Row]:
    return [row for row in table(data, "nickparvar") if row.official == "test"]


def holdout(rows: Iterable[Row]) -> list[Row]:
    """The rows that no training has seen and that count in the figures."""
    return [row for row in rows if row.split == "holdout" and row.unique and not row.flag]


def pixels(data: Path, rows: Sequence[Row], size: int, cache: Path = CACHE) -> NDArray[np.uint8]:
    """Prepared slices as uint8 (n, size, size), decoded once and then kept under ``cache``."""
    return cached(cache / f"{cache_key(data, rows, size)}.npy", lambda: _decode(data, rows, size))


def cached(kept: Path, make: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The array in the file ``kept``, which is made first where it is not there."""
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}.partial.npy")
        np.save(partial, make())
        partial.replace(kept)
    return np.asarray(np.load(kept, mmap_mode="r"))


def cache_key(data: Path, rows: Sequence[Row], size: int) -> str:
    """Changes with the files, the size and the preprocessing."""
    facts = [(row.path, (data / row.path).stat().st_size) for row in rows]
    text = json.dumps([preprocess.VERSION, size, facts])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _decode(data: Path, rows: Sequence[Row], size: int) -> NDArray[np.uint8]:
    prepared = np.empty((len(rows), size, size), np.uint8)
    for index, row in enumerate(tqdm(rows, desc="decode", unit="image", leave=False, disable=None)):
        first = images.read(data / row.path).slices[0]
        prepared[index] = np.rint(preprocess.prepare(first, size)[..., 0] * 255).astype(np.uint8)
    return prepared
