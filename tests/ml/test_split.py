"""A new split: no group divided, shares kept, the same again for the same seed."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import __main__ as program
from ml import split
from ml.datasets import DataError, Row
from ml.labels import CLASSES
from tests.ml import tiny
from tests.ml.pictures import brain_png


def rows_of(sizes: list[tuple[str, int]]) -> list[Row]:
    """One group for every (class, size)."""
    return [
        Row(f"{at}-{n}.png", label, "made", f"g{at}", "", -1)
        for at, (label, size) in enumerate(sizes)
        for n in range(size)
    ]


def groups_of(rows: list[Row]) -> list[str]:
    return [row.group for row in rows]


def placed(rows: list[Row], share: float, folds: int, seed: int) -> dict[str, split.Place]:
    return split.split(rows, groups_of(rows), share, folds, seed)


collections = st.lists(st.tuples(st.sampled_from(CLASSES), st.integers(1, 12)), min_size=0, max_size=60).map(
    lambda more: rows_of([*((label, 3) for label in CLASSES for _ in range(8)), *more])
)


@given(rows=collections, share=st.floats(0.1, 0.6), folds=st.integers(1, 5), seed=st.integers(0, 99))
def test_every_group_has_one_place_and_shares_are_kept_to_a_few_groups(
    rows: list[Row], share: float, folds: int, seed: int
) -> None:
    places = placed(rows, share, folds, seed)
    assert set(places) == set(groups_of(rows))
    assert set(places.values()) <= {("test", -1), *(("dev", fold) for fold in range(folds))}
    for label in CLASSES:
        of_class = [row for row in rows if row.label == label]
        largest = max(Counter(groups_of(of_class)).values())
        tested = sum(places[row.group][0] == "test" for row in of_class)
        assert abs(tested - share * len(of_class)) <= 2 * largest
        for fold in range(folds):
            found = sum(places[row.group] == ("dev", fold) for row in of_class)
            assert abs(found - (1 - share) / folds * len(of_class)) <= 2 * largest


@given(rows=collections, seed=st.integers(0, 99))
def test_the_order_of_the_rows_changes_nothing(rows: list[Row], seed: int) -> None:
    places = placed(rows, 0.3, 5, seed)
    assert placed(rows[::-1], 0.3, 5, seed) == places
    back = split.as_csv(rows[::-1], groups_of(rows[::-1]), places)
    assert split.as_csv(rows, groups_of(rows), places) == back


def test_another_seed_gives_another_split() -> None:
    rows = rows_of([(label, 3 + n % 5) for label in CLASSES for n in range(20)])
    assert placed(rows, 0.3, 5, 1) != placed(rows, 0.3, 5, 2)


def test_a_patient_with_slices_of_two_classes_stays_whole() -> None:
    rows = [
        Row(f"{n}-{label}.png", label, "lgg", f"p{n}", "", -1)
        for n in range(20)
        for label in ("glioma", "notumor")
    ]
    places = placed(rows, 0.3, 2, 0)
    assert Counter(place for place in places.values()) == {("test", -1): 6, ("dev", 0): 7, ("dev", 1): 7}


@pytest.mark.parametrize(("share", "folds"), [(0.0, 5), (1.0, 5), (0.3, 0), (0.3, 10)])
def test_an_impossible_split_is_refused(share: float, folds: int) -> None:
    with pytest.raises(DataError) as caught:
        placed(rows_of([(label, 2) for label in CLASSES for _ in range(10)]), share, folds, 0)
    assert caught.value.code == "split_impossible"


def test_the_program_writes_one_line_for_every_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny.data_folder(tmp_path / "data")
    out = tmp_path / "split.csv"
    arguments = ["split", "--data", str(folder), "--table", "slices", "--out", str(out), "--folds", "3"]
    assert program.main(arguments) == 0
    with out.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert tuple(found[0]) == split.COLUMNS and len(found) == 4 * tiny.PATIENTS
    share = sum(row["split"] == "test" for row in found) / len(found)
    assert abs(share - 0.3) < 0.05 and {row["fold"] for row in found} == {"-1", "0", "1", "2"}
    assert "test" in capsys.readouterr().out
    first = out.read_bytes()
    assert program.main(arguments) == 0 and out.read_bytes() == first


def test_copies_in_class_folders_stay_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place, label in enumerate(CLASSES):
        (tmp_path / "set" / label).mkdir(parents=True)
        for n in range(6):
            picture = brain_png(10 * place + n // 2, height=64 + 8 * (n // 2), width=64 + 4 * place)
            (tmp_path / "set" / label / f"{n}.png").write_bytes(picture)
    out = tmp_path / "split.csv"
    assert program.main(["split", "--data", str(tmp_path / "set"), "--out", str(out), "--folds", "1"]) == 0
    with out.open(newline="") as file:
        found = {row["path"]: (row["split"], row["fold"]) for row in csv.DictReader(file)}
    assert all(
        found[f"{label}/{n}.png"] == found[f"{label}/{n + 1}.png"] for label in CLASSES for n in (0, 2, 4)
    )
    assert "Patients are not known" in capsys.readouterr().err


def test_nothing_is_written_where_the_split_is_impossible(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny.data_folder(tmp_path / "data")
    out = tmp_path / "split.csv"
    assert program.main(["split", "--data", str(folder), "--out", str(out), "--folds", "40"]) == 1
    assert capsys.readouterr().err.startswith("split_impossible: ") and not out.exists()
