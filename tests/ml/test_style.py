"""Mixed looks: in training alone, the statistics of channels move towards those of another slice."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ml import networks
from ml.recipe import Network
from ml.style import MixStyle
from ml.train import CUSTOM

SLICES = np.random.default_rng(4).normal(3, 2, (8, 12, 12, 5)).astype(np.float32)
SLICES *= np.arange(1, 9, dtype=np.float32)[:, None, None, None]


def looks(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means and spreads (n, 2, channels)."""
    return np.stack([features.mean(axis=(1, 2)), features.std(axis=(1, 2))], axis=1)


def standardised(features: NDArray[np.float32]) -> NDArray[np.float32]:
    mean, spread = (looks(features)[:, [[part]], :] for part in (0, 1))
    return (features - mean) / spread


def test_an_answer_is_the_same_with_and_without_it() -> None:
    assert np.array_equal(MixStyle(1.0)(SLICES, training=False), SLICES)
    plain = Network("residual", size=32, width=8)
    styled = networks.build(replace(plain, style=1.0), seed=2)
    x = np.random.default_rng(0).random((3, 32, 32, 1), np.float32)
    one, other = (model.predict_on_batch(x) for model in (networks.build(plain, seed=2), styled))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_in_training_the_look_lies_between_ones_own_and_anothers_and_the_shapes_stay() -> None:
    mixed = np.asarray(MixStyle(1.0, seed=1)(SLICES, training=True))
    own, other = looks(SLICES), np.roll(looks(SLICES), 1, axis=0)
    low, high = np.minimum(own, other), np.maximum(own, other)
    assert np.all((looks(mixed) > low - 1e-2) & (looks(mixed) < high + 1e-2))
    assert not np.allclose(looks(mixed), own, rtol=0.05)
    assert np.allclose(standardised(mixed), standardised(SLICES), atol=1e-3)


def test_no_slice_is_mixed_without_a_chance() -> None:
    assert np.allclose(MixStyle(0.0)(SLICES, training=True), SLICES, rtol=1e-4, atol=1e-3)


def test_a_checkpoint_with_mixed_looks_is_read_again(tmp_path: Path) -> None:
    model = networks.trainee(networks.build(Network("residual", size=32, width=8, style=0.5)))
    model.save(tmp_path / "last.keras")
    again = keras.saving.load_model(tmp_path / "last.keras", custom_objects=CUSTOM)
    assert [layer.chance for layer in again.layers if isinstance(layer, MixStyle)] == [0.5, 0.5]
