"""Figures and their intervals from a bootstrap over patients."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml import bundle, evaluate
from ml.datasets import DataError, Row
from ml.evaluate import Answers
from ml.labels import CLASSES
from ml.predictor import Predictor
from tests.ml.pictures import brain_png
from tests.ml.seeing import BrightIsTumour, head, image, seeing


def answers(truth: list[int], called: list[int], groups: list[str] | None = None) -> Answers:
    return Answers(
        np.array(truth),
        np.eye(4)[called] * 0.96 + 0.01,
        tuple(CLASSES[c] for c in called),
        tuple(groups or [str(i) for i in range(len(truth))]),
        ("a",) * len(truth),
    )


def test_figures_are_those_worked_out_by_hand() -> None:
    found = evaluate.figures(answers([0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 1, 2, 2, 2, 3, 0]))
    assert found["accuracy"]["value"] == 5 / 8
    assert found["macro_recall"]["value"] == pytest.approx((0.5 + 0.5 + 1 + 0.5) / 4)
    assert found["tumour_accuracy"]["value"] == 0.5
    assert found["tumour_sensitivity"]["value"] == pytest.approx(5 / 6, abs=1e-4)
    assert found["specificity"]["value"] == 1
    assert (found["tumours"], found["tumours_called_notumor"]) == (6, 1)
    assert found["classes"]["notumor"]["precision"]["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["classes"]["meningioma"]["f1"]["value"] == 0.5
    assert found["confusion"][1] == [0, 1, 1, 0]


def test_few_patients_give_a_wider_interval_than_many() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 400)
    patients = np.arange(400) // 40
    called = np.where(patients % 3 == 0, (truth + 1) % 4, truth)
    alone = evaluate.figures(answers(list(truth), list(called)))["accuracy"]["interval"]
    grouped = evaluate.figures(answers(list(truth), list(called), [str(p) for p in patients]))
    low, high = grouped["accuracy"]["interval"]
    assert high - low > 2 * (alone[1] - alone[0])
    assert low < grouped["accuracy"]["value"] < high


def test_a_class_that_does_not_occur_counts_for_nothing() -> None:
    found = evaluate.figures(answers([2, 2, 2], [2, 2, 2]))
    assert found["macro_recall"]["value"] == found["macro_f1"]["value"] == 1
    assert found["classes"]["glioma"]["recall"]["value"] is None
    assert found["tumour_sensitivity"]["value"] is None


def test_uncertain_and_refused_are_not_answers() -> None:
    found = answers([0, 0, 2, 1], [0, 0, 2, 2])
    found = Answers(
        found.targets,
        found.probabilities,
        ("glioma", "uncertain", "refused", "notumor"),
        found.groups,
        found.sources,
    )
    seen = evaluate.answer_figures(found)
    assert (seen["coverage"], seen["accuracy_when_answered"]) == (0.5, 0.5)
    assert (seen["uncertain"], seen["refused"], seen["tumours_called_notumor"]) == (1, 1, 1)


def test_where_nothing_is_answered_no_accuracy_of_answers_is_claimed() -> None:
    found = replace(answers([0, 2], [0, 2]), outcomes=("uncertain", "refused"))
    seen = evaluate.answer_figures(found)
    assert (seen["coverage"], seen["accuracy_when_answered"]) == (0, None)


def test_errors_that_matter_to_patients_are_counted_by_hand() -> None:
    """Of three tumours one is called healthy, one refused, one uncertain; of three healthy one a tumour."""
    found = replace(
        answers([0, 1, 3, 2, 2, 2], [2, 1, 3, 2, 2, 0]),
        outcomes=("notumor", "refused", "uncertain", "notumor", "refused", "glioma"),
    )
    seen = evaluate.answer_figures(found)
    assert (seen["tumours_called_notumor"], seen["tumours_refused"], seen["refused"]) == (1, 1, 2)
    assert seen["healthy_called_tumour"] == 1
    assert (seen["coverage"], seen["accuracy_when_answered"]) == (0.5, pytest.approx(1 / 3, abs=1e-4))
    called = {cell: figures["called_notumor"] for cell, figures in evaluate.by_source(found).items()}
    assert called == {"glioma/a": 1, "meningioma/a": 0, "pituitary/a": 0, "notumor/a": 0}


def test_a_right_kind_of_tumour_is_no_wrong_alarm() -> None:
    seen = evaluate.answer_figures(answers([0, 2, 2], [0, 2, 0]))
    assert seen["healthy_called_tumour"] == 1


def test_a_class_without_cases_that_was_called_takes_no_part_in_the_mean_of_f1() -> None:
    found = evaluate.figures(answers([2, 2, 0, 0], [2, 1, 0, 0]))
    assert found["classes"]["meningioma"]["f1"]["value"] is None
    assert found["macro_f1"]["value"] == pytest.approx((2 / 3 + 1) / 2, abs=1e-4)


def test_only_patients_who_have_a_tumour_make_its_sensitivity_sure() -> None:
    few = evaluate.figures(answers([0, 0, 0, 2, 2, 2, 2, 2], [0, 0, 0, 2, 2, 2, 2, 2]))
    assert few["tumour_sensitivity"]["interval"] == [pytest.approx(0.025 ** (1 / 3), abs=1e-4), 1]


def test_the_outline_that_is_judged_is_that_of_the_slice_that_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = image(head(), head((60.0, 80.0, 14.0)))
    prediction = seeing(tmp_path, monkeypatch, BrightIsTumour()).predict(shown)
    drawn = Row("a.png", "glioma", "a", "1", "", -1, border="0.3,0.33 0.45,0.33 0.45,0.47 0.3,0.47")
    area, found, picture, dice, overlap = evaluate._mark(tmp_path, drawn, shown, prediction)
    assert found == prediction.masks[1].sum() and picture == 200 * 160
    assert area == pytest.approx(0.15 * 160 * 0.14 * 200, rel=0.1) and dice > 0.8 and overlap > 0.6


def test_what_nobody_outlined_is_no_healthy_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = image(head((60.0, 80.0, 14.0)))
    prediction = seeing(tmp_path, monkeypatch, BrightIsTumour()).predict(shown)
    row = Row("a.png", "glioma", "a", "1", "", -1)
    area, found, _, dice, _ = evaluate._mark(tmp_path, row, shown, prediction)
    assert np.isnan([area, dice]).all() and found > 0
    healthy = evaluate._mark(tmp_path, replace(row, label="notumor"), shown, prediction)
    assert healthy[0] == 0 and np.isnan(healthy[3])


def test_a_gain_is_measured_on_the_same_patients() -> None:
    truth, groups = [0, 1, 2, 3] * 20, [str(i // 4) for i in range(80)]
    wrong = [(t + 1) % 4 if i % 10 == 0 else t for i, t in enumerate(truth)]
    first, second = answers(truth, wrong, groups), answers(truth, truth, groups)
    gain = evaluate.compare(first, second)
    assert gain["accuracy"]["value"] == pytest.approx(0.1) and gain["accuracy"]["n"] == 80
    assert gain["accuracy"]["interval"][0] > 0
    assert evaluate.compare(second, first)["accuracy"]["value"] == pytest.approx(-0.1)
    assert evaluate.compare(first, first)["macro_f1"] == {"value": 0, "interval": [0, 0], "n": 80}


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    """One slice in ten differs, of patients who differ much from each other."""
    truth, groups = [0] * 200, [str(i // 20) for i in range(200)]
    called = [1 if i // 20 < 5 else 0 for i in range(200)]
    better = [0 if i % 10 == 0 else c for i, c in enumerate(called)]
    first, second = answers(truth, called, groups), answers(truth, better, groups)
    low, high = evaluate.compare(first, second)["accuracy"]["interval"]
    one = evaluate.figures(first)["accuracy"]["interval"]
    assert high - low < (one[1] - one[0]) / 4


def test_only_answers_to_the_same_slices_are_compared() -> None:
    with pytest.raises(ValueError, match="same slices"):
        evaluate.compare(answers([0, 1], [0, 1]), answers([0, 1], [0, 1], ["a", "b"]))


def test_folds_are_joined_one_after_the_other() -> None:
    whole = evaluate.joined([answers([0, 1], [0, 1], ["a", "b"]), answers([2], [0], ["c"])])
    assert whole.groups == ("a", "b", "c") and whole.targets.tolist() == [0, 1, 2]
    assert evaluate.figures(whole)["accuracy"]["value"] == pytest.approx(2 / 3, abs=1e-4)


def test_the_order_of_the_slices_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    truth, called = rng.integers(0, 4, (2, 60)).tolist()
    groups = [str(i // 3) for i in range(60)]
    order = rng.permutation(60)
    mixed = answers(*([values[i] for i in order] for values in (truth, called, groups)))
    assert evaluate.figures(mixed) == evaluate.figures(answers(truth, called, groups))


def test_a_folder_of_class_folders_is_measured_and_bad_files_are_named(tmp_path: Path) -> None:
    for label in ("glioma", "notumor"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.png").write_bytes(brain_png(tumour=label == "glioma"))
    (tmp_path / "glioma" / "b.png").write_bytes(b"no picture")
    (tmp_path / "glioma" / ".DS_Store").write_bytes(b"of the operating system")
    rows = evaluate.folder_rows(tmp_path)
    found, failed = evaluate.answers(Predictor.load(bundle.default()), tmp_path, rows)
    assert len(rows) == 3 and len(found.outcomes) == 2
    assert [bad.path for bad in failed] == ["glioma/b.png"] and failed[0].code


def test_a_folder_without_class_folders_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="glioma"):
        evaluate.folder_rows(tmp_path)
