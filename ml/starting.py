"""The weights that a training begins with: ImageNet's, those of a finished run, or a released network's."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ml import bundle, efficientnet, networks
from ml.recipe import Network, Recipe, RecipeError, parse

RUN_WEIGHTS = "best.weights.h5"


def read_recipe(run: Path) -> Recipe:
    return parse(run.name, json.loads((run / "recipe.json").read_text()))


def recipe_of(place: Path) -> Recipe:
    """What a finished run or a sealed bundle was made by; RecipeError where there is neither."""
    if (place / bundle.MANIFEST).is_file():
        sealed = bundle.verify(place)
        return parse(sealed.version, sealed.card["recipe"])
    if (place / RUN_WEIGHTS).is_file():
        return read_recipe(place)
    raise RecipeError(f"{place} is neither a finished run nor a bundle.")


def finished(place: Path, network: Network, policy: str) -> Any:
    """The network of a finished run, or that of a bundle whole, in this precision."""
    weights = bundle.WEIGHTS if (place / bundle.MANIFEST).is_file() else RUN_WEIGHTS
    model = networks.build(network, precision=policy, any_size=True)
    model.load_weights(place / weights)
    return model


def start(model: Any, network: Network, pictures: NDArray[np.float32]) -> None:
    """Give ``model`` the weights that ``network.start`` names, or the mean of several.

    Runs that began alike and learnt in different orders have a mean that errs less than each of them
    (Wortsman et al., ICML 2022; of sources that were never seen, Ramé et al., NeurIPS 2022).
    ``pictures`` (n, side, side, 1) are some of those to learn from: a bundle's network comes without
    the statistics of its normalisation. Raises RecipeError where there are no such weights.
    """
    found = []
    for place in network.start:
        _give(model, network, Path(place), pictures)
        found.append(model.get_weights())
    model.set_weights([np.mean(values, axis=0) for values in zip(*found, strict=True)])


def _give(model: Any, network: Network, place: Path, pictures: NDArray[np.float32]) -> None:
    if (place / bundle.MANIFEST).is_file():
        model.set_weights(_released(place, network).get_weights())
        networks.unfold(model, pictures)
    elif (place / RUN_WEIGHTS).is_file():
        _continue(model, network, place)
    elif place.is_file() and _has(model, networks.MOBILENET):
        _imagenet(model, place)
    elif str(place) == efficientnet.PACKAGE and _has(model, efficientnet.NAME):
        efficientnet.give_weights(model.get_layer(efficientnet.NAME))
    else:
        raise RecipeError(f"There are no starting weights {place} for {network.kind}.")


def _continue(model: Any, network: Network, run: Path) -> None:
    known = read_recipe(run).network
    if networks.shape(replace(known, stages=network.stages)) != networks.shape(network):
        raise RecipeError(f"{run} is not a {network.kind} like this one.")
    if known.stages == network.stages:
        model.load_weights(run / RUN_WEIGHTS)
        return
    learnt = networks.first_stages(finished(run, known, "float32"), network.stages)
    networks.first_stages(model, network.stages).set_weights(learnt.get_weights())


def _has(model: Any, body: str) -> bool:
    return body in [layer.name for layer in model.layers]


def _released(place: Path, network: Network) -> Any:
    """The network of a bundle, or the first of its members, that is built as ``network`` is."""
    released = recipe_of(place).network
    model = finished(place, released, "float32")
    members = [model.get_layer(networks.member_name(i)) for i in range(len(released.members))]
    built = zip(released.members or (released,), members or [model], strict=True)
    for known, part in built:
        if networks.shape(known) == networks.shape(network):
            return part
    raise RecipeError(f"{place} has no network like this {network.kind}.")


def _imagenet(model: Any, weights: Path) -> None:
    body = keras.applications.MobileNetV2(
        include_top=False, weights=str(weights), input_shape=(None, None, 3)
    )
    for layer in model.get_layer(networks.MOBILENET).layers:
        if layer.weights:
            layer.set_weights(body.get_layer(layer.name).get_weights())
