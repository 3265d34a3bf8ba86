"""The networks, in Keras 3 only. Every one maps (n, size, size, 1) to ``logits`` and ``embedding``."""

from collections.abc import Callable
from typing import Any, Final

import keras
from keras import layers

from ml.labels import CLASSES
from ml.recipe import Network

# Keras ships no type information for its tensors and layers.
Tensor = Any
Model = Any


def build(network: Network, *, precision: str = "float32", seed: int = 0) -> Model:
    """A model with outputs [logits (n, 4), embedding (n, k)], both float32, in the order of CLASSES."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(seed)
    try:
        inputs = layers.Input((network.size, network.size, 1), name="slice")
        logits, embedding = BUILDERS[network.kind](inputs, network)
        return keras.Model(inputs, [logits, embedding], name=network.kind)
    finally:
        keras.config.set_dtype_policy(before)


def classifier(model: Model) -> Model:
    """The part that is trained: from slices to logits, sharing the weights of ``model``."""
    return keras.Model(model.input, model.outputs[0], name=f"{model.name}_classifier")


def _logits(features: Tensor) -> Tensor:
    return layers.Dense(len(CLASSES), dtype="float32", name="logits")(features)


def _embedding(stages: list[Tensor]) -> Tensor:
    """Channel means of every stage: early ones tell texture, late ones meaning."""
    pooled = [layers.GlobalAveragePooling2D(dtype="float32")(stage) for stage in stages]
    return layers.Concatenate(name="embedding", dtype="float32")(pooled)


def _seed_cnn(inputs: Tensor, network: Network) -> tuple[Tensor, Tensor]:
    """Two 3x3 convolutions of 16, of 32 and of 64 filters, each pair pooled; dense 128, 256 and 4."""
    features, stages = inputs, []
    for filters in (16, 32, 64):
        for _ in range(2):
            features = layers.Conv2D(filters, 3, padding="same", activation="relu")(features)
        features = layers.MaxPooling2D()(features)
        stages.append(features)
    features = layers.Dropout(network.dropout)(layers.Flatten()(features))
    features = _dense(features, 128, network)
    features = layers.Dropout(network.dropout)(features)
    return _logits(_dense(features, 256, network)), _embedding(stages)


def _dense(features: Tensor, units: int, network: Network) -> Tensor:
    penalty = keras.regularizers.L1(network.l1)
    return layers.Dense(units, activation="relu", kernel_regularizer=penalty)(features)


def _residual(inputs: Tensor, network: Network) -> tuple[Tensor, Tensor]:
    """A plain residual network: two strided convolutions, then four stages of doubling width."""
    features = _convolution(inputs, network.width // 2, stride=2)
    features = _convolution(features, network.width, stride=2)
    stages = []
    for stage in range(4):
        for block in range(network.blocks):
            stride = 2 if stage and not block else 1
            features = _block(features, network.width * 2**stage, stride)
        stages.append(features)
    pooled = layers.GlobalAveragePooling2D()(features)
    return _logits(layers.Dropout(network.dropout)(pooled)), _embedding(stages)


def _block(features: Tensor, filters: int, stride: int) -> Tensor:
    inner = _convolution(features, filters, stride=stride)
    inner = _convolution(inner, filters, activate=False)
    return layers.ReLU()(layers.Add()([_shortcut(features, filters, stride), inner]))


def _shortcut(features: Tensor, filters: int, stride: int) -> Tensor:
    if stride == 1 and features.shape[-1] == filters:
        return features
    pooled = layers.AveragePooling2D(stride)(features) if stride > 1 else features
    return _convolution(pooled, filters, kernel=1, activate=False)


def _convolution(
    features: Tensor, filters: int, *, kernel: int = 3, stride: int = 1, activate: bool = True
) -> Tensor:
    features = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(features)
    features = layers.BatchNormalization(momentum=0.97)(features)
    return layers.ReLU()(features) if activate else features


BUILDERS: Final[dict[str, Callable[[Tensor, Network], tuple[Tensor, Tensor]]]] = {
    "seed_cnn": _seed_cnn,
    "residual": _residual,
}
