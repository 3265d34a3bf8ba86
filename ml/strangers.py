"""Pictures that are not brain MRI: what the refusal is taught with, and what it is judged by.

Of the table ``ood`` every second picture of a kind is learnt from, the others are only ever judged.
The CT slices among the published training files of ``dev`` are learnt from, too, and, by networks that
learn from heads, their necks.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import PIL.Image
import PIL.ImageDraw
from numpy.typing import NDArray
from scipy import ndimage

from ml import datasets, images, preprocess
from ml.datasets import Row

GENERATED: Final = 0.4
"""The share of generated pictures among those that are drawn."""

Grey = NDArray[np.uint8]
Random = np.random.Generator


@dataclass(frozen=True)
class Stranger:
    """One picture that is not brain MRI. ``learnt``: the network and its refusal have seen it."""

    path: str
    kind: str
    learnt: bool


def table(data: Path) -> list[Stranger]:
    """The pictures of ``ood``; every second one of a kind, in order of their names, is learnt."""
    path = data / "ood.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        records = sorted(csv.DictReader(file), key=lambda record: record["path"])
    seen: Counter[str] = Counter()
    found = []
    for record in records:
        seen[record["kind"]] += 1
        found.append(Stranger(record["path"], record["kind"], learnt=seen[record["kind"]] % 2 == 1))
    return found


def judged(data: Path) -> list[Stranger]:
    """The pictures that nothing has learnt from."""
    return [stranger for stranger in table(data) if not stranger.learnt]


def pictures(data: Path, side: int, tables: Sequence[str]) -> NDArray[np.uint8]:
    """Prepared pictures (n, side, side) to learn from beside the slices of these tables."""
    paths = [data / stranger.path for stranger in table(data) if stranger.learnt]
    found = [preprocess.prepare(images.read(path).slices[0], side) for path in paths]
    scans = [row for row in _published(data) if row.flag == "ct" and _may_learn(row)]
    necks = [row for row in datasets.necks(data) if row.split == "dev"] if "heads" in tables else []
    known = np.array([np.rint(picture[..., 0] * 255) for picture in found], np.uint8)
    return np.concatenate([known.reshape(-1, side, side), datasets.pixels(data, [*scans, *necks], side)])


def _published(data: Path) -> list[Row]:
    return datasets.table(data, "nickparvar") if (data / "nickparvar.csv").is_file() else []


def _may_learn(row: Row) -> bool:
    return row.official == "train" and row.split == "dev"


def draw(known: NDArray[np.uint8], brain: Grey, rng: Random) -> Grey:
    """One of the ``known`` (n, side, side) or a generated one; ``brain`` is what pieces are taken from."""
    if len(known) and rng.random() >= GENERATED:
        return np.asarray(known[rng.integers(len(known))])
    return generated(brain, rng)


def generated(brain: Grey, rng: Random) -> Grey:
    """Noise, shapes, a page of text, or ``brain`` (side, side) in pieces."""
    make = (_clouds, _noise, _shapes, _page, _puzzle)[rng.integers(5)]
    return make(brain, rng)


def _clouds(brain: Grey, rng: Random) -> Grey:
    """Smooth noise of several scales, as in photographs and tissue sections."""
    side = brain.shape[0]
    layers = [ndimage.zoom(rng.random((k, k)), side / k, order=1) / k**0.5 for k in (3, 8, 24, side // 2)]
    field = sum(layer[:side, :side] for layer in layers if layer.shape[0] >= side)
    return _stretched(np.asarray(field))


def _noise(brain: Grey, rng: Random) -> Grey:
    return _stretched(ndimage.gaussian_filter(rng.standard_normal(brain.shape), rng.uniform(0, 3)))


def _stretched(field: NDArray[np.float64]) -> Grey:
    low, high = float(field.min()), float(field.max())
    return np.asarray(255 * (field - low) / max(high - low, 1e-9), np.uint8)


def _shapes(brain: Grey, rng: Random) -> Grey:
    """Rings, ellipses, boxes and lines of any brightness: drawings, phantoms, other organs' outlines."""
    side = brain.shape[0]
    image = PIL.Image.new("L", (side, side), int(rng.choice([0, 0, 255, 128])))
    draw_on = PIL.ImageDraw.Draw(image)
    for _ in range(rng.integers(2, 14)):
        x, y = np.sort(rng.integers(0, side, (2, 2)), axis=1)
        box, shade = (int(x[0]), int(y[0]), int(x[1]), int(y[1])), int(rng.integers(0, 256))
        shape = (draw_on.ellipse, draw_on.rectangle, draw_on.line)[rng.integers(3)]
        shape(box, fill=shade)
    return np.asarray(image)


def _page(brain: Grey, rng: Random) -> Grey:
    """Lines of text on an even ground."""
    side, ground = brain.shape[0], int(rng.choice([0, 255]))
    image = PIL.Image.new("L", (side, side), ground)
    draw_on, size = PIL.ImageDraw.Draw(image), int(rng.integers(7, 20))
    for top in range(4, side - size, int(size * 1.4)):
        letters = "".join(chr(c) for c in rng.integers(97, 123, rng.integers(4, 40)))
        draw_on.text((4, top), letters, fill=255 - ground, font_size=size)
    return np.asarray(image)


def _puzzle(brain: Grey, rng: Random) -> Grey:
    """A slice cut into squares that change places: all of the texture and nothing of the anatomy."""
    pieces = int(rng.integers(3, 6))
    step = brain.shape[0] // pieces
    whole = np.zeros_like(brain)
    for index, place in enumerate(rng.permutation(pieces * pieces)):
        (y, x), (v, u) = divmod(index, pieces), divmod(int(place), pieces)
        piece = brain[v * step : (v + 1) * step, u * step : (u + 1) * step]
        whole[y * step : (y + 1) * step, x * step : (x + 1) * step] = np.rot90(piece, int(rng.integers(4)))
    return whole
