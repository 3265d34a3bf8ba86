"""A whole bundle of a small network that has learnt nothing: for tests of engines, quick to make."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ml import bundle, conversion, networks, preprocess, reference
from ml.decision import Familiar
from ml.engine import LiteRt
from ml.labels import CLASSES
from tests.ml import tiny

GOLDEN: dict[str, Any] = {"side": 64, "phase": 0.3}


def untrained(folder: Path, kind: str = "residual_unet", form: str = "float32", **card: Any) -> Path:
    """The folder of a sealed bundle ``untrained-1`` that nothing is strange to."""
    directory = folder / "untrained-1"
    directory.mkdir()
    recipe = tiny.recipe(kind)
    model = networks.build(recipe.network, seed=3)
    model.save_weights(directory / bundle.WEIGHTS)
    (directory / bundle.NETWORK).write_bytes(conversion.converted(model, form))
    facts = {
        "version": directory.name,
        "labels": list(CLASSES),
        "preprocessing": preprocess.VERSION,
        "input_size": recipe.network.size,
        "engine": "litert",
        "temperature": 1.0,
        "thresholds": {"tumour": 0.3, "margin": 0.1, "distance": 1.0, "foreignness": 1.0},
        "weights_stored_as": form,
        "recipe": recipe.as_dict(),
    }
    width = model.outputs[1].shape[1]
    empty = Familiar(*(np.zeros(shape, np.float32) for shape in ((1, width), (width,) * 2, width, width)))
    empty.save(directory / bundle.FAMILIAR)
    _write(directory / bundle.CARD, {**facts, **card})
    _write(directory / bundle.METRICS, {})
    _write(directory / bundle.GOLDEN, _golden(directory, recipe.network.size))
    bundle.seal(directory)
    return directory


def _golden(directory: Path, size: int) -> dict[str, Any]:
    found = LiteRt(directory / bundle.NETWORK).run(reference.prepared(GOLDEN, size))
    return {"input": GOLDEN, "tolerance": 0.01, **reference.answer(found, 1.0)}


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value), "utf-8")
