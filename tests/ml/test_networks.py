"""The networks: shapes, the seed's own layers, sizes, and normalisation that is Keras' own but fused."""

from pathlib import Path

import keras
import numpy as np
import pytest

from ml import networks, recipe
from ml.normalisation import BatchNormalization
from ml.recipe import Network

TINY = {
    "seed_cnn": Network("seed_cnn", size=32, dropout=0.3, l1=1e-5),
    "residual": Network("residual", size=32, width=8, blocks=2, dropout=0.2),
    "residual_unet": Network("residual_unet", size=64, width=8, blocks=1, dropout=0.2),
    "mobilenet_unet": Network("mobilenet_unet", size=32, width=8),
    "efficientnet_unet": Network("efficientnet_unet", size=32, width=8),
}
TINY["ensemble"] = Network("ensemble", size=64, members=(TINY["residual_unet"], TINY["residual_unet"]))


@pytest.mark.parametrize("kind", TINY)
def test_slices_become_logits_and_an_embedding(kind: str) -> None:
    model, size = networks.build(TINY[kind]), TINY[kind].size
    logits, embedding, *_ = model.predict_on_batch(np.zeros((3, size, size, 1), np.float32))
    assert logits.shape == (3, 4) and logits.dtype == np.float32
    assert embedding.shape[0] == 3 and embedding.shape[1] > 4


def test_the_same_seed_gives_the_same_weights() -> None:
    one, two = (networks.build(TINY["residual"], seed=5).get_weights() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_the_seed_network_has_the_layers_of_its_description() -> None:
    layers = networks.build(recipe.read("seed_cnn").network).layers
    convolutions = [layer for layer in layers if type(layer).__name__ == "Conv2D"]
    dense = [layer for layer in layers if type(layer).__name__ == "Dense"]
    dropout = [layer.rate for layer in layers if type(layer).__name__ == "Dropout"]
    assert [layer.filters for layer in convolutions] == [16, 16, 32, 32, 64, 64]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert [layer.units for layer in dense] == [128, 256, 4]
    assert dropout == [0.3, 0.3]
    assert all(type(layer.kernel_regularizer).__name__ == "L1" for layer in dense[:2])
    assert recipe.read("seed_cnn").training.patience == 10


def test_the_released_network_stays_small() -> None:
    assert networks.build(recipe.read("outline").network).count_params() < 4_000_000


def test_an_outlining_network_gives_a_mask_of_a_quarter_of_the_size() -> None:
    *_, mask = networks.build(TINY["residual_unet"]).predict_on_batch(np.zeros((2, 64, 64, 1), np.float32))
    assert mask.shape == (2, 16, 16, 1) and mask.dtype == np.float32
    assert mask.min() >= 0 and mask.max() <= 1


def test_a_network_of_any_size_has_the_same_weights_as_one_of_its_own_size() -> None:
    own, free = (networks.build(TINY["residual_unet"], seed=3, any_size=any_size) for any_size in (0, 1))
    x = np.random.default_rng(0).random((2, 64, 64, 1), np.float32)
    for one, other in zip(own.predict_on_batch(x), free.predict_on_batch(x), strict=True):
        assert np.allclose(one, other, atol=1e-5)
    assert free.predict_on_batch(x[:, :32, :32])[2].shape == (2, 8, 8, 1)


def test_an_ensemble_gives_the_mean_answer_of_its_members_to_a_picture_and_its_mirror_image(
    tmp_path: Path,
) -> None:
    network = TINY["residual_unet"]
    alone = [networks.build(network, seed=seed) for seed in (1, 2)]
    files = [tmp_path / f"{index}.weights.h5" for index in range(2)]
    for model, path in zip(alone, files, strict=True):
        model.save_weights(path)
    together = networks.build(TINY["ensemble"], seed=3)
    networks.load(together, TINY["ensemble"], files)
    x = np.random.default_rng(0).random((2, 64, 64, 1), np.float32)
    logits, embedding, mask = together.predict_on_batch(x)
    one, this, drawn = alone[0].predict_on_batch(x)
    other, that, outlined = alone[1].predict_on_batch(x[:, :, ::-1])
    assert np.allclose(logits, (one + other) / 2, atol=1e-4)
    assert np.allclose(mask, (drawn + outlined[:, :, ::-1]) / 2, atol=1e-4)
    assert np.allclose(embedding, np.concatenate([this, that], axis=1), atol=1e-4)


@pytest.mark.parametrize("kind", ["residual_unet", "mobilenet_unet", "efficientnet_unet", "ensemble"])
def test_folded_normalisation_does_nothing_and_the_answers_stay_the_same(kind: str) -> None:
    model, size = networks.build(TINY[kind]), TINY[kind].size
    rng = np.random.default_rng(2)
    model.set_weights([w + rng.uniform(0, 0.1, w.shape).astype(np.float32) for w in model.get_weights()])
    x = rng.random((2, size, size, 1), np.float32)
    before = model.predict_on_batch(x)
    networks.fold(model)
    for one, other in zip(before, model.predict_on_batch(x), strict=True):
        assert np.allclose(one, other, rtol=1e-3, atol=1e-3)
    means = [w for w in model.weights if w.path.endswith("moving_mean")]
    assert means and not any(np.any(mean) for mean in means)


@pytest.mark.parametrize("kind", ["residual_unet", "mobilenet_unet", "efficientnet_unet"])
def test_unfolded_normalisation_works_again_and_the_answers_stay_the_same(kind: str) -> None:
    model, size = networks.build(TINY[kind], seed=4), TINY[kind].size
    rng = np.random.default_rng(2)
    model.set_weights([w + rng.uniform(0, 0.1, w.shape).astype(np.float32) for w in model.get_weights()])
    x = rng.random((8, size, size, 1), np.float32)
    networks.fold(model)
    before = model.predict_on_batch(x)
    networks.unfold(model, x)
    for one, other in zip(before, model.predict_on_batch(x), strict=True):
        assert np.allclose(one, other, rtol=1e-3, atol=1e-3 * np.abs(one).max())
    learning = model(x, training=True)[1]
    assert np.allclose(learning, before[1], rtol=1e-2, atol=1e-2 * np.abs(before[1]).max())


@pytest.mark.parametrize("kind", ["residual", "residual_unet"])
def test_what_is_trained_shares_the_weights_of_its_model(kind: str) -> None:
    model = networks.build(TINY[kind])
    part = networks.trainee(model)
    part.set_weights([weight + 1 for weight in part.get_weights()])
    x = np.ones((1, TINY[kind].size, TINY[kind].size, 1), np.float32)
    assert np.allclose(part.predict_on_batch(x)["logits"], model.predict_on_batch(x)[0])
    assert set(part.output) == {"logits", "foreign"} | ({"mask"} if kind == "residual_unet" else set())


def test_the_fused_normalisation_trains_as_keras_own_does() -> None:
    x = np.random.default_rng(1).normal(2, 3, (8, 5, 5, 4)).astype(np.float32)
    ours, theirs = BatchNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)
    for _ in range(3):
        assert np.allclose(ours(x, training=True), theirs(x, training=True), atol=1e-4)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.allclose(one, other, rtol=0.02)  # the fused one divides the variance by n - 1
    assert np.allclose(ours(x), theirs(x), atol=0.02)


def test_a_frozen_fused_normalisation_keeps_what_it_knows_and_normalises_as_keras_own() -> None:
    x = np.random.default_rng(1).normal(2, 3, (8, 5, 5, 4)).astype(np.float32)
    ours, theirs = BatchNormalization(), keras.layers.BatchNormalization()
    known = [np.full(4, value, np.float32) for value in (1.5, -0.5, 1.0, 4.0)]
    for layer in (ours, theirs):
        layer.build(x.shape)
        layer.set_weights(known)
        layer.trainable = False
    assert np.allclose(ours(x, training=True), theirs(x, training=True), atol=1e-4)
    assert all(np.array_equal(one, other) for one, other in zip(ours.get_weights(), known, strict=True))
