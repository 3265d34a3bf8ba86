"""Slices that train with the look of other slices, so that the look of a scanner stands for nothing."""

from typing import Any, Final

import keras
from keras import layers, ops

ALPHA: Final = 0.1
"""Of the beta distribution of shares: most mixtures are nearly one look or nearly the other."""

EPSILON: Final = 1e-5


class MixStyle(layers.Layer):  # type: ignore[misc]
    """While training, mean and spread of every channel are mixed with those of the next slice of the batch.

    ``chance`` is the share of slices that this happens to. Features (n, h, w, channels) keep their
    shape and type. Zhou et al., "Domain Generalization with MixStyle", ICLR 2021.
    """

    def __init__(self, chance: float, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chance, self.seed = chance, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training:
            return inputs
        features = ops.cast(inputs, "float32")
        mean = ops.stop_gradient(ops.mean(features, axis=(1, 2), keepdims=True))
        spread = ops.stop_gradient(ops.std(features, axis=(1, 2), keepdims=True) + EPSILON)
        own = self._own_share(ops.shape(inputs)[0])
        scale = own + (1 - own) * ops.roll(spread, 1, axis=0) / spread
        shift = own * mean + (1 - own) * ops.roll(mean, 1, axis=0) - mean * scale
        return ops.cast(features * scale + shift, inputs.dtype)

    def _own_share(self, count: Any) -> Any:
        """(n, 1, 1, 1) in [0, 1]; 1 for slices that keep their look."""
        shape = (count, 1, 1, 1)
        share = keras.random.beta(shape, ALPHA, ALPHA, seed=self.generator)
        mixed = keras.random.uniform(shape, seed=self.generator) < self.chance
        return ops.where(mixed, share, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "chance": self.chance, "seed": self.seed}
