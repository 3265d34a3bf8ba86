"""What becomes of the answers when the same picture is turned or looks as if from another hospital."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import PIL.Image
import PIL.ImageFilter
from numpy.typing import NDArray
from scipy import ndimage

from ml import augment, burned_in, displayed, evaluate, sheets, tables
from ml.evaluate import Answers, Vary
from ml.image_types import Image, Pixels
from ml.statistics import Bootstrap, Figure
from ml.tables import Table

ANGLES: Final = (0, 30, 90, 180, 270)
"""Degrees counter-clockwise, of the rotated test set of the published split."""


def _each(change: Callable[[Pixels], NDArray[np.float32]]) -> Vary:
    """Every slice of an image changed in the same way."""

    def vary(image: Image) -> Image:
        return replace(image, slices=tuple(np.ascontiguousarray(change(pixels)) for pixels in image.slices))

    return vary


def _opened(change: Callable[[Pixels], NDArray[np.float32]]) -> Vary:
    """Every slice changed, and what is then a sheet read as one."""
    vary = _each(change)
    return lambda image: sheets.opened(vary(image))


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


def _marked(pixels: Pixels) -> Pixels:
    """With rings, arrows, frames, rulers; the same ones whenever it is the same picture."""
    rng = displayed.chance(pixels)
    return _of_bytes(lambda picture: burned_in.mark(picture, rng), pixels)


def _sharpened(pixels: Pixels) -> Pixels:
    strength = PIL.ImageFilter.UnsharpMask(radius=3, percent=250, threshold=0)
    return _of_bytes(lambda picture: np.asarray(PIL.Image.fromarray(picture).filter(strength)), pixels)


def _equalised(pixels: Pixels) -> Pixels:
    """Every grey value within the head as frequent."""
    head = pixels > AIR
    order = np.sort(pixels[head])
    ranks = np.searchsorted(order, pixels) / max(len(order), 1)
    return np.asarray(np.where(head, ranks, pixels), np.float32)


def _ghosted(pixels: Pixels) -> Pixels:
    """With copies along the columns, as of a patient who moved."""
    far = pixels.shape[0] // 15
    copies = 0.3 * np.roll(pixels, far, 0) + 0.25 * np.roll(pixels, -3 * far // 2, 0)
    return np.asarray(np.minimum(0.55 * pixels + copies, 1), np.float32)


def _coarse(pixels: Pixels) -> Pixels:
    """A quarter of the resolution of 256 pixels."""
    picture = PIL.Image.fromarray(pixels)
    ratio = COARSE / max(picture.size)
    few = picture.resize([max(1, round(side * ratio)) for side in picture.size], PIL.Image.Resampling.BOX)
    enlarged = np.asarray(few.resize(picture.size, PIL.Image.Resampling.BICUBIC), np.float32)
    return np.asarray(np.clip(enlarged, 0, 1))


def _noisy(pixels: Pixels) -> Pixels:
    """Noise of a tenth of the range in every pixel of a picture of 256."""
    rng = displayed.chance(pixels)
    field = rng.normal(0, 0.1, (256, 256)).astype(np.float32)
    ratio = [side / 256 for side in pixels.shape]
    noise = ndimage.zoom(field, ratio, order=1, grid_mode=True, mode="nearest")
    return np.asarray(np.clip(pixels + noise, 0, 1), np.float32)


def _stripped(pixels: Pixels) -> Pixels:
    """Without scalp and skull; as it is where nothing parts them from the brain."""
    brain = augment.brain(np.rint(pixels * 255).astype(np.uint8)) > 0
    return np.asarray(np.where(brain, pixels, 0) if brain.any() else pixels, np.float32)


def _printed(pixels: Pixels) -> Pixels:
    return _of_bytes(lambda picture: augment.on_paper(picture, 255), pixels)


def _inverted(pixels: Pixels) -> Pixels:
    return np.asarray(np.where(pixels > AIR, 1 - pixels, pixels), np.float32)


def _recast(pixels: Pixels) -> Pixels:
    """T1's dark fluid bright, and its bright fat dark."""
    return np.interp(pixels, *RECAST).astype(np.float32)


def _of_bytes(change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], pixels: Pixels) -> Pixels:
    return change(np.rint(pixels * 255).astype(np.uint8)).astype(np.float32) / np.float32(255)


PLAIN: Final = "as it is"
AIR: Final = np.float32(augment.DARK / 255)
COARSE: Final = 64
RECAST: Final = ((0, 0.16, 0.35, 0.55, 0.75, 1), (0, 0.82, 0.43, 0.31, 0.59, 0.24))

HARD: Final[Mapping[str, Vary]] = {
    PLAIN: _each(lambda pixels: pixels),
    "marked": _each(_marked),
    "sharpened": _each(_sharpened),
    "equalised": _each(_equalised),
    "ghosted": _each(_ghosted),
    "coarse": _each(_coarse),
    "noisy": _each(_noisy),
    "stripped": _each(_stripped),
    "on white": _each(_printed),
    "inverted": _each(_inverted),
    "recast": _each(_recast),
    "on a page": _each(displayed.on_page),
    "in a viewer": _each(displayed.in_viewer),
    "framed": _each(displayed.framed),
    "on a film": _opened(displayed.on_film),
    "far away": _each(displayed.far_away),
    "watermarked": _each(displayed.watermarked),
    "burnt out": _each(displayed.burnt_out),
    "squeezed": _each(displayed.squeezed),
    "compressed": _each(displayed.compressed),
    "photographed": _each(displayed.photographed),
}
"""Pictures (h, w) in [0, 1] as other scanners, programs and teaching files show them, and rather more so."""


HARD_COUNTS: Final[Mapping[str, str]] = {
    "tumours_called_notumor": "tumours answered notumor",
    "tumours_refused": "tumours refused",
    "healthy_called_tumour": "healthy slices answered with a tumour",
    "uncertain": "uncertain",
}


def hard(judge: Callable[[Vary], Answers]) -> Table:
    """How well ``judge`` answers slices that are changed in each of these ways, and their mean."""
    found = {name: evaluate.figures(judge(vary)) for name, vary in HARD.items()}
    rows = [(name, *_hardness(figures)) for name, figures in found.items()]
    changed = [figures for name, figures in found.items() if name != PLAIN]
    mean = float(np.mean([figures["macro_recall"]["value"] for figures in changed]))
    rows.append(
        ("mean of the changed", tables.short(mean), *(_mean_count(changed, key) for key in HARD_COUNTS))
    )
    return Table("Hard pictures", ("", "macro recall", *HARD_COUNTS.values()), tuple(rows))


def _hardness(figures: Mapping[str, Any]) -> tuple[str, ...]:
    return tables.shown(figures["macro_recall"]), *(str(figures["answers"][key]) for key in HARD_COUNTS)


def _mean_count(found: Sequence[Mapping[str, Any]], key: str) -> str:
    return f"{sum(figures['answers'][key] for figures in found) / len(found):.1f}"


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
