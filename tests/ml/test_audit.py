"""The audit of generated collections whose copies, overlaps and tell-tale files are known."""

import csv
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from ml import __main__ as program
from ml import audit, collection, datasets
from ml.datasets import DataError
from ml.labels import CLASSES
from tests.ml.pictures import brain, bytes_of, encoded

PATIENTS = 12


def head(seed: int) -> PIL.Image.Image:
    """A head with marks of its own: no two seeds are alike."""
    marks = np.random.default_rng(seed).uniform(0.1, 0.9, (6, 6))
    picture = brain(seed, height=128, width=128)
    picture[16:112, 16:112] = np.kron(marks, np.ones((16, 16)))
    return PIL.Image.fromarray(bytes_of(picture))


def put(path: Path, picture: PIL.Image.Image, kind: str = "png", **options: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(picture, kind, **options))


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Class folders: notumor is RGB, the rest grey; three test gliomas repeat training ones."""
    for place, label in enumerate(CLASSES):
        for number in range(PATIENTS):
            part = "Training" if number < 8 else "Testing"
            picture = head(100 * place + number)
            put(
                tmp_path / part / label / f"{number}.png",
                picture.convert("RGB") if label == "notumor" else picture,
            )
    put(tmp_path / "Testing/glioma/8.png", head(0))
    put(tmp_path / "Testing/glioma/9.png", head(1).transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT))
    put(tmp_path / "Testing/glioma/10.jpg", head(2).rotate(90), "jpeg", quality=90)
    return tmp_path


def audited(folder: Path) -> dict[str, object]:
    return audit.audit(folder, collection.rows(folder))


def test_copies_are_counted_by_kind_and_orientation(published: Path) -> None:
    copies = audited(published)["copies"]
    assert (copies["same_file"], copies["same_pixels"], copies["near_pairs"]) == (1, 1, 2)
    assert copies["orientations"] == {"mirrored": 1, "turned by 90": 1}
    assert copies["different_pictures"] == 4 * PATIENTS + 1 - 3
    assert copies["by_class"]["glioma"] == {"pictures": PATIENTS + 1, "different": PATIENTS - 2}


def test_a_copy_on_the_other_side_of_the_published_split_is_counted(published: Path) -> None:
    overlap = audited(published)["overlap"]["official"]
    assert overlap["test"] == {"pictures": 17, "same_group": 0, "same_pixels": 1, "near_copy": 3, "any": 3}
    assert overlap["train"]["any"] == 3


def test_a_file_that_tells_its_class_is_noticed_before_and_not_after_preparation(published: Path) -> None:
    shortcut = audited(published)["shortcut"]
    before, after = shortcut["file"], shortcut["prepared, mirrored at random"]
    assert before["chance"] == after["chance"] == 0.25
    assert before["macro_recall"] >= 0.45 > after["macro_recall"]
    assert ("mode" in before["tree"] or "bytes" in before["tree"]) and "side" in after["tree"]


def test_a_patient_in_two_parts_is_counted_and_the_frozen_split_has_none(tmp_path: Path) -> None:
    rows = [
        (f"slices/{label}/{n}.png", label, "figshare", f"{label}-{n // 2}", "axial", *place, "1", "")
        for label in CLASSES
        for n in range(10)
        for place in [("holdout", "-1") if n < 4 else ("dev", str(n % 3))]
    ]
    columns = ("path", "label", "source", "group", "view", "split", "fold", "unique", "flag")
    for number, row in enumerate(rows):
        put(tmp_path / row[0], head(number))
    with (tmp_path / "slices.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    overlap = audited(tmp_path)["overlap"]
    assert overlap["split"]["dev"]["any"] == overlap["split"]["holdout"]["any"] == 0
    assert sum(found["same_group"] for found in overlap["fold"].values()) == 4 * 6
    assert set(overlap["fold"]) == {"0", "1", "2"}


def test_too_few_groups_are_no_reason_to_claim_a_shortcut(tmp_path: Path) -> None:
    for label in CLASSES:
        put(tmp_path / label / "a.png", head(len(label)))
    result = audited(tmp_path)
    assert result["shortcut"] == {} and "too few" in audit.as_text(result)


def test_the_program_prints_and_writes_what_it_found(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = published / "made" / "audit.json"
    assert program.main(["audit", "--data", str(published), "--json", str(out)]) == 0
    shown, written = capsys.readouterr().out, json.loads(out.read_text())
    assert "Research use only" in shown and "above chance" in shown and "near copy" in shown
    assert written["pictures"] == 49 and not list(out.parent.glob(".*"))


def test_an_unreadable_file_is_named_and_fails_the_program(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (published / "Testing/glioma/bad.png").write_bytes(b"text")
    assert program.main(["audit", "--data", str(published)]) == 1
    shown = capsys.readouterr()
    assert "Testing/glioma/bad.png: image_unsupported" in shown.out
    assert shown.err.splitlines()[-1].startswith("data_unreadable: 1 ")


def test_a_folder_without_pictures_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["audit", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("data_missing: ")


def test_where_no_file_can_be_read_nothing_is_measured(tmp_path: Path) -> None:
    (tmp_path / "glioma").mkdir()
    (tmp_path / "glioma" / "a.png").write_bytes(b"text")
    with pytest.raises(DataError) as caught:
        audited(tmp_path)
    assert caught.value.code == "data_unreadable"


def test_an_output_that_cannot_be_written_is_one_sentence(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (published / "file").write_text("in the way")
    assert (
        program.main(["audit", "--data", str(published), "--json", str(published / "file" / "a.json")]) == 1
    )
    assert "output_unwritable: " in capsys.readouterr().err


@pytest.mark.data
def test_the_frozen_tables_are_read_whole_and_the_published_one_only_by_name(data: Path) -> None:
    assert set(collection.tables_in(data)) - {"heads"} == {"slices", "lgg", "healthy"}
    rows = collection.rows(data, ("nickparvar",))
    assert len(rows) == len(datasets.table(data, "nickparvar")) == 7019


@pytest.mark.data
def test_no_copy_of_an_unknown_patient_s_picture_crosses_the_frozen_split(data: Path) -> None:
    rows = [row for row in datasets.table(data, "slices") if row.source in ("br35h", "sartaj")]
    result = audit.audit(data, rows)
    assert result["pictures"] == len(rows) == 564 and result["copies"]["near_pairs_of_different_groups"] == 0
    for part in ("split", "fold"):
        assert [found["any"] for found in result["overlap"][part].values()] == [0] * (
            2 if part == "split" else 5
        )
