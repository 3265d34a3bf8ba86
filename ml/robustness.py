"""What becomes of the answers when the same picture is turned, mirrored, darker or brighter."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ml.evaluate import Answers, Vary
from ml.image_types import Image, Pixels
from ml.statistics import Bootstrap, Figure

ANGLES: Final = (0, 30, 90, 180, 270)
"""Degrees counter-clockwise, of the rotated test set of the published split."""


def _each(change: Callable[[Pixels], NDArray[np.float32]]) -> Vary:
    """Every slice of an image changed in the same way."""

    def vary(image: Image) -> Image:
        return replace(image, slices=tuple(np.ascontiguousarray(change(pixels)) for pixels in image.slices))

    return vary


def turned(degrees: int) -> Vary:
    """Turned about the middle in a frame that stays: corners are cut off, new ones are black."""

    def turn(pixels: Pixels) -> Pixels:
        picture = PIL.Image.fromarray(pixels)
        return np.asarray(picture.rotate(degrees, PIL.Image.Resampling.BILINEAR, fillcolor=0.0))

    return _each(turn)


VARIANTS: Final[Mapping[str, Vary]] = {
    "turned_90": _each(lambda pixels: np.rot90(pixels, 1)),
    "turned_180": _each(lambda pixels: np.rot90(pixels, 2)),
    "turned_270": _each(lambda pixels: np.rot90(pixels, 3)),
    "mirrored": _each(lambda pixels: pixels[:, ::-1]),
    "darker": _each(lambda pixels: pixels * np.float32(0.7)),
    "brighter": _each(lambda pixels: np.minimum(pixels * np.float32(1.3), np.float32(1))),
}
"""Quarter turns take the frame with them; ``brighter`` burns out what was above 77 %."""


def unchanged(plain: Answers, variants: Mapping[str, Answers]) -> dict[str, Any]:
    """Share of slices whose likeliest class stays the same, by variant and over all of them."""
    bootstrap = Bootstrap(plain.groups)
    same = {name: found.called == plain.called for name, found in variants.items()}
    every = np.stack(list(same.values()), axis=1)
    total = np.full(len(plain.targets), float(every.shape[1]))
    missed = [plain.sick & (plain.tumour >= 0.5) & (found.tumour < 0.5) for found in variants.values()]
    return {
        "same_class": {**bootstrap.share(every.sum(axis=1), total), "n": int(every.size)},
        "variants": {name: bootstrap.share(kept) for name, kept in same.items()},
        "tumours_lost": int(np.sum(missed)),
    }


def over_rotations(by_angle: Mapping[int, Answers]) -> dict[str, Figure]:
    """Accuracy at each angle by itself, as ``accuracy_30``."""
    return {
        f"accuracy_{angle}": Bootstrap(found.groups).share(found.called == found.targets)
        for angle, found in by_angle.items()
    }
