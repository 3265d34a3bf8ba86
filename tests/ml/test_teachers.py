"""What a network is taught by others that have learnt before."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from ml import decision, networks, starting, teachers, train
from ml.examples import Batch
from ml.labels import CLASSES
from ml.recipe import Network, RecipeError
from tests.ml import tiny
from tests.ml.test_networks import TINY
from tests.ml.test_starting import PICTURES, released

POLICY = "float32"
DATA = tiny.recipe().data


def run(folder: Path, seed: int) -> tuple[Path, keras.Model]:
    """A finished run, as far as a teacher needs it."""
    folder.mkdir()
    recipe = replace(tiny.recipe(), network=TINY["residual_unet"])
    (folder / "recipe.json").write_text(json.dumps(recipe.as_dict()))
    model = networks.build(recipe.network, seed=seed)
    model.save_weights(folder / starting.RUN_WEIGHTS)
    return folder, model


def batch(*, strangers: int = 0) -> Batch:
    count = len(PICTURES)
    classes = np.eye(len(CLASSES), dtype=np.float32)[np.arange(count) % len(CLASSES)]
    classes[:strangers] = 1 / len(CLASSES)
    foreign = (np.arange(count)[:, np.newaxis] < strangers).astype(np.float32)
    return Batch(PICTURES, classes, foreign, np.zeros((count, 16, 16, 1), np.float32))


def test_the_truth_gives_way_to_the_mean_answer_of_the_teachers_by_its_share(tmp_path: Path) -> None:
    runs = [run(tmp_path / str(seed), seed) for seed in (2, 3)]
    logits = np.mean([model.predict_on_batch(PICTURES)[0] for _, model in runs], axis=0)
    found = teachers.truth(teachers.load([str(place) for place, _ in runs], DATA, POLICY), 0.25, batch())
    assert np.allclose(found, 0.75 * batch().classes + 0.25 * decision.softmax(logits, 1.0), atol=1e-5)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)


def test_pictures_of_other_things_stay_of_no_class(tmp_path: Path) -> None:
    place, _ = run(tmp_path / "run", 2)
    given = batch(strangers=3)
    found = teachers.truth(teachers.load([str(place)], DATA, POLICY), 1.0, given)
    assert np.array_equal(found[:3], given.classes[:3]) and not np.allclose(found[3:], given.classes[3:])


def test_without_teachers_the_truth_is_the_label() -> None:
    assert teachers.truth([], 0.5, given := batch()) is given.classes


def test_a_whole_bundle_may_teach_at_any_size_of_the_pictures(tmp_path: Path) -> None:
    first = TINY["residual_unet"]
    network = Network("ensemble", first.size, members=(first, replace(first, width=12)))
    sealed, together = released(tmp_path, network)
    (teacher,) = teachers.load([str(sealed)], DATA, POLICY)
    found, expected = (model.predict_on_batch(PICTURES)[0] for model in (teacher, together))
    assert np.allclose(found, expected, atol=1e-5)
    assert teacher.predict_on_batch(np.zeros((1, 96, 96, 1)))[0].shape == (1, len(CLASSES))


def test_a_teacher_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="neither a finished run nor a bundle"):
        teachers.load([str(tmp_path)], DATA, POLICY)


def test_what_has_learnt_the_slices_held_out_may_not_teach_and_may_where_nothing_is(tmp_path: Path) -> None:
    place, _ = run(tmp_path / "run", 2)
    for other in (replace(DATA, fold=1), replace(DATA, split="published")):
        with pytest.raises(RecipeError, match="has learnt what it must not teach"):
            teachers.load([str(place)], other, POLICY)
    assert len(teachers.load([str(place)], replace(DATA, fold=-1), POLICY)) == 1


def test_a_network_that_is_taught_learns_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tiny.data_folder(tmp_path / "data")
    place, _ = run(tmp_path / "teacher", 2)
    alone = train.train(tiny.recipe(epochs=1), folder, tmp_path / "alone")
    recipe = tiny.recipe(epochs=1, teachers=[str(place)], taught=1.0)
    taught = train.train(recipe, folder, tmp_path / "taught")
    found = [networks.build(recipe.network) for _ in range(2)]
    for model, weights in zip(found, (alone, taught), strict=True):
        model.load_weights(weights)
    ours, theirs = (model.get_weights() for model in found)
    assert not all(np.allclose(one, other) for one, other in zip(ours, theirs, strict=True))
