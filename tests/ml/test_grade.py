"""The measurement of grade: it finds what is there, claims nothing where there is nothing, and says which."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_info, threadpool_limits

from ml import __main__ as program
from ml import bundle, grade
from ml.class_facts import CAUTION, CLASS_FACTS
from ml.datasets import DataError
from ml.labels import TUMOUR_CLASSES
from tests.ml.pictures import bytes_of, encoded

SIDE = 96
COLUMNS = ("path", "patient", "slice", "n_slices", "sequence", "label", "mask", "mask_pixels", "grade")


@pytest.fixture(autouse=True)
def few_shuffles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grade, "PERMUTATIONS", 9)
    monkeypatch.setattr(grade, "REPEATS", 1)


def lgg_folder(root: Path, patients: int, radius_of: dict[str, int]) -> Path:
    """``patients`` of each grade with one tumour slice in both sequences; its radius is the grade's."""
    rows = []
    for number in range(2 * patients):
        graded = "23"[number % 2]
        name = f"TCGA_H{number % 3}_{number:04}"
        mask = _disc(radius_of[graded] + number % 3)
        for sequence in grade.SEQUENCES:
            path = f"lgg/{name}/1_{sequence}.png"
            _put(root / path, _slice(number, mask))
            rows.append((path, name, 1, 20, sequence, "glioma", f"lgg/{name}/1_mask.png", mask.sum(), graded))
        _put(root / f"lgg/{name}/1_mask.png", PIL.Image.fromarray(mask))
    with (root / "lgg.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return root


def _disc(radius: int) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    return np.hypot(x, y) < radius


def _slice(seed: int, mask: np.ndarray) -> PIL.Image.Image:
    values = np.where(_disc(40), 0.5, 0.0) + 0.3 * mask
    noise = np.random.default_rng(seed).normal(0, 0.05, mask.shape)
    return PIL.Image.fromarray(bytes_of(np.clip(values + noise, 0, 1)))


def _put(path: Path, picture: PIL.Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(picture, "png"))


def test_a_difference_that_is_there_is_found(tmp_path: Path) -> None:
    result = grade.measure(lgg_folder(tmp_path, 10, {"2": 6, "3": 16}), bundle.default())
    assert (result["patients"], result["grade_3"]) == (20, 10)
    assert result["models"][grade.OUTLINE]["auroc"] > 0.95
    assert grade.is_above_chance(result["models"][grade.OUTLINE])


def test_where_there_is_no_difference_nothing_is_shipped(tmp_path: Path) -> None:
    result = grade.measure(lgg_folder(tmp_path, 10, {"2": 9, "3": 9}), bundle.default())
    assert result["models"][grade.OUTLINE]["interval"][0] < 0.5 and not result["ship"]
    assert set(result["models"]) == {grade.OUTLINE, grade.EMBEDDING, grade.HOSPITAL}


def result_of(**above: bool) -> dict[str, Any]:
    """A result whose models lie above chance or not."""
    chance = {"auroc": 0.5, "interval": [0.4, 0.6], "p": 0.5}
    known = {"auroc": 0.9, "interval": [0.8, 0.95], "p": 0.01}
    names = {"outline": grade.OUTLINE, "embedding": grade.EMBEDDING, "hospital": grade.HOSPITAL}
    models = {name: known if above.get(key) else chance for key, name in names.items()}
    return {"patients": 9, "grade_3": 4, "models": models, "ship": grade.ships(models)}


@pytest.mark.parametrize(
    ("above", "verdict"),
    [
        ({"embedding": True}, "ship, as research"),
        ({"embedding": True, "outline": True}, "ship, as research"),
        ({"outline": True}, "do not ship: what lies above chance needs an expert's outline"),
        ({"embedding": True, "hospital": True}, "do not ship: the hospital alone lies above chance, too"),
        ({}, "do not ship: nothing lies above chance"),
    ],
)
def test_only_what_the_portal_can_run_and_no_hospital_explains_is_shipped(
    above: dict[str, bool], verdict: str
) -> None:
    assert grade.as_text(result_of(**above)).splitlines()[-1] == f"verdict: {verdict}"


def test_shuffled_grades_that_do_exactly_as_well_count_against_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def two_of_three(values: np.ndarray, grades: np.ndarray, model: object) -> np.ndarray:
        scores = np.zeros(len(grades))
        scores[np.flatnonzero(grades)] = [1, 1, -1]
        return scores

    monkeypatch.setattr(grade, "held_out_scores", two_of_three)
    found = grade.judged(np.zeros((6, 1)), np.arange(6) < 3, grade._logistic())
    assert (found["auroc"], found["p"]) == (0.6667, 1.0)


def test_no_patient_is_scored_by_a_model_that_has_seen_it() -> None:
    """Every patient is its own property: a model that has seen it would know it."""
    high = np.arange(20) % 2 == 0
    scores = grade.held_out_scores(np.eye(20), high, grade._logistic())
    assert np.ptp(scores) < 0.5


def test_models_of_few_patients_are_fitted_by_one_thread() -> None:
    class Watched(LogisticRegression):  # type: ignore[misc]
        def fit(self, values: np.ndarray, grades: np.ndarray) -> "Watched":
            threads.update(pool["num_threads"] for pool in threadpool_info())
            super().fit(values, grades)
            return self

    threads: set[int] = set()
    with threadpool_limits(2):
        grade.held_out_scores(np.eye(20), np.arange(20) % 2 == 0, make_pipeline(Watched()))
    assert threads == {1}


def test_a_patient_without_one_sequence_is_still_measured(tmp_path: Path) -> None:
    folder = lgg_folder(tmp_path, 6, {"2": 6, "3": 12})
    lines = (folder / "lgg.csv").read_text().splitlines(keepends=True)
    (folder / "lgg.csv").write_text("".join(line for line in lines if "TCGA_H0_0000/1_t1gd" not in line))
    found = grade.patients(folder, bundle.default())
    assert len(found) == 12 and np.isnan(found[0].properties).sum() == 3


def test_too_few_patients_are_refused_with_a_code(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        grade.measure(lgg_folder(tmp_path, 2, {"2": 6, "3": 12}), bundle.default())
    assert caught.value.code == "grade_too_few"


def test_the_program_prints_the_verdict_and_writes_the_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = lgg_folder(tmp_path / "data", 6, {"2": 6, "3": 14}), tmp_path / "grade.json"
    assert program.main(["grade", "--data", str(folder), "--json", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "verdict: " in shown and "Research use only" in shown and "hospital alone" in shown
    assert json.loads(out.read_text())["bundle"] == bundle.default().name


def test_a_folder_without_the_table_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["grade", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("data_missing: ")


def test_facts_are_told_of_every_tumour_class_with_caution_and_of_no_healthy_slice() -> None:
    assert tuple(CLASS_FACTS) == TUMOUR_CLASSES
    for fact in CLASS_FACTS.values():
        assert fact.behaviour in ("usually benign", "usually malignant") and fact.text.endswith(".")
        assert set(fact.grades) <= {1, 2, 3, 4}
    assert "not a prediction" in CAUTION
