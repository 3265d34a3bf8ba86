"""Starting weights: of ImageNet, of a finished run, of a bundle, and of nothing that fits."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from ml import bundle, networks, starting
from ml.errors import BundleError
from ml.recipe import Network, RecipeError
from tests.bundles import make_bundle
from tests.ml import tiny
from tests.ml.test_networks import TINY

PICTURES = np.random.default_rng(0).random((8, 64, 64, 1), np.float32)


def started(network: Network, *places: Path) -> keras.Model:
    network = replace(network, start=tuple(map(str, places)))
    model = networks.build(network, seed=1, any_size=True)
    starting.start(model, network, PICTURES)
    return model


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of MobileNetV2 as Keras writes them, different from those of a new network."""
    keras.utils.set_random_seed(99)
    path = tmp_path_factory.mktemp("start") / "body.weights.h5"
    keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3)).save_weights(
        path
    )
    return path


def test_imagenet_weights_reach_the_network_and_only_its_first_blocks_stay(imagenet: Path) -> None:
    mine = started(TINY["mobilenet_unet"], imagenet).get_layer(networks.MOBILENET)
    body = keras.applications.MobileNetV2(include_top=False, weights=str(imagenet), input_shape=(32, 32, 3))
    for name in ("Conv1", "block_13_expand", "Conv_1_bn"):
        for one, other in zip(mine.get_layer(name).weights, body.get_layer(name).weights, strict=True):
            assert np.array_equal(one, other)
    assert not mine.get_layer("block_1_expand").trainable
    assert mine.get_layer("block_2_expand").trainable


def test_frozen_blocks_keep_their_statistics_in_training(imagenet: Path) -> None:
    model = started(TINY["mobilenet_unet"], imagenet)
    mine = model.get_layer(networks.MOBILENET)
    still, moving = (mine.get_layer(name) for name in ("block_1_expand_BN", "block_2_expand_BN"))
    before = [np.array(layer.moving_mean) for layer in (still, moving)]
    model(PICTURES, training=True)
    assert np.array_equal(still.moving_mean, before[0])
    assert not np.allclose(moving.moving_mean, before[1])


def finished_run(folder: Path, network: Network, seed: int) -> keras.Model:
    """The network of a finished run, as far as a start reads it."""
    folder.mkdir(exist_ok=True)
    recipe = replace(tiny.recipe(), network=network)
    (folder / "recipe.json").write_text(json.dumps(recipe.as_dict()))
    model = networks.build(network, seed=seed)
    model.save_weights(folder / starting.RUN_WEIGHTS)
    return model


@pytest.mark.parametrize("kind", ["residual_unet", "mobilenet_unet"])
def test_a_network_may_begin_where_a_finished_run_ended(kind: str, tmp_path: Path) -> None:
    finished = finished_run(tmp_path, TINY[kind], 2)
    for one, other in zip(finished.get_weights(), started(TINY[kind], tmp_path).get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_a_network_may_begin_with_the_mean_of_several_finished_runs(tmp_path: Path) -> None:
    runs = {tmp_path / str(seed): seed for seed in (2, 3)}
    finished = {run: finished_run(run, TINY["residual_unet"], seed) for run, seed in runs.items()}
    mean = started(TINY["residual_unet"], *finished).get_weights()
    for found, one, other in zip(mean, *(model.get_weights() for model in finished.values()), strict=True):
        assert np.allclose(found, (one + other) / 2)


def test_fewer_stages_may_begin_with_those_of_a_larger_network(tmp_path: Path) -> None:
    larger = finished_run(tmp_path / "run", TINY["residual_unet"], 2)
    fewer = replace(TINY["residual_unet"], stages=3)
    found = networks.first_stages(started(fewer, tmp_path / "run"), 3)
    for one, other in zip(networks.first_stages(larger, 3).weights, found.weights, strict=True):
        assert np.array_equal(one, other)
    assert found.output.shape[-1] < networks.first_stages(larger, 4).output.shape[-1]


def test_a_network_does_not_begin_with_a_run_of_another_width(tmp_path: Path) -> None:
    finished_run(tmp_path / "run", TINY["residual_unet"], 2)
    with pytest.raises(RecipeError, match="is not a residual_unet like this one"):
        started(replace(TINY["residual_unet"], width=12, stages=3), tmp_path / "run")


def released(folder: Path, network: Network) -> tuple[Path, keras.Model]:
    """A sealed bundle of this network, and the network; only what a start reads is real in it."""
    sealed = make_bundle(folder, "released-1")
    model = networks.build(network, seed=3)
    networks.fold(model)
    model.save_weights(sealed / bundle.WEIGHTS)
    card = json.loads((sealed / bundle.CARD).read_text())
    recipe = replace(tiny.recipe(), network=network).as_dict()
    (sealed / bundle.CARD).write_text(json.dumps({**card, "recipe": recipe}))
    bundle.seal(sealed)
    return sealed, model


def test_a_network_may_go_on_from_the_one_of_a_bundle(tmp_path: Path) -> None:
    sealed, known = released(tmp_path, TINY["residual_unet"])
    model = started(TINY["residual_unet"], sealed)
    assert np.allclose(model.predict_on_batch(PICTURES)[0], known.predict_on_batch(PICTURES)[0], atol=1e-3)
    assert any(np.any(weight) for weight in model.weights if weight.path.endswith("moving_mean"))


def test_of_an_ensemble_the_member_that_is_built_alike_is_taken(tmp_path: Path) -> None:
    first = TINY["residual_unet"]
    second = replace(first, width=12)
    sealed, together = released(tmp_path, Network("ensemble", first.size, members=(first, second)))
    expected = together.get_layer(networks.member_name(1)).predict_on_batch(PICTURES)[0]
    assert np.allclose(started(second, sealed).predict_on_batch(PICTURES)[0], expected, atol=1e-3)


def test_a_bundle_without_such_a_network_is_no_start(tmp_path: Path) -> None:
    sealed, _ = released(tmp_path, TINY["residual_unet"])
    with pytest.raises(RecipeError, match="no network like this"):
        started(replace(TINY["residual_unet"], width=16), sealed)


def test_a_bundle_that_was_tampered_with_is_no_start(tmp_path: Path) -> None:
    sealed, _ = released(tmp_path, TINY["residual_unet"])
    (sealed / bundle.WEIGHTS).write_bytes(b"other")
    with pytest.raises(BundleError) as caught:
        started(TINY["residual_unet"], sealed)
    assert caught.value.code == "bundle_altered"


def test_missing_starting_weights_are_named(tmp_path: Path) -> None:
    for kind in ("mobilenet_unet", "residual"):
        with pytest.raises(RecipeError, match="nowhere"):
            started(TINY[kind], tmp_path / "nowhere.weights.h5")
