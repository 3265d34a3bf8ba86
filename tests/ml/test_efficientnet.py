"""EfficientNet-Lite0: its shape, and weights that still name a photograph."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import keras
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import sklearn.datasets
from numpy.typing import NDArray

from ml import efficientnet, networks, torch_file
from ml.normalisation import BatchNormalization
from ml.recipe import RecipeError
from tests.ml.test_networks import TINY
from tests.ml.test_starting import started

WEIGHTS = Path(str(files(efficientnet.PACKAGE))) / efficientnet.WEIGHTS
PHOTOGRAPHS = Path(sklearn.datasets.__file__).parent / "images"
DAISY, PALACE = 985, 698
"""What ImageNet calls these photographs of a flower and of the Summer Palace."""


@pytest.fixture(scope="module")
def body() -> keras.Model:
    network = efficientnet.body(networks.MOMENTUM)
    efficientnet.give_weights(network)
    return network


def imagenet_class(features: NDArray[np.float32], known: dict[str, NDArray[Any]]) -> int:
    """The rest of the network, which the portal's networks do without."""
    wide = features @ known["_conv_head.weight"][:, :, 0, 0].T
    normalised = (wide - known["_bn1.running_mean"]) / np.sqrt(
        known["_bn1.running_var"] + efficientnet.EPSILON
    )
    active = np.clip(normalised * known["_bn1.weight"] + known["_bn1.bias"], 0, 6)
    return int(np.argmax(known["_fc.weight"] @ active.mean(axis=(0, 1)) + known["_fc.bias"]))


@pytest.mark.parametrize(("name", "expected"), [("flower.jpg", DAISY), ("china.jpg", PALACE)])
def test_with_its_weights_the_body_recognises_photographs(
    body: keras.Model, name: str, expected: int
) -> None:
    photograph = PIL.Image.open(PHOTOGRAPHS / name)
    square = PIL.ImageOps.fit(photograph, (224, 224), PIL.Image.Resampling.BICUBIC)
    *_, features = body.predict_on_batch((np.asarray(square, np.float32)[np.newaxis] - 127) / 128)
    assert imagenet_class(features[0], torch_file.read(WEIGHTS)) == expected


def test_features_are_of_a_4th_8th_16th_and_32nd_of_the_size(body: keras.Model) -> None:
    ends = body.predict_on_batch(np.zeros((2, 64, 64, 3), np.float32))
    assert [end.shape for end in ends] == [(2, 16, 16, 144), (2, 8, 8, 240), (2, 4, 4, 672), (2, 2, 2, 320)]


def test_a_network_begins_with_them_and_only_its_first_blocks_stay(body: keras.Model) -> None:
    model = started(TINY["efficientnet_unet"], Path(efficientnet.PACKAGE))
    mine = model.get_layer(efficientnet.NAME)
    for name in ("stem", "block_0_project", "block_5_depthwise", "block_15_project_bn"):
        for one, other in zip(mine.get_layer(name).weights, body.get_layer(name).weights, strict=True):
            assert np.array_equal(one, other)
    assert not mine.get_layer("block_1_expand").trainable
    assert mine.get_layer("block_2_expand").trainable
    normalisations = [layer for layer in mine.layers if isinstance(layer, BatchNormalization)]
    assert {layer.momentum for layer in normalisations} == {networks.MOMENTUM}


def test_another_network_cannot_begin_with_them() -> None:
    with pytest.raises(RecipeError, match="no starting weights"):
        started(TINY["mobilenet_unet"], Path(efficientnet.PACKAGE))
