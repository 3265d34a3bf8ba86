"""The networks, in Keras 3 only. Every one maps (n, size, size, 1) to ``logits`` and ``embedding``.

``residual_unet``, ``mobilenet_unet`` and ``efficientnet_unet`` also give ``mask``: how likely every
point of the square belongs to a tumour.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from ml import efficientnet
from ml.labels import CLASSES
from ml.normalisation import BatchNormalization
from ml.recipe import Network

# Keras ships no type information for its tensors and layers.
Tensor = Any
Model = Any

COARSEST: Final = 32
"""The side of ``residual_unet``'s pictures must be a multiple of this, with four stages."""

MOMENTUM: Final = 0.97
"""Of the statistics of batch normalisation."""

MOBILENET: Final = "mobilenet"
MOBILENET_STAGES: Final = ("block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu", "out_relu")
TRAINED_FROM: Final = "block_2_expand"
"""What lies before finds edges anywhere; training it, too, takes about a third more time."""

FLOOR: Final = 0.02
"""The weight of a point outside the outline, so that an empty outline means the whole picture."""


def build(network: Network, *, precision: str = "float32", seed: int = 0, any_size: bool = False) -> Model:
    """A model with outputs [logits (n, 4), embedding (n, k)], perhaps mask (n, m, m, 1) in [0, 1].

    All float32; m is a quarter of the size. ``any_size`` leaves the side of the pictures open.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(seed)
    side = None if any_size else network.size
    try:
        inputs = layers.Input((side, side, 1), name="slice")
        return keras.Model(inputs, list(BUILDERS[network.kind](inputs, network)), name=network.kind)
    finally:
        keras.config.set_dtype_policy(before)


def trainee(model: Model) -> Model:
    """What is trained, sharing the weights of ``model``: its outputs by name, and ``foreign``.

    ``foreign`` is a logit (n, 1), linear in the embedding, of a picture that is not brain MRI: it
    makes the embedding tell such pictures, and is not part of ``model``.
    """
    logits, embedding, *mask = model.outputs
    foreign = layers.Dense(1, dtype="float32", name="foreign")(embedding)
    outputs = {"logits": logits, "foreign": foreign, **({"mask": mask[0]} if mask else {})}
    return keras.Model(model.input, outputs, name=f"{model.name}_trainee")


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
    stages = _encode(inputs, network)
    pooled = layers.GlobalAveragePooling2D()(stages[-1])
    return _logits(layers.Dropout(network.dropout)(pooled)), _embedding(stages)


def _residual_unet(inputs: Tensor, network: Network) -> tuple[Tensor, Tensor, Tensor]:
    """The same encoder with a decoder; the classes see the outlined region by itself, too."""
    return _heads(_encode(inputs, network), network)


def _heads(stages: list[Tensor], network: Network) -> tuple[Tensor, Tensor, Tensor]:
    mask = _decode(stages, network)
    pooled = [layers.GlobalAveragePooling2D()(stages[-1]), *_region(mask, stages)]
    features = layers.Dropout(network.dropout)(layers.Concatenate()(pooled))
    return _logits(features), _embedding(stages), mask


def _encode(inputs: Tensor, network: Network) -> list[Tensor]:
    """Features at a 4th, 8th, 16th and 32nd of the size, or the first of them."""
    features = _convolution(inputs, network.width // 2, stride=2)
    features = _convolution(features, network.width, stride=2)
    stages = []
    for stage in range(network.stages):
        for block in range(network.blocks):
            stride = 2 if stage and not block else 1
            name = _stage_name(stage) if block == network.blocks - 1 else None
            features = _block(features, network.width * 2**stage, stride, name)
        stages.append(features)
    return stages


def _decode(stages: list[Tensor], network: Network) -> Tensor:
    """From the coarsest stage up: each finer one is added and smoothed by a convolution."""
    widths = [network.width, 3 * network.width // 2, 2 * network.width][: len(stages) - 1]
    features = stages[-1]
    for finer, width in zip(reversed(stages[:-1]), reversed(widths), strict=True):
        coarse = layers.UpSampling2D()(_convolution(features, width, kernel=1, activate=False))
        lateral = _convolution(finer, width, kernel=1, activate=False)
        features = _convolution(layers.ReLU()(layers.Add()([coarse, lateral])), width)
    point = layers.Conv2D(1, 1, dtype="float32", bias_initializer=keras.initializers.Constant(-4.0))(features)
    return layers.Activation("sigmoid", dtype="float32", name="mask")(point)


def _region(mask: Tensor, stages: list[Tensor]) -> list[Tensor]:
    """Channel means of the last two stages over the outlined region.

    Over the whole picture where nothing is outlined. The classes do not teach the mask.
    """
    factors = [2**stage for stage in range(len(stages))][-2:]
    shares = [layers.AveragePooling2D(factor)(ops.stop_gradient(mask)) + FLOOR for factor in factors]
    return [
        ops.sum(ops.cast(stage, "float32") * share, axis=(1, 2)) / ops.sum(share, axis=(1, 2))
        for stage, share in zip(stages[-2:], shares, strict=True)
    ]


def _mobilenet_unet(inputs: Tensor, network: Network) -> tuple[Tensor, Tensor, Tensor]:
    return _with_body(inputs, network, _mobilenet())


def _efficientnet_unet(inputs: Tensor, network: Network) -> tuple[Tensor, Tensor, Tensor]:
    return _with_body(inputs, network, efficientnet.body(MOMENTUM))


def _with_body(inputs: Tensor, network: Network, body: Model) -> tuple[Tensor, Tensor, Tensor]:
    """Features that know photographs, reduced to the widths of ``residual_unet``'s stages, with its heads.

    With starting weights, what comes before ``TRAINED_FROM`` keeps its weights and statistics.
    """
    if network.start:
        _freeze_first(body)
    features = body(layers.Concatenate()([layers.Rescaling(2.0, offset=-1.0)(inputs)] * 3))
    stages = [
        _convolution(feature, network.width * 2**stage, kernel=1) for stage, feature in enumerate(features)
    ]
    return _heads(stages, network)


def _mobilenet() -> Model:
    """The body of MobileNetV2 with features at a 4th, 8th, 16th and 32nd of the size.

    Its own normalisation would be slow, and its momentum of .999 leaves the statistics hundreds of
    steps behind the weights.
    """
    body = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(None, None, 3))
    ends = [body.get_layer(name).output for name in MOBILENET_STAGES]
    return keras.models.clone_model(keras.Model(body.input, ends, name=MOBILENET), clone_function=_own_layer)


def _own_layer(layer: Any) -> Any:
    config = layer.get_config()
    if isinstance(layer, layers.BatchNormalization):
        return BatchNormalization.from_config({**config, "momentum": MOMENTUM})
    return type(layer).from_config(config)


def _freeze_first(body: Model) -> None:
    for layer in body.layers:
        if layer.name == TRAINED_FROM:
            return
        layer.trainable = False


def _ensemble(inputs: Tensor, network: Network) -> tuple[Tensor, ...]:
    """Mean logits and masks of the members, and all of their embeddings.

    Every second member sees the mirror image: as much variety as judging each picture twice, at half
    the cost.
    """
    answers = [_member(inputs, member, index) for index, member in enumerate(network.members)]
    logits, embeddings, *masks = zip(*answers, strict=True)
    embedding = layers.Concatenate(name="embedding", dtype="float32")(list(embeddings))
    means = [layers.Average(dtype="float32")(list(parts)) for parts in (logits, *masks)]
    return (means[0], embedding, *means[1:])


def _member(inputs: Tensor, member: Network, index: int) -> tuple[Tensor, ...]:
    outputs = list(BUILDERS[member.kind](inputs, member))
    body = keras.Model(inputs, outputs, name=member_name(index))
    if index % 2 == 0:
        return tuple(body(inputs))
    logits, embedding, *masks = body(_mirrored(inputs))
    return (logits, embedding, *map(_mirrored, masks))


def _mirrored(pictures: Tensor) -> Tensor:
    return ops.flip(pictures, axis=2)


def member_name(index: int) -> str:
    return f"member_{index}"


def first_stages(model: Model, stages: int) -> Model:
    """The encoder of a ``residual_unet`` as far as this stage, with the weights of ``model``."""
    return keras.Model(model.input, model.get_layer(_stage_name(stages - 1)).output)


def _stage_name(stage: int) -> str:
    return f"stage_{stage}"


def shape(network: Network) -> tuple[Any, ...]:
    """Equal for networks that can have each other's weights."""
    return network.kind, network.width, network.blocks, network.stages, tuple(map(shape, network.members))


def load(model: Model, network: Network, weights: Sequence[Path]) -> None:
    """The weights of a training run, or of one for each member of an ensemble."""
    parts = [model.get_layer(member_name(i)) for i in range(len(network.members))] or [model]
    for part, path in zip(parts, weights, strict=True):
        part.load_weights(path)


def fold(model: Model) -> None:
    """Move all that normalisation does into the convolutions before it; the answers stay the same."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            fold(layer)
        elif isinstance(layer, layers.BatchNormalization):
            _fold_into(layer.input._keras_history.operation, layer)


def _fold_into(convolution: Any, normalisation: Any) -> None:
    gamma, beta, mean, variance = normalisation.get_weights()
    scale = gamma / np.sqrt(variance + normalisation.epsilon)
    convolution.set_weights([convolution.get_weights()[0] * _by_channel(convolution, scale)])
    ones, zeros = np.ones_like(scale), np.zeros_like(scale)
    normalisation.set_weights([ones, beta - mean * scale, zeros, ones - normalisation.epsilon])


def unfold(model: Model, pictures: NDArray[np.float32]) -> None:
    """Undo ``fold``: normalisation gets back what these pictures (n, side, side, 1) say it did.

    The answers stay the same. Without it a folded network could not go on learning.
    """
    pairs = [
        (layer.input._keras_history.operation, layer)
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization)
    ]
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    # A part's own input is another tensor than the one that it is called on in this model.
    entering = [part._inbound_nodes[-1].input_tensors[0] for part in inner]
    moments = [ops.moments(ops.cast(layer.input, "float32"), axes=(0, 1, 2)) for _, layer in pairs]
    seen = keras.Model(model.input, [moments, entering])
    found, inputs = seen.predict_on_batch(pictures)
    for (convolution, normalisation), (mean, variance) in zip(pairs, found, strict=True):
        _unfold_from(convolution, normalisation, mean, variance)
    for part, values in zip(inner, inputs, strict=True):
        unfold(part, values)


def _unfold_from(
    convolution: Any, normalisation: Any, mean: NDArray[np.float32], variance: NDArray[np.float32]
) -> None:
    """The convolution gives values of variance one again; its normalisation gives them their own."""
    scale = np.sqrt(variance + normalisation.epsilon)
    rest = variance / scale**2
    convolution.set_weights([convolution.get_weights()[0] / _by_channel(convolution, scale)])
    gamma = scale * np.sqrt(rest + normalisation.epsilon)
    beta = normalisation.get_weights()[1] + mean
    normalisation.set_weights([gamma, beta, mean / scale, rest])


def _by_channel(convolution: Any, scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """One number a channel in the shape of the kernel's last axes."""
    return scale[:, np.newaxis] if isinstance(convolution, layers.DepthwiseConv2D) else scale


def _block(features: Tensor, filters: int, stride: int, name: str | None) -> Tensor:
    inner = _convolution(features, filters, stride=stride)
    inner = _convolution(inner, filters, activate=False)
    return layers.ReLU(name=name)(layers.Add()([_shortcut(features, filters, stride), inner]))


def _shortcut(features: Tensor, filters: int, stride: int) -> Tensor:
    if stride == 1 and features.shape[-1] == filters:
        return features
    pooled = layers.AveragePooling2D(stride)(features) if stride > 1 else features
    return _convolution(pooled, filters, kernel=1, activate=False)


def _convolution(
    features: Tensor, filters: int, *, kernel: int = 3, stride: int = 1, activate: bool = True
) -> Tensor:
    features = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False)(features)
    features = BatchNormalization(momentum=MOMENTUM)(features)
    return layers.ReLU()(features) if activate else features


BUILDERS: Final[dict[str, Callable[[Tensor, Network], tuple[Tensor, ...]]]] = {
    "seed_cnn": _seed_cnn,
    "residual": _residual,
    "residual_unet": _residual_unet,
    "mobilenet_unet": _mobilenet_unet,
    "efficientnet_unet": _efficientnet_unet,
    "ensemble": _ensemble,
}
