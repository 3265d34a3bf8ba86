"""The whole report of a bundle, on generated slices and a network that is a rule (``seeing``)."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml import __main__ as program
from ml import bundle, datasets, evaluate, images, readings, report, robustness
from ml.datasets import DataError
from ml.evaluate import Answers, Vary
from ml.labels import CLASSES
from ml.predictor import Predictor
from tests.ml import tiny
from tests.ml.seeing import BrightIsTumour, head, seeing

COLUMNS = (
    "path",
    "official_split",
    "label",
    "source",
    "figshare_id",
    "group",
    "view",
    "mirrored",
    "flag",
    "split",
    "fold",
)


def slice_png(*, tumour: bool) -> bytes:
    """A head that fills its frame; a tumour is bright where ``tiny.OUTLINE`` says."""
    pixels = head(height=96, width=96)
    if tumour:
        pixels[round(0.4 * 96) : round(0.6 * 96), round(0.4 * 96) : round(0.6 * 96)] = 1
    return images.to_png(pixels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``tiny``'s tables, with pictures whose truth the rule can see."""
    root = tiny.data_folder(tmp_path / "data")
    for row in datasets.records(root, ("slices", "healthy")):
        (root / row.path).write_bytes(slice_png(tumour=row.label != "notumor"))
    return root


def published(root: Path) -> None:
    rows = [(f"Testing/{label}/{n}.png", label, n) for label in CLASSES for n in range(3)]
    with (root / "nickparvar.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for path, label, n in rows:
            writer.writerow((path, "test", label, "figshare", n, f"P:{label}{n}", "", 0, "", "holdout", -1))
            target = root / "nickparvar" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(slice_png(tumour=label != "notumor"))


def predictor(folder: Path, patch: pytest.MonkeyPatch, split: str = "dev", **engine: bool) -> Predictor:
    tables = ["slices", "lgg", "healthy"] if split == "dev" else ["nickparvar"]
    recipe = tiny.recipe().as_dict() | {"data": {"tables": tables, "split": split, "fold": 0}}
    return seeing(folder, patch, BrightIsTumour(**engine), recipe=recipe, specific_threshold=0.5)


@pytest.fixture
def metrics(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return report.figures(predictor(tmp_path, monkeypatch), folder)


def test_every_set_of_slices_is_measured_with_outlines(metrics: dict[str, Any]) -> None:
    assert metrics["holdout"]["slices"] == 12 and metrics["holdout_healthy"]["slices"] == 2
    assert metrics["holdout"]["tumour_sensitivity"]["value"] == 1
    assert metrics["holdout"]["specificity"]["value"] == 1
    assert metrics["masks"]["holdout"]["dice"]["value"] > 0.85
    assert metrics["masks"]["holdout"]["dice"]["n"] == 6
    assert metrics["masks"]["holdout"]["boxes"]["value"] == 1
    assert metrics["masks"]["holdout_healthy"]["healthy"]["outlined"]["value"] == 0
    assert set(metrics["mask_sources"]) == {f"{c}/figshare" for c in CLASSES if c != "notumor"}


def test_everything_that_is_asked_of_a_bundle_is_there(metrics: dict[str, Any]) -> None:
    assert metrics["patients"]["holdout_healthy"]["right"] == 2
    at_specificity = metrics["operating"]["chosen_on_validation"]["holdout"]
    assert at_specificity["threshold"] == 0.5 and at_specificity["tumours_called_notumor"] == 0
    assert metrics["prevalence"]["all"]["0.05"]["npv"]["value"] == 1
    assert metrics["calibration"]["holdout"]["after"]["brier"]["n"] == 12
    assert metrics["refusal"]["pictures"] == 1 and metrics["refusal"]["brain_refused"]["value"] == 0
    assert metrics["invariance"]["same_class"]["n"] == 14 * 6
    for name, target in metrics["targets"].items():
        assert {"value", "interval", "n", "aim", "met", "command"} <= set(target), name
        assert target["command"] == "python -m ml report --bundle ml/bundles/seeing-1"


def test_metrics_are_json_and_can_be_read_as_tables(metrics: dict[str, Any]) -> None:
    again = json.loads(json.dumps(metrics, allow_nan=False))
    text, markdown = report.as_text(again), report.as_markdown(again)
    assert "holdout (12 slices, 12 groups)" in text and "| mask: mean Dice, figshare |" in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert all(line.endswith(" |") for line in rows) and len(rows) > 60


def test_the_subsample_repeats_what_the_report_counted(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = predictor(tmp_path, monkeypatch)
    kept = report.figures(one, folder)["subsample"]
    assert report.subsample(one, folder, kept["every"]) == kept and kept["dice"] > 0.8
    third = report.subsample(one, folder, 3)
    assert sum(map(sum, third["confusion"])) == 5 and third["every"] == 3


@pytest.mark.parametrize("held", [True, False])
def test_hard_pictures_are_made_of_slices_that_the_bundle_has_not_learnt(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    one = predictor(tmp_path, monkeypatch)
    asked: list[datasets.Row] = []
    answers = readings.answers

    def answering(judge: Predictor, data: Path, rows: list[datasets.Row], vary: Vary) -> Answers:
        asked.extend(rows)
        return answers(judge, data, rows, vary)

    monkeypatch.setattr(readings, "answers", answering)
    table = report.hard(one, folder, held=held, every=2)
    assert [row[0] for row in table.rows] == [*robustness.HARD, "mean of the changed"]
    assert {(row.split, row.fold) for row in asked} == ({("dev", 0)} if held else {("holdout", -1)})


def test_the_command_shows_how_hard_pictures_are_answered(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = predictor(tmp_path, monkeypatch)
    command = ["hard", "--bundle", str(one.directory), "--held", "--every", "2", "--data", str(folder)]
    assert program.main(command) == 0
    shown = capsys.readouterr().out
    assert "| sharpened |" in shown and "| mean of the changed |" in shown and "Research use only" in shown


@pytest.mark.parametrize("every", ["0", "-1", "some"])
def test_hard_pictures_are_of_every_so_many_slices(every: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        program.main(["hard", "--every", every])
    assert refused.value.code == 2 and "--every" in capsys.readouterr().err


def test_a_bundle_that_has_learnt_every_fold_has_none_to_choose_by(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny.recipe().as_dict() | {"data": {"tables": ["slices"], "split": "dev", "fold": -1}}
    one = seeing(tmp_path, monkeypatch, BrightIsTumour(), recipe=recipe)
    with pytest.raises(DataError, match="every fold"):
        report.hard(one, folder, held=True)


def test_a_tumour_that_is_not_called_one_has_no_outline_and_counts_with_nothing(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = report.figures(predictor(tmp_path, monkeypatch, blind=True), folder)
    assert seen["holdout"]["tumours_called_notumor"] == 9
    assert seen["masks"]["holdout"]["dice"]["value"] == 0
    assert seen["masks"]["holdout"]["dice_where_outlined"]["value"] is None


def test_a_network_without_outlines_has_no_figures_of_them(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = report.figures(predictor(tmp_path, monkeypatch, masks=False), folder)
    assert "masks" not in seen and "dice" not in seen["subsample"] and "dice" not in seen["targets"]
    assert seen["holdout"]["tumour_sensitivity"]["value"] == 1


def test_a_bundle_of_the_published_split_is_measured_on_its_test_images_at_five_rotations(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(folder)
    seen = report.figures(predictor(tmp_path, monkeypatch, "published"), folder)
    assert "holdout" not in seen and seen["published_test"]["slices"] == 12
    assert seen["published_rotated"]["slices"] == 60 and seen["published_rotated"]["groups"] == 12
    # A neck that is turned up looks like a tumour to the rule.
    assert seen["published_rotated"]["accuracy_0"]["value"] == 0.5
    assert seen["published_rotated"]["accuracy_90"]["value"] == 0.25
    assert {"published_accuracy", "rotated_macro_recall"} <= set(seen["targets"])


def test_rows_without_an_outline_take_no_part_in_dice(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row for row in datasets.table(folder, "slices") if row.label != "pituitary"]
    found, failed = evaluate.answers(predictor(tmp_path, monkeypatch), folder, rows)
    assert found.marks is not None and not failed
    drawn = [bool(row.border) for row in rows]
    assert np.isnan(found.marks.dice).tolist() == [not one for one in drawn]
    known = [one or row.label == "notumor" for one, row in zip(drawn, rows, strict=True)]
    assert np.isnan(found.marks.truth).tolist() == [not one for one in known]


@pytest.mark.parametrize("directory", bundle.available(), ids=lambda path: path.name)
def test_what_every_bundle_recorded_can_be_read(
    directory: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plots = tmp_path / "plots"
    command = ["report", "--bundle", str(directory), "--recorded", "--markdown", "--plots", str(plots)]
    assert program.main(command) == 0
    shown = capsys.readouterr().out
    recorded = json.loads((directory / bundle.METRICS).read_text())
    assert shown.startswith(directory.name) and "### By class and source" in shown
    assert all(path.suffix == ".png" for path in plots.glob("*"))
    assert len(list(plots.glob("*"))) == 2 * len(recorded.get("calibration", {}))
