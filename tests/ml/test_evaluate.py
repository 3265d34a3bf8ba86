"""Figures and their intervals from a bootstrap over patients."""

from pathlib import Path

import numpy as np
import pytest

from ml import bundle, evaluate
from ml.datasets import DataError
from ml.evaluate import Answers
from ml.labels import CLASSES
from ml.predictor import Predictor
from tests.ml.pictures import brain_png


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


def test_a_folder_of_class_folders_is_measured_and_bad_files_are_named(tmp_path: Path) -> None:
    for label in ("glioma", "notumor"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.png").write_bytes(brain_png(tumour=label == "glioma"))
    (tmp_path / "glioma" / "b.png").write_bytes(b"no picture")
    rows = evaluate.folder_rows(tmp_path)
    found, failed = evaluate.answers(Predictor.load(bundle.default()), tmp_path, rows)
    assert len(rows) == 3 and len(found.outcomes) == 2
    assert [bad.path for bad in failed] == ["glioma/b.png"] and failed[0].code


def test_a_folder_without_class_folders_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="glioma"):
        evaluate.folder_rows(tmp_path)
