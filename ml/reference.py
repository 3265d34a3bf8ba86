"""The reference answer of a bundle: what its networks say of a generated picture, on every machine."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml import decision, preprocess
from ml.engine import Outputs
from ml.labels import CLASSES

INPUT: Final[dict[str, Any]] = {"side": 240, "phase": 0.7}
TOLERANCE: Final = 0.01
GRID: Final = 4
"""Outlines are compared by their means over so many fields down and across."""


def picture(side: int, phase: float) -> NDArray[np.float32]:
    """A generated head-like slice (side, side) in [0, 1]: the same numbers on every machine."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    radius = np.hypot(x / 0.72, y / 0.86)
    brain = 0.45 + 0.12 * np.cos(9 * x + phase) * np.cos(7 * y - phase)
    shell = np.where(radius < 0.9, 0.08, 0.8)
    inside = np.where(radius < 0.84, brain, shell) + 0.4 * np.exp(-80 * ((x - 0.25) ** 2 + (y + 0.2) ** 2))
    return np.asarray(np.clip(np.where(radius < 1.0, inside, 0.0), 0.0, 1.0), np.float32)


def prepared(shown: Mapping[str, Any], size: int) -> NDArray[np.float32]:
    """The picture of this ``side`` and ``phase`` as a batch of one, (1, size, size, 1)."""
    return preprocess.prepare(picture(**shown), size)[np.newaxis]


def answer(
    found: Outputs,
    temperature: float,
    near: NDArray[np.float32] | None = None,
    turns: NDArray[np.float32] | None = None,
) -> dict[str, Any]:
    """What a bundle says of the picture, by name and ready for JSON.

    ``found`` is what the network of whole slices says, ``near`` what that of close-ups does, the whole
    picture taken for one, and ``turns`` (4,) how upright its quarter turns seem. Of masks the means over
    ``GRID`` by ``GRID`` fields, none where there is no mask.
    """
    probabilities = decision.softmax(found.logits, temperature)[0]
    masks = {"outline": found.masks if found.masks is None else found.masks[0], "close_up": near}
    return {
        "probabilities": {name: round(float(p), 6) for name, p in zip(CLASSES, probabilities, strict=True)},
        **{name: _fields(mask) for name, mask in masks.items() if mask is not None},
        **({} if turns is None else {"turns": [round(float(score), 4) for score in turns]}),
    }


def agrees(golden: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether every number of the reference answer was found again, to within its ``tolerance``."""
    told = {name: value for name, value in golden.items() if name not in ("input", "tolerance")}
    return told.keys() <= found.keys() and all(
        np.allclose(_numbers(told[name]), _numbers(found[name]), rtol=0, atol=golden["tolerance"])
        for name in told
    )


def _numbers(value: Any) -> NDArray[np.float64]:
    return np.asarray([value[name] for name in CLASSES] if isinstance(value, dict) else value, np.float64)


def _fields(mask: NDArray[np.float32]) -> list[list[float]]:
    rows = np.array_split(mask, GRID)
    return [[round(float(part.mean()), 4) for part in np.array_split(row, GRID, axis=1)] for row in rows]
