"""What a network is familiar with: learnt from its training slices, with limits set on held-out ones."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml import calibrate, datasets, examples, strangers
from ml.calibrate import Limits
from ml.datasets import Row
from ml.decision import Familiar
from ml.recipe import Recipe

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Embeddings (n, k) of prepared pictures (n, size, size)."""


def learnt(embed: Embed, recipe: Recipe, data: Path) -> Familiar:
    """Slices count as they are and as one hard variant: framing or noise is no reason to refuse."""
    rows, _ = _parts(recipe, data)
    cells = np.array([row.cell for row in rows] * 2)
    known = _with_variants(embed, recipe, data, rows)
    return calibrate.familiar(known, cells, _strangers(embed, recipe, data, rows))


def limits(familiar: Familiar, embed: Embed, recipe: Recipe, data: Path) -> Limits:
    """Set on the slices that the recipe holds out, and on a hard variant of each."""
    _, held = _parts(recipe, data)
    return calibrate.limits(familiar, _with_variants(embed, recipe, data, held))


def _parts(recipe: Recipe, data: Path) -> tuple[list[Row], list[Row]]:
    return datasets.training_and_validation(datasets.records(data, recipe.data.tables), recipe.data)


def _with_variants(embed: Embed, recipe: Recipe, data: Path, rows: Sequence[Row]) -> NDArray[np.float32]:
    """Embeddings (2n, k): the slices as they are, then a variant of each."""
    plain = datasets.pixels(data, rows, recipe.network.size)
    return embed(np.concatenate([plain, examples.variants(recipe, data, rows)]))


def _strangers(embed: Embed, recipe: Recipe, data: Path, rows: Sequence[Row]) -> NDArray[np.float32]:
    """Embeddings (n, k) of the pictures to learn from, and of as many generated ones."""
    size, rng = recipe.network.size, np.random.default_rng(recipe.seed)
    real = strangers.pictures(data, size, recipe.data.tables)
    brains = datasets.pixels(data, rows, size)
    made = [strangers.generated(brains[rng.integers(len(brains))], rng) for _ in range(len(real))]
    return embed(np.concatenate([real, np.stack(made)]))
