"""The labelled pictures of a folder: its tables where it has some, its class folders where not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ml import datasets
from ml.datasets import DataError, Row
from ml.labels import CLASSES

TABLES: Final = tuple(datasets.READERS)
PUBLISHED: Final = "nickparvar"
"""The published set as it is; ``slices`` holds the same pictures without their copies."""
PUBLISHED_PARTS: Final = {"Training": "train", "Testing": "test"}


def rows(data: Path, tables: Sequence[str] = ()) -> list[Row]:
    """Of the tables named, else of those there are, else of the class folders.

    Raises DataError data_missing where there is neither.
    """
    names = tables or tables_in(data)
    return datasets.records(data, names) if names else tree(data)


def tables_in(data: Path) -> tuple[str, ...]:
    """Every table of the folder that shows its pictures once: PUBLISHED only where it is the only one."""
    present = [name for name in TABLES if (data / f"{name}.csv").is_file()]
    return tuple(name for name in present if name != PUBLISHED) or tuple(present)


def tree(folder: Path) -> list[Row]:
    """Every file of ``glioma``, ``meningioma``, …, below ``Training`` and ``Testing`` or at the top.

    Nothing is known of patients there: every file is its own group.
    """
    found = [row for part in (*PUBLISHED_PARTS, "") for row in _part(folder, part)]
    if not found:
        raise DataError(f"{folder} has neither tables nor folders named {', '.join(CLASSES)} with images.")
    return found


def _part(folder: Path, part: str) -> list[Row]:
    return [
        Row(name, label, folder.name, name, "", -1, official=PUBLISHED_PARTS.get(part, ""))
        for label in CLASSES
        for path in sorted((folder / part / label).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
        for name in [path.relative_to(folder).as_posix()]
    ]
