"""The commands of ``python -m ml`` that fetch, look at, divide and question data."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ml import bundle, outputs
from ml.collection import TABLES
from ml.datasets import Row
from ml.predictor import NOTICE

AddCommand = Callable[..., argparse.ArgumentParser]
DATA = Path("../shared/data")
TEST_SHARE = 0.3
FOLDS = 5


def add(command: AddCommand) -> None:
    fetch = command("download", download, "fetch the published Kaggle set, or go on where it stopped")
    fetch.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="new, empty or fetched before"
    )
    whole = command("heads", heads, "fetch healthy heads from other packages and cut them into slices")
    whole.add_argument("--data", type=Path, default=DATA, metavar="FOLDER", help="where the tables lie")
    check = command("audit", audit, "find copies, patients on both sides of a split, tell-tale files")
    look = command("explore", explore, "write a report of a collection as one HTML file")
    divide = command("split", split, "divide a collection by group into a test share and folds")
    for parser in (check, look, divide):
        parser.add_argument(
            "--data", type=Path, default=DATA, metavar="FOLDER", help="tables or class folders"
        )
        parser.add_argument(
            "--table", action="append", choices=TABLES, default=[], help="only this one; may be repeated"
        )
    check.add_argument("--json", type=Path, metavar="OUT", help="also write what was found there")
    look.add_argument("--out", type=Path, required=True, metavar="HTML")
    divide.add_argument("--out", type=Path, required=True, metavar="CSV")
    divide.add_argument("--test-share", type=float, default=TEST_SHARE, help=f"default {TEST_SHARE}")
    divide.add_argument("--folds", type=int, default=FOLDS, help=f"of the rest; default {FOLDS}")
    divide.add_argument("--seed", type=int, default=0)
    rank = command("grade", grade, "measure whether pictures tell grade 3 from grade 2 gliomas", bundle=True)
    rank.add_argument("--data", type=Path, default=DATA, metavar="FOLDER")
    rank.add_argument("--json", type=Path, metavar="OUT", help="also write the figures there")


def download(chosen: argparse.Namespace) -> int:
    from ml import download as downloading

    for name, count in downloading.download(chosen.out, downloading.COUNTS).items():
        print(f"{name:<20} {count:6d}")
    print(f"{chosen.out / downloading.MANIFEST} lists the hash of every file.")
    return 0


def heads(chosen: argparse.Namespace) -> int:
    from ml import heads as fetching

    for subject, count in fetching.fetch(chosen.data).items():
        print(f"{subject:<20} {count:6d}")
    return 0


def audit(chosen: argparse.Namespace) -> int:
    from ml import audit as auditing

    result = auditing.audit(chosen.data, _rows(chosen))
    print(f"{auditing.as_text(result)}\n{NOTICE}")
    if chosen.json is not None:
        outputs.write_json(chosen.json, result)
    return _complain(len(result["unreadable"]))


def explore(chosen: argparse.Namespace) -> int:
    from ml import explore as exploring

    report, unreadable = exploring.explore(chosen.data, _rows(chosen))
    outputs.write(chosen.out, report)
    print(f"{chosen.out}\n{NOTICE}")
    return _complain(unreadable)


def split(chosen: argparse.Namespace) -> int:
    from ml import split as splitting

    rows = _rows(chosen)
    groups = _groups(chosen, rows)
    places = splitting.split(rows, groups, chosen.test_share, chosen.folds, chosen.seed)
    outputs.write(chosen.out, splitting.as_csv(rows, groups, places))
    print(splitting.as_text(rows, groups, places))
    return 0


def grade(chosen: argparse.Namespace) -> int:
    from ml import grade as grading

    result = grading.measure(chosen.data, chosen.bundle or bundle.default())
    print(f"{grading.as_text(result)}\n{NOTICE}")
    if chosen.json is not None:
        outputs.write_json(chosen.json, result)
    return 0


def _rows(chosen: argparse.Namespace) -> list[Row]:
    from ml import collection

    return collection.rows(chosen.data, chosen.table)


def _groups(chosen: argparse.Namespace, rows: Sequence[Row]) -> list[str]:
    """The groups of tables; in class folders, where no patient is known, pictures with their copies."""
    from ml import audit as auditing
    from ml import collection

    if chosen.table or collection.tables_in(chosen.data):
        return [row.group for row in rows]
    print("Patients are not known in class folders: only copies are kept together.", file=sys.stderr)
    return auditing.groups_of_copies(chosen.data, rows)


def _complain(unreadable: int) -> int:
    if unreadable:
        print(f"data_unreadable: {unreadable} files cannot be read.", file=sys.stderr)
    return 1 if unreadable else 0
