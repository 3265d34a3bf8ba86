"""Studies: what a candidate changes, what it is tested on, and that a stopped study goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml import datasets, decision, recipe, starting, study
from ml.evaluate import Answers
from ml.labels import CLASSES, REFUSED
from ml.recipe import RecipeError
from ml.train import Outputs, Validation

pytestmark = pytest.mark.usefixtures("cache_beside")

STUDY = """
base = "{base}"
[base_changes.training]
learning_rate = 0.001
[[candidate]]
name = "one"
[[candidate]]
name = "two"
[candidate.network]
dropout = 0.5
[[together]]
name = "both"
members = ["one", "two"]
[[test]]
name = "fold 1"
fold = 1
[[test]]
name = "without healthy"
without = ["healthy"]
"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    base = tmp_path / "base.toml"
    base.write_text(
        """seed = 1
[network]
kind = "seed_cnn"
size = 32
[data]
tables = ["slices", "healthy"]
[training]
epochs = 1
batch = 8
"""
    )
    path = tmp_path / "small.toml"
    path.write_text(STUDY.format(base=base))
    return str(path)


def test_every_candidate_meets_every_test_with_its_own_changes(small: str) -> None:
    trials = study.read(small)
    assert [(t.test, t.candidate) for t in trials] == [
        ("fold 1", "one"),
        ("fold 1", "two"),
        ("fold 1", "both"),
        ("without healthy", "one"),
        ("without healthy", "two"),
        ("without healthy", "both"),
    ]
    assert {t.recipe.training.learning_rate for t in trials} == {0.001}
    assert [t.recipe.network.dropout for t in trials if not t.members] == [0.0, 0.5, 0.0, 0.5]
    assert trials[0].recipe.data.fold == 1 and trials[3].recipe.data.without == ("healthy",)


def test_a_source_left_out_is_tested_by_people_nobody_learnt_from(small: str, folder: Path) -> None:
    trial = study.read(small)[3]
    rows = datasets.records(folder, trial.tables)
    learnt, _ = datasets.training_and_validation(rows, trial.recipe.data)
    tested = study.tested_rows(trial, folder)
    assert tested and {row.source for row in tested} == {"healthy"}
    assert not {row.group for row in tested} & {row.group for row in learnt}
    assert "healthy" not in {row.source for row in learnt}
    assert {row.split for row in tested} == {"dev"}


def test_nothing_is_set_on_a_source_left_out(small: str, folder: Path) -> None:
    trial = study.read(small)[3]
    rows = datasets.records(folder, trial.tables)
    parts = datasets.training_and_validation(rows, trial.recipe.data)
    assert all(parts) and not {row.path for part in parts for row in part if row.source == "healthy"}
    before = datasets.training_and_validation(rows, replace(trial.recipe.data, without=()))
    assert all("healthy" in {row.source for row in part} for part in before)


def test_a_source_left_out_is_answered_as_a_clinician_there_would_be_told(
    small: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held-out healthy slices of the known sources look a little like a tumour, up to .2."""
    known = [_logits(glioma=p) for p in np.linspace(0.01, 0.2, 20)] + [_logits(glioma=0.99)] * 20
    targets = np.array([decision.HEALTHY] * 20 + [0] * 20)
    held = Validation(np.zeros((40, 8, 8), np.uint8), targets, np.zeros((40, 8, 8), np.uint8))
    outputs = Outputs(np.array(known, np.float32), np.zeros((40, 1), np.float32), None)
    monkeypatch.setattr(study.train, "validation", lambda *_: held)
    monkeypatch.setattr(study.train, "outputs", lambda *_: outputs)
    asked = np.array([_logits(glioma=p) for p in (0.001, 0.4, 0.99)], np.float32)
    fold, *_, left_out = study.read(small)[:4]
    said = study._said(None, left_out.recipe, folder, asked)
    assert said.tolist() == ["notumor", "uncertain", "glioma"]
    assert study._said(None, fold.recipe, folder, asked).tolist() == ["notumor", "notumor", "glioma"]


def _logits(*, glioma: float) -> list[float]:
    return [float(np.log(glioma)), -20.0, float(np.log(1 - glioma)), -20.0]


def test_a_study_that_was_stopped_trains_only_what_is_missing(
    small: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = study.run(small, folder, tmp_path / "runs")
    monkeypatch.setattr(study.train, "train", lambda *_: pytest.fail("trained again"))
    assert study.run(small, folder, tmp_path / "runs") == first
    refused = {row[0]: row[-1] for row in first.rows}
    assert first.columns[-1] == "refused" and refused["fold 1: both"] == "-"
    assert all(value != "-" for name, value in refused.items() if "both" not in name)
    assert [row[0] for row in first.rows] == [
        "fold 1: one",
        "fold 1: two",
        "fold 1: both",
        "without healthy: one",
        "without healthy: two",
        "without healthy: both",
        "mean over sources left out: one",
        "mean over sources left out: two",
        "mean over sources left out: both",
    ]


def test_candidates_together_answer_with_the_mean_of_their_logits(
    small: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = {"one": [[2.0, 0.0, 0.0, 0.0]], "two": [[0.0, 0.0, 3.0, 0.0]]}
    monkeypatch.setattr(study.train, "train", lambda _recipe, _data, out: out.mkdir(parents=True))
    monkeypatch.setattr(study, "_tested", lambda trial, *_: _answer(logits[trial.candidate]))
    monkeypatch.setattr(study, "table", lambda _trials, answers: answers)
    both = study.run(small, folder, tmp_path / "runs")[2]
    assert both.outcomes == (CLASSES[2],)
    assert both.probabilities == pytest.approx(decision.softmax(np.array([[1.0, 0.0, 1.5, 0.0]]), 1.0))


def test_a_candidate_may_go_on_from_the_mean_of_others(small: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "after.toml"
    later = '[[candidate]]\nname = "three"\nafter = ["one", "two"]\n[[together]]'
    path.write_text(Path(small).read_text().replace("[[together]]", later, 1))
    study.run(str(path), folder, tmp_path / "runs")
    folders = [tmp_path / "runs" / f"{name}_-_fold_1" for name in ("one", "two", "three")]
    assert starting.read_recipe(folders[2]).network.start == tuple(map(str, folders[:2]))


def _answer(logits: list[list[float]]) -> Answers:
    probabilities = decision.softmax(np.array(logits), 1.0)
    called = CLASSES[int(probabilities.argmax())]
    return Answers(np.array([0]), probabilities, (called,), ("somebody",), ("somewhere",))


def test_the_share_refused_is_that_of_a_candidates_own_answers(small: str) -> None:
    alone, _, both, *_ = study.read(small)
    probabilities = np.tile(decision.softmax(np.array([[2.0, 0.0, 0.0, 0.0]]), 1.0), (4, 1))
    outcomes = (REFUSED, CLASSES[0], CLASSES[0], CLASSES[0])
    found = Answers(np.zeros(4, np.int64), probabilities, outcomes, tuple("abcd"), ("here",) * 4)
    refused = [row[-1] for row in study.table([alone, both], [found, found]).rows]
    assert refused[0].startswith(".250 [") and refused[1] == "-"


def test_what_is_answered_wrongly_is_counted_where_a_source_was_left_out(small: str) -> None:
    fold, *_, left_out = study.read(small)[:4]
    targets = np.array([0, 0, 0, 0, decision.HEALTHY, decision.HEALTHY])
    outcomes = ("glioma", "uncertain", "notumor", REFUSED, "uncertain", "pituitary")
    probabilities = np.full((6, 4), 0.25)
    found = Answers(targets, probabilities, outcomes, tuple("abcdef"), ("here",) * 6)
    listed = study.table([fold, left_out], [found, found])
    missed, alarmed = listed.columns.index("tumours answered notumor"), -2
    assert listed.columns[alarmed] == "healthy slices answered with a tumour"
    assert [row[missed] for row in listed.rows[:1]] == ["-"]
    assert listed.rows[1][missed].startswith(".250 [") and listed.rows[1][alarmed].startswith(".500 [")
    sick = found.only(targets == 0)
    assert study.table([left_out], [sick]).rows[0][alarmed] == "-"


def test_folds_together_judge_every_patient_once_and_are_shown_by_source(small: str) -> None:
    first = study.read(small)[0]
    second = replace(first, test="fold 2")
    right, wrong = _answers_of("ab", "here", CLASSES[0]), _answers_of("cd", "there", CLASSES[1])
    rows = {row[0]: row[1] for row in study.table([first, second], [right, wrong]).rows}
    assert rows["2 folds: one"].startswith(".500 [")
    assert rows["2 folds, here: one"].startswith("1.000 [")
    assert rows["2 folds, there: one"].startswith(".000 [")


def test_one_fold_and_sources_left_out_are_no_folds_together(small: str) -> None:
    first, *_ = study.read(small)
    left_out = study.read(small)[3]
    found = _answers_of("ab", "here", CLASSES[0])
    names = [row[0] for row in study.table([first, left_out], [found, found]).rows]
    assert names == ["fold 1: one", "without healthy: one", "mean over sources left out: one"]


def _answers_of(groups: str, source: str, called: str) -> Answers:
    """Slices of a glioma, one a patient, that a network calls so."""
    logits = np.zeros((len(groups), len(CLASSES)))
    logits[:, CLASSES.index(called)] = 2.0
    truth, probabilities = np.zeros(len(groups), np.int64), decision.softmax(logits, 1.0)
    return Answers(truth, probabilities, (called,) * len(groups), tuple(groups), (source,) * len(groups))


def test_candidates_together_must_be_candidates(small: str) -> None:
    path = Path(small)
    path.write_text(path.read_text().replace('members = ["one", "two"]', 'members = ["one", "three"]'))
    with pytest.raises(RecipeError, match="three"):
        study.read(small)


def test_every_study_in_the_folder_is_understood() -> None:
    names = sorted(path.stem for path in study.STUDIES.glob("*.toml"))
    assert {"folds", "parts", "sources"} <= set(names)
    assert all(study.read(name) for name in names)
    assert recipe.read("outline").network.size > study.read("sources")[0].recipe.network.size


def test_an_unknown_study_names_those_there_are() -> None:
    with pytest.raises(RecipeError, match="sources"):
        study.read("everything")
