"""Training of the small network that tells which way up a picture lies (``ml.upright``)."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ml import upright
from ml.datasets import Row

WIDTHS: Final = (16, 32, 64)
EPOCHS: Final = 40
PICTURES: Final = 5120
"""That are drawn for every epoch."""
BATCH: Final = 128
LEARNING_RATE: Final = 2e-3
TILT: Final = 35.0
"""Degrees by which pictures are turned either way, on top of quarter turns."""

Random = np.random.Generator


def network() -> keras.Model:
    """(n, SIDE, SIDE, 1) in [0, 1] to (n, 1): the larger, the more upright."""
    x = inputs = keras.Input((upright.SIDE, upright.SIDE, 1))
    x = keras.layers.GroupNormalization(groups=1, center=False, scale=False)(x)
    for width in WIDTHS:
        x = keras.layers.Conv2D(width, 3, 2, padding="same", activation="relu")(x)
    x = keras.layers.Dropout(0.3)(keras.layers.Flatten()(x))
    x = keras.layers.Dense(64, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(1)(x))


def learnt(pictures: NDArray[np.uint8], rows: Sequence[Row], seed: int) -> keras.Model:
    """A network that has learnt prepared ``pictures`` (n, SIDE, SIDE) of ``rows``, taken for upright.

    Every collection and view counts by the root of its number of slices.
    """
    keras.utils.set_random_seed(seed)
    model, rng = network(), np.random.default_rng(seed)
    shown = keras.Input((upright.TURNS, upright.SIDE, upright.SIDE, 1))
    scores = [model(shown[:, quarter]) for quarter in range(upright.TURNS)]
    choice = keras.Model(shown, keras.layers.Concatenate()(scores))
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, EPOCHS * PICTURES // BATCH)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    choice.compile(keras.optimizers.AdamW(schedule, weight_decay=1e-3), loss=loss)
    chances = _chances(rows)
    for _ in range(EPOCHS):
        chosen = rng.choice(len(pictures), PICTURES, p=chances)
        x = np.stack([_varied(pictures[index] / np.float32(255), rng) for index in chosen])[..., np.newaxis]
        turns = upright.turned(x).reshape(upright.TURNS, *x.shape).swapaxes(0, 1)
        choice.fit(turns, np.zeros(len(x)), batch_size=BATCH, shuffle=False, verbose=0)
    return model


def right(scores: upright.Scores, pictures: NDArray[np.uint8]) -> float:
    """The share of pictures (n, SIDE, SIDE) that are taken for upright as they are."""
    x = pictures[..., np.newaxis] / np.float32(255)
    return float(np.mean([upright.pose(scores, one[np.newaxis]).turns == 0 for one in x]))


def _chances(rows: Sequence[Row]) -> NDArray[np.float64]:
    cells = Counter((row.source, row.view) for row in rows)
    weights = np.array([cells[row.source, row.view] ** -0.5 for row in rows])
    return np.asarray(weights / weights.sum())


def _varied(picture: NDArray[np.float32], rng: Random) -> NDArray[np.float32]:
    """Tilted, shifted, mirrored, brighter or darker, turned into its negative, noisy: each at times."""
    tilted = ndimage.rotate(picture, rng.uniform(-TILT, TILT), reshape=False, order=1)
    shifted = np.roll(tilted, rng.integers(-2, 3, 2), (0, 1))
    mirrored = shifted[:, ::-1] if rng.random() < 0.5 else shifted
    grey = np.clip(mirrored, 0, 1) ** np.exp(rng.uniform(-0.5, 0.5))
    if rng.random() < 0.3:
        grey = np.where(grey > 0.08, 1 - grey, grey)
    return np.asarray(grey + rng.normal(0, rng.uniform(0, 0.06), grey.shape), np.float32)
