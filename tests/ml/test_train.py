"""A tiny training on generated heads: repeatable, resumable, and its export a whole bundle."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml import (
    bench_engine,
    bundle,
    close_ups,
    conversion,
    datasets,
    examples,
    export,
    networks,
    starting,
    train,
)
from ml.errors import BundleError
from ml.examples import Batch
from ml.predictor import Predictor
from ml.recipe import Recipe, RecipeError
from tests.bundles import make_bundle
from tests.ml import tiny
from tests.ml.untrained import untrained

pytestmark = pytest.mark.usefixtures("cache_beside")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.data_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("cache"))
        out = tmp_path_factory.mktemp("runs") / "whole"
        train.train(tiny.recipe(), folder, out)
    return out


def history(out: Path) -> list[dict[str, str]]:
    with (out / "history.csv").open() as file:
        return list(csv.DictReader(file))


def weights(out: Path) -> list[np.ndarray]:
    model = networks.build(starting.read_recipe(out).network)
    model.load_weights(out / "best.weights.h5")
    return list(model.get_weights())


def test_a_run_leaves_its_recipe_history_and_weights(run: Path) -> None:
    assert [row["epoch"] for row in history(run)] == ["1", "2"]
    assert json.loads((run / "state.json").read_text())["epoch"] == 2
    assert starting.read_recipe(run).as_dict() == tiny.recipe().as_dict() | {"name": "whole"}
    assert weights(run)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    run: Path, folder: Path, tmp_path: Path
) -> None:
    train.train(tiny.recipe(epochs=1), folder, tmp_path / "halves")
    assert len(history(tmp_path / "halves")) == 1
    train.train(tiny.recipe(), folder, tmp_path / "halves")
    assert len(history(tmp_path / "halves")) == 2
    for whole, resumed in zip(weights(run), weights(tmp_path / "halves"), strict=True):
        assert np.allclose(whole, resumed, atol=1e-5)


def test_a_finished_run_is_not_trained_again(run: Path, folder: Path) -> None:
    before = (run / "history.csv").read_text()
    train.train(tiny.recipe(), folder, run)
    assert (run / "history.csv").read_text() == before


def test_the_folder_of_a_run_is_kept_from_other_recipes(run: Path, folder: Path) -> None:
    before = (run / "recipe.json").read_text()
    with pytest.raises(RecipeError, match="another recipe"):
        train.train(replace(tiny.recipe(), seed=2), folder, run)
    assert (run / "recipe.json").read_text() == before


def test_a_recipe_without_epochs_keeps_the_weights_that_it_begins_with(
    run: Path, folder: Path, tmp_path: Path
) -> None:
    recipe = tiny.recipe(epochs=0)
    recipe = replace(recipe, network=replace(recipe.network, start=(str(run),)))
    for _ in range(2):
        train.train(recipe, folder, tmp_path / "kept")
        pairs = zip(weights(run), weights(tmp_path / "kept"), strict=True)
        assert all(np.array_equal(*pair) for pair in pairs)
    assert [row["epoch"] for row in history(tmp_path / "kept")] == ["0"]


def test_training_stops_when_nothing_improves(folder: Path, tmp_path: Path) -> None:
    still = tiny.recipe("seed_cnn", epochs=9, patience=2, learning_rate=0.0, ema=0.0)
    train.train(still, folder, tmp_path / "still")
    assert len(history(tmp_path / "still")) == 3


def test_a_failing_augmentation_is_not_swallowed() -> None:
    def broken() -> Iterator[Batch]:
        yield Batch(*(np.zeros(1, np.float32) for _ in range(4)))
        raise ValueError("no such curve")

    with pytest.raises(ValueError, match="no such curve"):
        list(train.ahead(broken()))


def test_pictures_grow_in_equal_parts_of_the_epochs(run: Path, folder: Path) -> None:
    grown = tiny.recipe("residual_unet", epochs=4, sizes=(32, 64))
    grown = replace(grown, network=replace(grown.network, size=64))
    rows, held = datasets.training_and_validation(datasets.records(folder, ("slices",)), grown.data)
    at_work = train.Run(grown, run, examples.load(grown, folder, rows), train.validation(grown, folder, held))
    sizes = []
    for epoch in range(4):
        at_work.state.epoch = epoch
        sizes.append(at_work.size)
    assert sizes == [32, 32, 64, 64]


def test_an_outlining_network_learns_and_takes_up_where_it_stopped(folder: Path, tmp_path: Path) -> None:
    def recipe(epochs: int) -> Recipe:
        return tiny.recipe("residual_unet", epochs=epochs, sizes=(32,), learning_rate=3e-3)

    train.train(recipe(1), folder, tmp_path / "halves")
    train.train(recipe(2), folder, tmp_path / "halves")
    train.train(recipe(2), folder, tmp_path / "whole")
    assert len(history(tmp_path / "halves")) == 2 and "val_dice" in history(tmp_path / "halves")[0]
    for whole, resumed in zip(weights(tmp_path / "whole"), weights(tmp_path / "halves"), strict=True):
        assert np.allclose(whole, resumed, atol=1e-4)


def test_the_loss_of_an_outline_ignores_slices_that_nobody_outlined() -> None:
    truth, found = np.full((3, 4, 4, 1), -1.0, np.float32), np.full((3, 4, 4, 1), 0.5, np.float32)
    truth[1] = 0.0
    truth[2], found[2] = 1.0, 1.0
    unknown, healthy, hit = np.asarray(train.outline_loss(truth, found))
    assert unknown == 0 and healthy == pytest.approx(4 * np.log(2), rel=1e-4) and hit < 1e-3


@pytest.mark.parametrize("members", [1, 2])
def test_an_export_is_a_whole_bundle_that_answers(
    members: int, run: Path, folder: Path, tmp_path: Path
) -> None:
    directory = export.export([run] * members, "tiny-1", folder, tmp_path)
    predictor = Predictor.load(directory)
    predictor.warm_up()
    card, metrics = predictor.card, json.loads((directory / bundle.METRICS).read_text())
    assert card["weights_stored_as"] in conversion.FORMS
    assert metrics["holdout"]["slices"] == 12 and metrics["holdout_healthy"]["slices"] == 2
    assert card["metrics"]["holdout"]["accuracy"] == metrics["holdout"]["accuracy"]
    assert {"tumour", "margin", "distance", "foreignness"} == set(card["thresholds"])
    assert 0 <= card["specific_threshold"] <= 1
    assert "/" not in json.dumps(card["recipe"]["name"])
    assert len(card["recipe"]["network"]["members"]) == (members if members > 1 else 0)
    assert bench_engine.rebuilt(directory).count_params() == card["parameters"]


@pytest.fixture(scope="module")
def whole_run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has held nothing out."""
    every = tiny.recipe(epochs=1)
    out = tmp_path_factory.mktemp("runs") / "everyone"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("cache"))
        train.train(replace(every, data=replace(every.data, fold=-1)), folder, out)
    return out


def test_a_network_that_has_learnt_all_patients_is_calibrated_by_its_twin(
    run: Path, whole_run: Path, folder: Path, tmp_path: Path
) -> None:
    twin = export.export([run], "twin-1", folder, tmp_path)
    directory = export.export([whole_run], "tiny-1", folder, tmp_path, calibrated_by=twin)
    cards = [json.loads((one / bundle.CARD).read_text()) for one in (twin, directory)]
    for key in ("temperature", "thresholds", "specific_threshold", "validation_slices"):
        assert cards[0][key] == cards[1][key]
    assert cards[1]["calibrated_by"] == "twin-1" and "calibrated_by" not in cards[0]
    with pytest.raises(BundleError, match="held nothing out itself"):
        export.export([whole_run], "tiny-2", folder, tmp_path, calibrated_by=directory)
    Predictor.load(directory).warm_up()
    metrics = json.loads((directory / bundle.METRICS).read_text())
    chosen = metrics["operating"]["chosen_on_validation"]["holdout"]
    assert chosen["threshold"] == pytest.approx(cards[0]["specific_threshold"], abs=1e-6)


def test_a_network_is_no_bundle_where_it_is_not_clear_what_calibrates_it(
    run: Path, whole_run: Path, folder: Path, tmp_path: Path
) -> None:
    other = untrained(tmp_path)
    for one, twin in ((whole_run, None), (whole_run, other), (run, other)):
        with pytest.raises(BundleError) as caught:
            export.export([one], "tiny-1", folder, tmp_path, calibrated_by=twin)
        assert caught.value.code == "bundle_uncalibrated"
    assert not (tmp_path / "tiny-1").exists()


def test_a_run_that_goes_on_from_another_begins_with_its_weights(
    run: Path, folder: Path, tmp_path: Path
) -> None:
    still = tiny.recipe(epochs=1, learning_rate=0.0, ema=0.0)
    recipe = replace(still, network=replace(still.network, start=(str(run),)))
    train.train(recipe, folder, tmp_path / "further")
    kernels = zip(weights(run), weights(tmp_path / "further"), strict=True)
    assert all(np.array_equal(before, after) for before, after in kernels if before.ndim > 1)


@pytest.mark.parametrize("part, change", [("network", {"size": 64}), ("data", {"tables": ["slices"]})])
def test_a_twin_of_another_size_or_of_other_collections_calibrates_nothing(
    part: str, change: dict[str, object], whole_run: Path, folder: Path, tmp_path: Path
) -> None:
    twin, recipe = make_bundle(tmp_path, "twin-1"), tiny.recipe().as_dict()
    card = json.loads((twin / bundle.CARD).read_text())
    (twin / bundle.CARD).write_text(json.dumps({**card, "recipe": {**recipe, part: recipe[part] | change}}))
    bundle.seal(twin)
    with pytest.raises(BundleError, match="other networks or slices"):
        export.export([whole_run], "tiny-1", folder, tmp_path, calibrated_by=twin)


def test_a_version_is_never_written_over(run: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny-1").mkdir()
    with pytest.raises(BundleError) as caught:
        export.export([run], "tiny-1", folder, tmp_path)
    assert caught.value.code == "bundle_exists"


def near_recipe(**training: object) -> Recipe:
    """A small network of close-ups."""
    whole = tiny.recipe("residual_unet", **training)
    return replace(whole, augment={"close_up": True, "turn": 1.0})


def test_close_ups_are_learnt_and_judged_by_outlined_tumours_alone(folder: Path, tmp_path: Path) -> None:
    recipe = near_recipe(epochs=1)
    learnt, held = train.learnt_and_held(recipe, folder)
    assert learnt and held and all(row.outlined for row in (*learnt, *held))
    found = train.validation(recipe, folder, held)
    assert found.pictures.shape == found.masks.shape == (len(held), 32, 32)
    assert (found.masks[:, 14:18, 14:18] > 200).all()
    heights = (found.masks > 127).any(axis=2).sum(axis=1)
    assert heights == pytest.approx(32 / close_ups.TIMES, abs=2)
    train.train(recipe, folder, tmp_path / "near")
    assert float(history(tmp_path / "near")[0]["val_dice"]) >= 0


def test_a_bundle_may_have_a_network_of_close_ups_and_its_twin_must(
    run: Path, whole_run: Path, folder: Path, tmp_path: Path
) -> None:
    near, every = near_recipe(epochs=1), tmp_path / "every"
    train.train(near, folder, tmp_path / "near")
    train.train(replace(near, data=replace(near.data, fold=-1)), folder, every)
    twin = export.export([run], "twin-1", folder, tmp_path, close_up=tmp_path / "near")
    known = Predictor.load(export.export([whole_run], "tiny-1", folder, tmp_path, twin, every))
    known.warm_up()
    assert (known.directory / bundle.CLOSE_UP).is_file()
    card = known.card["close_up"]
    assert card["input_size"] == 32 and card["recipe"]["data"]["fold"] == -1 and card["parameters"] > 0
    again = export.export([run], "twin-3", folder, tmp_path, close_up=twin)
    assert (again / bundle.CLOSE_UP).read_bytes() == (twin / bundle.CLOSE_UP).read_bytes()
    assert bundle.verify(again).card["close_up"] == bundle.verify(twin).card["close_up"]
    bare = export.export([run], "twin-2", folder, tmp_path)
    for one, by, beside, why in (
        (whole_run, bare, every, "no such network"),
        (run, None, every, "other patients"),
        (run, None, known.directory, "other patients"),
        (run, None, run, "not learnt close-ups"),
        (run, None, bare, "no network of close-ups"),
    ):
        with pytest.raises(BundleError, match=why):
            export.export([one], "tiny-2", folder, tmp_path, by, beside)
    assert not (tmp_path / "tiny-2").exists()
