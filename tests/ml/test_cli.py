"""``python -m ml`` as a program: output, errors and exit status."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ml import __main__ as program
from ml import bundle
from ml.images import to_png
from ml.labels import CLASSES
from tests.ml.pictures import brain_png
from tests.ml.seeing import BrightIsTumour, head, seeing

PROJECT = Path(bundle.__file__).resolve().parents[1]


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.png"
    path.write_bytes(brain_png())
    return path


def test_predict_answers_one_object_a_line_in_the_order_given(scan: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"text")
    command = [sys.executable, "-m", "ml", "predict", str(scan), str(bad), str(scan), "--json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [line["path"] for line in lines] == [str(scan), str(bad), str(scan)]
    assert list(lines[0]["probabilities"]) == list(CLASSES) and lines[0] | {"timings": 0} == lines[2] | {
        "timings": 0
    }
    assert {"outcome", "label", "reason", "model_version"} <= set(lines[0])
    assert lines[1]["error"]["code"] == "image_unsupported" and lines[1]["error"]["detail"]


def test_predict_succeeds_when_every_file_did(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["predict", str(scan), "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize(
    ("variable", "before", "after"),
    [
        ("TF_ENABLE_ONEDNN_OPTS", None, "1"),
        ("TF_ENABLE_ONEDNN_OPTS", "0", "0"),
        ("TF_CPP_MIN_LOG_LEVEL", None, "3"),
        ("TF_CPP_MIN_LOG_LEVEL", "0", "0"),
    ],
)
def test_tensorflow_is_fast_and_quiet_unless_somebody_has_said_otherwise(
    variable: str, before: str | None, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, before or "")
    if before is None:
        monkeypatch.delenv(variable)
    assert program.main(["verify", str(bundle.default())]) == 0
    assert os.environ[variable] == after


def test_predict_for_people_says_research_use_only(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["predict", str(scan)]) == 0
    shown = capsys.readouterr().out
    assert "Research use only" in shown and bundle.default().name in shown and "%" in shown


@pytest.mark.parametrize(("name", "code"), [("", "folder_empty"), ("absent.png", "file_unreadable")])
def test_an_empty_folder_or_an_absent_file_is_refused_with_its_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, code: str
) -> None:
    assert program.main(["predict", str(tmp_path / name), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == code


def test_predict_prints_names_that_no_terminal_should_see(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "\udcff\x1b[2J"
    folder.mkdir()
    for name in ("\udcfe\n.png", "\U0001f9e0.png"):
        (folder / name).write_bytes(bytes(100))
    assert program.main(["predict", str(folder), str(scan)]) == 1
    first, *others = capsys.readouterr().out.splitlines()
    assert "\\udcff\\x1b[2J: image_unsupported: \\udcfe\\n.png" in first
    assert len(others) == 2


def test_predict_reads_a_folder_series_by_series(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (scan.parent / "second.png").write_bytes(brain_png(7, height=200))
    assert program.main(["predict", str(scan.parent), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(len(line["slices"]) for line in lines) == 2
    assert {line["path"] for line in lines} == {str(scan.parent)} and "series" in lines[0]


def test_predict_says_and_draws_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    predictor = seeing(tmp_path, monkeypatch, BrightIsTumour())
    (tmp_path / "sick.png").write_bytes(to_png(head((60.0, 80.0, 14.0))))
    (tmp_path / "well.png").write_bytes(to_png(head()))
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "sick.png").write_bytes(to_png(head((60.0, 80.0, 14.0))))
    files = [str(tmp_path / name) for name in ("sick.png", "well.png", "later/sick.png")]
    overlays = tmp_path / "drawn"
    command = ["predict", "--bundle", str(predictor.directory), "--overlays", str(overlays), *files]
    assert program.main(command) == 0
    sick, well, _later, _notice = capsys.readouterr().out.splitlines()
    assert "Outlined on slice 1 around (60, 80): " in sick and "pixels across" in sick
    assert "notumor" in well and "Outlined" not in well
    assert sorted(path.name for path in overlays.iterdir()) == ["1-sick-1.png", "3-sick-1.png"]


def test_evaluate_prints_and_writes_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, label in enumerate(CLASSES):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / "a.png").write_bytes(brain_png(number))
    out = tmp_path / "figures.json"
    assert program.main(["evaluate", "--data", str(tmp_path / "set"), "--json", str(out)]) == 0
    shown, written = capsys.readouterr().out, json.loads(out.read_text())
    assert "Research use only" in shown and "confusion" in shown
    assert written["slices"] == 4 and sum(map(sum, written["confusion"])) == 4
    assert set(written["classes"]) == set(CLASSES) and "tumours_called_notumor" in written
    assert len(written["accuracy"]["interval"]) == 2


def test_evaluate_fails_where_a_file_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "glioma").mkdir()
    (tmp_path / "glioma" / "a.png").write_bytes(b"text")
    assert program.main(["evaluate", "--data", str(tmp_path)]) == 1
    assert "image_unsupported" in capsys.readouterr().err


def test_verify_accepts_the_released_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["verify", str(bundle.default())]) == 0
    assert bundle.default().name in capsys.readouterr().out


def test_verify_names_what_was_altered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = Path(shutil.copytree(bundle.default(), tmp_path / bundle.default().name))
    (copy / bundle.METRICS).write_text("{}")
    assert program.main(["verify", str(copy)]) == 1
    assert "bundle_altered" in (message := capsys.readouterr().err) and bundle.METRICS in message


def test_an_unknown_recipe_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["train", "nothing", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("recipe_invalid: ")
