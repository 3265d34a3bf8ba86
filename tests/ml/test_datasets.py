"""Tables, splits by patient and the cache of prepared pixels."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml import datasets, preprocess
from ml.datasets import DataError, Row
from ml.recipe import Data


def test_a_missing_table_is_refused_with_its_code(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        datasets.table(tmp_path, "slices")
    assert caught.value.code == "data_missing"


def test_groups_are_divided_once_and_for_all() -> None:
    people = [f"sub-{n:02}" for n in range(36)]
    places = datasets.split_by_group(people)
    assert places == datasets.split_by_group(reversed(people * 2))
    counts = Counter(split for split, _ in places.values())
    assert counts == {"holdout": 7, "dev": 29}
    folds = Counter(fold for split, fold in places.values() if split == "dev")
    assert set(folds) == {0, 1, 2, 3, 4} and max(folds.values()) - min(folds.values()) <= 1


def test_no_patient_is_in_two_of_training_validation_and_holdout(folder: Path) -> None:
    rows = datasets.records(folder, ("slices", "healthy"))
    train, held = datasets.training_and_validation(rows, Data(("slices", "healthy")))
    groups = [{row.group for row in part} for part in (train, held, datasets.holdout(rows))]
    assert all(groups) and not groups[0] & groups[1] and not (groups[0] | groups[1]) & groups[2]


def test_where_no_fold_is_held_out_all_of_dev_is_learnt_and_nothing_of_the_holdout(folder: Path) -> None:
    rows = datasets.records(folder, ("slices", "healthy"))
    train, held = datasets.training_and_validation(rows, Data(("slices", "healthy"), fold=-1))
    assert not held
    assert {row.path for row in train} == {row.path for row in rows if row.split == "dev" and not row.flag}


def test_flagged_slices_are_neither_learnt_nor_measured(folder: Path) -> None:
    rows = datasets.records(folder, ("slices",))
    flagged = {row.path for row in rows if row.flag}
    train, held = datasets.training_and_validation(rows, Data(("slices",)))
    assert flagged and not flagged & {row.path for row in (*train, *held, *datasets.holdout(rows))}


def test_the_published_protocol_learns_its_odd_slices_but_no_label_in_conflict() -> None:
    rows = [
        Row(f"{n}.png", "notumor", "br35h", str(n), "dev", 1, official="train", flag=flag)
        for n, flag in enumerate(("", "ct", "lesion", "label_conflict"))
    ]
    train, held = datasets.training_and_validation(rows, Data(("nickparvar",), split="published"))
    assert sorted(row.flag for row in (*train, *held)) == ["", "ct", "lesion"]
    train, held = datasets.training_and_validation(rows, Data(("nickparvar",)))
    assert [row.flag for row in (*train, *held)] == [""]


def test_as_many_files_of_the_published_protocol_are_held_out_as_the_recipe_says() -> None:
    rows = [Row(f"{n}.png", "glioma", "figshare", str(n), "dev", 1, official="train") for n in range(400)]
    fifth = Data(("nickparvar",), split="published")
    parts = [datasets.training_and_validation(rows, replace(fifth, file_folds=n)) for n in (5, 20)]
    assert 60 < len(parts[0][1]) < 100 and 10 < len(parts[1][1]) < 30
    assert all(len(train) + len(held) == 400 for train, held in parts)


def test_a_published_copy_has_the_outline_of_its_slice_mirrored_as_it_is(tmp_path: Path) -> None:
    border = "0.1000,0.2 0.4000,0.2 0.4000,0.7"
    (tmp_path / "slices.csv").write_text(
        "path,key,label,source,group,view,split,fold,unique,flag,border\n"
        f"slices/a.jpg,fig7,glioma,figshare,P:1,axial,dev,0,1,,{border!r}\n".replace("'", '"')
    )
    (tmp_path / "nickparvar.csv").write_text(
        "path,official_split,label,source,figshare_id,group,view,mirrored,flag,split,fold\n"
        "a.jpg,train,glioma,figshare,7,P:1,axial,0,,dev,0\n"
        "b.jpg,train,glioma,figshare,7,P:1,axial,1,,dev,0\n"
        "c.jpg,train,meningioma,sartaj,,S:1,axial,0,,dev,0\n"
    )
    same, mirrored, unknown = (row.border for row in datasets.table(tmp_path, "nickparvar"))
    assert (same, unknown) == (border, "")
    assert mirrored == "0.9000,0.2 0.6000,0.2 0.6000,0.7"
    (tmp_path / "slices.csv").unlink()
    assert not any(row.border for row in datasets.table(tmp_path, "nickparvar"))


def test_the_slices_of_a_patient_are_one_group_in_one_place(tmp_path: Path) -> None:
    patients = [f"TCGA_{n}" for n in range(10)]
    lines = [
        f"lgg/{one}_{n}.png,{one},{n},20,flair,{'glioma' if n else 'notumor'},lgg/{one}_{n}_mask.png,9,2"
        for one in patients
        for n in range(3)
    ]
    head = "path,patient,slice,n_slices,sequence,label,mask,mask_pixels,grade"
    (tmp_path / "lgg.csv").write_text("\n".join([head, *lines]))
    people = [f"sub-{n}" for n in range(10)]
    shown = [f"healthy/{one}_{n}.png,{one},axial,{n},notumor," for one in people for n in range(3)]
    (tmp_path / "healthy.csv").write_text("\n".join(["path,subject,view,slice,label,note", *shown]))
    for name, known in (("lgg", patients), ("healthy", people)):
        rows, places = datasets.table(tmp_path, name), datasets.split_by_group(known)
        assert Counter(row.group for row in rows) == dict.fromkeys(known, 3)
        assert all((row.split, row.fold) == places[row.group] for row in rows)
        assert len({row.split for row in rows}) == 2


def test_a_copy_is_learnt_but_neither_held_out_nor_measured(tmp_path: Path) -> None:
    head = "path,key,label,source,group,view,split,fold,unique,flag,border"
    lines = [
        f"{split}{fold}{n}.jpg,fig{n},glioma,figshare,P:{split}{fold},axial,{split},{fold},{n},,"
        for split, fold in (("dev", 0), ("dev", 1), ("holdout", -1))
        for n in (0, 1)
    ]
    (tmp_path / "slices.csv").write_text("\n".join([head, *lines]))
    rows = datasets.table(tmp_path, "slices")
    train, held = datasets.training_and_validation(rows, Data(("slices",)))
    assert [row.unique for row in train] == [False, True]
    assert [row.unique for row in held] == [row.unique for row in datasets.holdout(rows)] == [True]


def test_a_source_that_is_left_out_is_neither_learnt_nor_held_out() -> None:
    rows = [Row(f"{s}{n}.png", "glioma", s, f"{s}{n}", "dev", n % 2) for s in "ab" for n in range(4)]
    train, held = datasets.training_and_validation(rows, Data(("slices",), without=("b",)))
    assert {row.source for row in train} == {row.source for row in held} == {"a"}


def test_of_the_published_protocol_no_test_image_is_learnt() -> None:
    rows = [
        Row(f"{n}.png", "glioma", "figshare", str(n), "dev", 1, official=("train", "test")[n % 2])
        for n in range(40)
    ]
    train, held = datasets.training_and_validation(rows, Data(("nickparvar",), split="published"))
    assert {row.official for row in (*train, *held)} == {"train"} and len(train) + len(held) == 20


def test_what_is_measured_is_of_the_holdout_and_has_no_flag() -> None:
    places = [("holdout", ""), ("holdout", "ct"), ("dev", "")]
    rows = [Row(f"{s}{flag}.png", "notumor", "br35h", s, s, 0, flag=flag) for s, flag in places]
    assert [row.path for row in datasets.holdout(rows)] == ["holdout.png"]


def test_a_neck_is_no_healthy_brain(tmp_path: Path) -> None:
    lines = [f"heads/{label}.png,{label},sub-1,dev,0,axial" for label in ("notumor", "neck")]
    (tmp_path / "heads.csv").write_text("\n".join(["path,label,subject,split,fold,view", *lines]))
    assert [row.label for row in datasets.table(tmp_path, "heads")] == ["notumor"]
    assert [row.label for row in datasets.necks(tmp_path)] == ["neck"]


def test_another_preprocessing_decodes_anew(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = datasets.records(folder, ("slices",))[:2]
    key = datasets.cache_key(folder, rows, 32)
    assert datasets.cache_key(folder, rows, 32) == key != datasets.cache_key(folder, rows, 33)
    monkeypatch.setattr(preprocess, "VERSION", "another")
    assert datasets.cache_key(folder, rows, 32) != key


def test_cached_pixels_are_what_the_serving_path_prepares(folder: Path, tmp_path: Path) -> None:
    rows = datasets.records(folder, ("slices",))[:3]
    cached = datasets.pixels(folder, rows, 40, tmp_path / "cache")
    again = datasets.pixels(folder, rows, 40, tmp_path / "cache")
    image = datasets.images.read(folder / rows[1].path).slices[0]
    expected = preprocess.prepare(image, 40)[..., 0]
    assert cached.shape == (3, 40, 40) and cached.dtype == np.uint8
    assert np.abs(cached[1] / 255 - expected).max() <= 0.5 / 255 + 1e-6
    assert np.array_equal(cached, again)


def test_a_changed_file_is_decoded_again(folder: Path, tmp_path: Path) -> None:
    rows = datasets.records(folder, ("slices",))[:2]
    datasets.pixels(folder, rows, 32, tmp_path / "cache")
    (folder / rows[0].path).write_bytes((folder / rows[-1].path).read_bytes() + b"\0")
    fresh = datasets.pixels(folder, rows, 32, tmp_path / "cache")
    assert np.array_equal(fresh[0], fresh[1])


@pytest.mark.data
def test_the_frozen_split_keeps_every_patient_on_one_side(data: Path) -> None:
    rows = datasets.records(data, ("slices", "lgg", "healthy"))
    assert len(rows) == 3628 + 2942 + 540
    places: dict[str, set[tuple[str, int]]] = {}
    for row in rows:
        places.setdefault(row.group, set()).add((row.split, row.fold))
    assert all(len(found) == 1 for found in places.values())
    counts = Counter(row.label for row in datasets.holdout(datasets.table(data, "slices")))
    assert (counts["glioma"], counts["meningioma"], counts["pituitary"]) == (286, 147, 177)
