"""What a network learns from: prepared slices with their outlines, and pictures of other things.

Everything is decoded once, at ``ROOM_TO_TURN`` times the network's side, and kept as uint8.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from tqdm import tqdm

from ml import augment, close_ups, datasets, images, lesions, outlines, preprocess, sequences, strangers
from ml.augment import Augmentation, Grey, Sample, Variant
from ml.close_ups import Frame
from ml.datasets import Row
from ml.labels import CLASSES, NO_TUMOUR
from ml.recipe import Recipe

ROOM_TO_TURN: Final = 1.2
NEARER: Final = 2.0
"""Times the network's side pictures are kept for close-ups, so that a small tumour has more to show."""
SMALLEST: Final = 1e-12
UNKNOWN: Final = 128
"""The value of a mask, otherwise 0 to 255, that nobody has drawn; masks hold it everywhere or nowhere."""

HEALED: Final = ("meningioma/figshare", "glioma/lgg_flair")
"""The tumours that ``Examples.healed`` takes out."""

Random = np.random.Generator


@dataclass(frozen=True)
class Batch:
    """``x`` (n, size, size, 1) in [0, 1]; ``classes`` (n, 4), rows summing to 1.

    ``foreign`` (n, 1) is 1 for pictures that are not brain MRI. ``masks`` (n, m, m, 1) in [0, 1],
    m a quarter of the size, -1 where nobody outlined the tumour. All float32.
    """

    x: NDArray[np.float32]
    classes: NDArray[np.float32]
    foreign: NDArray[np.float32]
    masks: NDArray[np.float32]


@dataclass(frozen=True)
class Examples:
    """Training slices. ``chances`` of being drawn; without it each once in random order.

    Of close-ups only ``pictures``, ``masks`` and the ``frames`` around the tumours are there.
    """

    rows: tuple[Row, ...]
    pictures: NDArray[np.uint8]
    depths: NDArray[np.uint8]
    brains: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    foreign: NDArray[np.uint8]
    chances: NDArray[np.float64] | None = None
    frames: tuple[Frame, ...] = ()

    def draw(self, count: int, rng: Random) -> NDArray[np.int64]:
        if self.chances is None:
            return rng.permutation(len(self.rows))[:count]
        return rng.choice(len(self.rows), count, p=self.chances)

    def sample(self, index: int) -> Sample:
        mask = self.masks[index]
        return Sample(
            self.pictures[index],
            self.depths[index],
            self.brains[index],
            None if mask[0, 0] == UNKNOWN else mask,
            stripped=self.rows[index].source == "healthy",
        )

    def donors(self) -> dict[str, list[int]]:
        """Slices with an outlined tumour by view."""
        found: dict[str, list[int]] = {}
        for index, row in enumerate(self.rows):
            if row.mask or row.border:
                found.setdefault(row.view, []).append(index)
        return found

    @cached_property
    def healed(self) -> tuple[tuple[Sample, ...], ...]:
        """Slices of tumour patients without their tumour, where that can be done, by source.

        Only in views of which one half resembles the other, and of tumours that are outlined where
        they are seen: not of figshare's gliomas, whose outlines leave their oedema out, nor of
        low-grade ones on T1, which are outlined by what FLAIR shows.
        """
        found: dict[str, list[Sample]] = {}
        for index, row in enumerate(self.rows):
            known = row.cell in HEALED and row.view != "sagittal"
            healed = lesions.heal(self.sample(index)) if known else None
            if healed is not None:
                found.setdefault(row.source, []).append(healed)
        return tuple(map(tuple, found.values()))


def load(recipe: Recipe, data: Path, rows: Sequence[Row]) -> Examples:
    if recipe.close_up:
        return from_near(recipe, data, rows)
    side = round(recipe.network.size * ROOM_TO_TURN)
    pictures = datasets.pixels(data, rows, side)
    key = datasets.cache_key(data, rows, side)

    def derived(name: str, make: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        return datasets.cached(datasets.CACHE / f"{key}-{name}.npy", make)

    return Examples(
        tuple(rows),
        pictures,
        derived("depths-1", lambda: _each(augment.depth, pictures, "depth")),
        derived("brains-1", lambda: _each(augment.brain, pictures, "brain")),
        _kept_masks(data, rows, side),
        _foreigners(recipe, data, side),
        _chances(rows, recipe),
    )


def from_near(recipe: Recipe, data: Path, rows: Sequence[Row]) -> Examples:
    """Slices with an outlined tumour, at ``NEARER`` times the network's side."""
    side = round(recipe.network.size * NEARER)
    drawn = _kept_masks(data, rows, side)
    frames = tuple(close_ups.around(mask > 0, side) for mask in drawn)
    none = np.empty((0, side, side), np.uint8)
    pictures = datasets.pixels(data, rows, side)
    return Examples(tuple(rows), pictures, none, none, drawn, none, _chances(rows, recipe), frames)


def _kept_masks(data: Path, rows: Sequence[Row], side: int) -> NDArray[np.uint8]:
    key = datasets.cache_key(data, rows, side)
    return datasets.cached(datasets.CACHE / f"{key}-masks-1.npy", lambda: masks(data, rows, side))


def close_ups_of(near: Examples, values: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """What lies in the frames, upright (n, size, size); ``values`` are the pictures or the masks."""
    return np.stack([augment.framed(v, frame, size) for v, frame in zip(values, near.frames, strict=True)])


def _foreigners(recipe: Recipe, data: Path, side: int) -> NDArray[np.uint8]:
    if not recipe.data.strangers:
        return np.empty((0, side, side), np.uint8)
    return strangers.pictures(data, side, recipe.data.tables)


def _each(find: Callable[[Grey], Grey], pictures: NDArray[np.uint8], title: str) -> NDArray[np.uint8]:
    return np.stack([find(picture) for picture in tqdm(pictures, desc=title, leave=False, disable=None)])


def masks(data: Path, rows: Sequence[Row], side: int) -> NDArray[np.uint8]:
    """Outlines (n, side, side) in the frame of the prepared pictures: 0 to 255, or ``UNKNOWN``."""
    found = np.empty((len(rows), side, side), np.uint8)
    for index, row in enumerate(tqdm(rows, desc="outlines", unit="image", leave=False, disable=None)):
        outline = outlines.outline(data, row)
        found[index] = UNKNOWN if outline is None else 0
        if outline is not None and outline.any():
            found[index] = _framed(images.read(data / row.path).slices[0], outline, side)
    return found


def _framed(pixels: NDArray[np.float32], outline: NDArray[np.bool_], side: int) -> Grey:
    """The outline cropped, padded and resampled as ``preprocess.prepare`` does with its picture."""
    _, geometry = preprocess.prepare_with_geometry(pixels, side)
    corners = (*geometry.to_source(0, 0), *geometry.to_source(side, side))
    whole = PIL.Image.fromarray(255 * outline.astype(np.uint8))
    moved = whole.transform(
        (side, side), PIL.Image.Transform.EXTENT, corners, resample=PIL.Image.Resampling.BILINEAR
    )
    return np.asarray(moved)


def _chances(rows: Sequence[Row], recipe: Recipe) -> NDArray[np.float64] | None:
    """The recipe's share of every class, divided among those of its sources that are learnt."""
    wanted = recipe.data.weights
    if not wanted:
        return None
    cells = Counter(row.cell for row in rows)
    shares = np.array([wanted.get(row.cell, 0.0) / cells[row.cell] for row in rows])
    for label in CLASSES:
        mine = np.array([row.label == label for row in rows])
        share = sum(value for cell, value in wanted.items() if cell.startswith(f"{label}/"))
        shares[mine] *= share / max(shares[mine].sum(), SMALLEST)
    return np.asarray(shares / shares.sum())


def batches(recipe: Recipe, examples: Examples, epoch: int, steps: int, size: int) -> Iterator[Batch]:
    """The batches of an epoch: a function of the recipe's seed, the epoch and the size."""
    rng = np.random.default_rng((recipe.seed, epoch))
    how, count = Augmentation.from_recipe(recipe.augment), recipe.training.batch
    donors = examples.donors() if how.paste else {}
    order = examples.draw(steps * count, rng)
    for start in range(0, len(order) - count + 1, count):
        yield _assembled([
            _foreign(examples, size, how, rng)
            if rng.random() < recipe.data.strangers
            else _known(examples, int(index), donors, size, how, rng)
            for index in order[start : start + count]
        ])  # fmt: skip


def _known(
    examples: Examples, index: int, donors: dict[str, list[int]], size: int, how: Augmentation, rng: Random
) -> tuple[Variant, int | None]:
    """A variant of a slice and its class; a healthy one may be one that was healed, or be given a tumour.

    Of a tumour from near where close-ups are learnt.
    """
    if how.close_up:
        return _close_up(examples, index, size, how, rng)
    row, sample = examples.rows[index], examples.sample(index)
    label = row.target
    if row.label == NO_TUMOUR and how.heal and examples.healed and rng.random() < how.heal:
        of_source = examples.healed[rng.integers(len(examples.healed))]
        return augment.vary(of_source[rng.integers(len(of_source))], size, how, rng), label
    if row.label == NO_TUMOUR and donors.get(row.view) and rng.random() < how.paste:
        donor = int(rng.choice(donors[row.view]))
        pasted = lesions.paste(sample, examples.sample(donor))
        if pasted is not None:
            sample, label = pasted, examples.rows[donor].target
    if how.sequence and rng.random() < how.sequence:
        sample = sequences.recast(sample, rng)
    return augment.vary(sample, size, how, rng), label


def _close_up(
    examples: Examples, index: int, size: int, how: Augmentation, rng: Random
) -> tuple[Variant, int]:
    picture, mask, frame = examples.pictures[index], examples.masks[index], examples.frames[index]
    return augment.close_up(picture, mask, frame, size, how, rng), examples.rows[index].target


def _foreign(examples: Examples, size: int, how: Augmentation, rng: Random) -> tuple[Variant, int | None]:
    """A variant of a picture that is not brain MRI, which belongs to no class."""
    brain = examples.pictures[rng.integers(len(examples.pictures))]
    picture = strangers.draw(examples.foreign, brain, rng)
    nothing = np.zeros_like(picture)
    return augment.vary(Sample(picture, augment.depth(picture), nothing, nothing), size, how, rng), None


def _assembled(chosen: Sequence[tuple[Variant, int | None]]) -> Batch:
    x = np.stack([variant.picture for variant, _ in chosen])
    classes = np.stack([_one_hot(label) for _, label in chosen])
    foreign = np.array([[label is None] for _, label in chosen], np.float32)
    return Batch(_unit(x), classes, foreign, np.stack([_mask(variant) for variant, _ in chosen]))


def _one_hot(label: int | None) -> NDArray[np.float32]:
    if label is None:
        return np.full(len(CLASSES), 1 / len(CLASSES), np.float32)
    return np.asarray(np.eye(len(CLASSES), dtype=np.float32)[label])


def _mask(variant: Variant) -> NDArray[np.float32]:
    if variant.mask is not None:
        return variant.mask[..., np.newaxis].astype(np.float32) / np.float32(255)
    side = variant.picture.shape[0] // 4
    return np.full((side, side, 1), -1, np.float32)


def _unit(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pictures[..., np.newaxis].astype(np.float32) / np.float32(255)


def variants(recipe: Recipe, data: Path, rows: Sequence[Row]) -> NDArray[np.uint8]:
    """One random variant (n, size, size) of every row, as training would see it."""
    examples = load(recipe, data, rows)
    how, rng = Augmentation.from_recipe(recipe.augment), np.random.default_rng(recipe.seed)
    return np.stack(
        [augment.vary(examples.sample(i), recipe.network.size, how, rng).picture for i in range(len(rows))]
    )
