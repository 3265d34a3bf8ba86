"""A bundle whose network is stood in for by a rule: bright is tumour. For tests of what follows a network."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml import bundle, predictor, preprocess
from ml.decision import Familiar
from ml.engine import Outputs
from ml.image_types import Facts, Image
from ml.labels import CLASSES
from ml.predictor import Predictor

SIZE, SUSPICIOUS = 96, 0.004
NECK, GREY = 3 * SIZE // 8, 0.3
FAMILIAR = Familiar(*(np.zeros(shape, np.float32) for shape in ((1, 2), (2, 2), (2,), (2,))))


class BrightIsTumour:
    """Bright pixels above the neck are outlined; enough of them are a glioma, if ``blind`` is not set."""

    def __init__(self, *, masks: bool = True, blind: bool = False) -> None:
        self.masks, self.blind = masks, blind
        self.batches: list[int] = []

    def run(self, x: NDArray[np.float32]) -> Outputs:
        self.batches.append(len(x))
        squares = x[..., 0].reshape(len(x), SIZE // 2, 2, SIZE // 2, 2).mean(axis=(2, 4))
        squares = np.clip((squares - GREY) / (1 - GREY), 0, 1)
        squares[:, NECK:] = 0
        sick = ((squares > 0.5).mean(axis=(1, 2)) > SUSPICIOUS) & (not self.blind)
        logits = np.where(sick[:, None], [6.0, 0, 0, 0], [0.0, 0, 6, 0]).astype(np.float32)
        return Outputs(logits, np.zeros((len(x), 2), np.float32), squares if self.masks else None)


class BrightBelow:
    """The brighter the lower half of a picture, the more upright it seems."""

    def tensors(self, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        half = x.shape[1] // 2
        return [x[:, half:].sum(axis=(1, 2)) - x[:, :half].sum(axis=(1, 2))]


def seeing(
    folder: Path,
    patch: pytest.MonkeyPatch,
    engine: BrightIsTumour,
    near: BrightIsTumour | None = None,
    upright: BrightBelow | None = None,
    **card: Any,
) -> Predictor:
    """A predictor on this engine, with others for close-ups and to lay pictures upright where they are given.

    ``card`` adds to or replaces what the bundle's card says.
    """
    directory = folder / "seeing-1"
    directory.mkdir()
    for name in bundle.FILES:
        (directory / name).write_bytes(b"stands for nothing")
    FAMILIAR.save(directory / bundle.FAMILIAR)
    facts = {
        "version": "seeing-1",
        "labels": list(CLASSES),
        "preprocessing": preprocess.VERSION,
        "input_size": SIZE,
        "engine": "litert",
        "temperature": 1.0,
        "thresholds": {"tumour": 0.3, "margin": 0.1, "distance": 1.0, "foreignness": 1.0},
    }
    if near is not None:
        (directory / bundle.CLOSE_UP).write_bytes(b"stands for nothing")
        facts["close_up"] = {"input_size": SIZE}
    if upright is not None:
        (directory / bundle.UPRIGHT).write_bytes(b"stands for nothing")
        facts["upright"] = {}
    (directory / bundle.CARD).write_text(json.dumps({**facts, **card}))
    bundle.seal(directory)
    engines = {bundle.NETWORK: engine, bundle.CLOSE_UP: near, bundle.UPRIGHT: upright}
    patch.setattr(predictor, "LiteRt", lambda path, threads: engines[path.name])
    return Predictor.load(directory)


def head(*spots: tuple[float, float, float], height: int = 200, width: int = 160) -> NDArray[np.float32]:
    """A dim head on black with a bright neck; every spot (x, y, radius in pixels) is bright."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    inside = ((rows / height - 0.5) / 0.42) ** 2 + ((columns / width - 0.5) / 0.42) ** 2 < 1
    picture = np.where(inside, GREY, 0.0)
    picture[round(0.8 * height) : round(0.86 * height), round(0.4 * width) : round(0.6 * width)] = 1.0
    for x, y, radius in spots:
        picture[np.hypot(columns - x, rows - y) < radius] = 1.0
    return picture.astype(np.float32)


def image(*slices: NDArray[np.floating], **facts: Any) -> Image:
    pixels = tuple(np.asarray(one, np.float32) for one in slices)
    height, width = pixels[0].shape
    return Image(pixels, Facts("png", width, height, len(pixels), 8, "L", **facts))
