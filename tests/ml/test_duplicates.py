"""Copies are found whatever was done to them, and different heads are not taken for copies."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ml import duplicates
from ml.duplicates import ORIENTATIONS, Pairs
from tests.ml.pictures import brain

SIDE = 96
NO_PAIRS = Pairs(*(np.empty(0, kind) for kind in (np.int32, np.int32, np.float32, np.int8)))


def prepared(seed: int) -> NDArray[np.uint8]:
    """A head without symmetry, so that every orientation of it is another picture."""
    picture = brain(seed, height=SIDE, width=SIDE)
    picture[10:30, 20:35] = np.random.default_rng(seed).uniform(0.2, 0.9)
    return np.rint(picture * 255).astype(np.uint8)


def in_orientation(picture: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
    turned = list(duplicates.oriented(picture[None]))[number][0]
    return np.ascontiguousarray(turned)


@pytest.mark.parametrize("number", range(8), ids=ORIENTATIONS)
def test_a_copy_is_found_in_every_orientation(number: int) -> None:
    pictures = np.stack([prepared(1), in_orientation(prepared(1), number)])
    pairs = duplicates.near(pictures)
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([0], [1])
    assert pairs.orientation.tolist() == [number] and pairs.correlation[0] > 0.999


def test_a_noisy_copy_of_another_brightness_is_found() -> None:
    random = np.random.default_rng(3)
    changed = np.clip(prepared(1) * 0.8 + 20 + random.normal(0, 10, (SIDE, SIDE)), 0, 255).astype(np.uint8)
    assert len(duplicates.near(np.stack([prepared(1), changed]))) == 1


def test_different_heads_and_even_surfaces_are_no_copies() -> None:
    even = np.full((SIDE, SIDE), 80, np.uint8)
    different = [np.random.default_rng(n).integers(0, 255, (SIDE, SIDE)).astype(np.uint8) for n in range(4)]
    assert len(duplicates.near(np.stack([prepared(1), even, even, *different]))) == 0


def test_blocks_find_what_one_comparison_of_all_would(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.stack([in_orientation(prepared(n % 3), n % 8) for n in range(11)])
    whole = duplicates.near(pictures)
    monkeypatch.setattr(duplicates, "BLOCK", 2)
    parts = duplicates.near(pictures)
    assert len(whole) > 5
    assert set(zip(whole.first, whole.second, strict=True)) == set(
        zip(parts.first, parts.second, strict=True)
    )


def test_clusters_join_over_any_number_of_steps_and_by_shared_keys() -> None:
    pairs = Pairs(
        np.array([0, 1], np.int32), np.array([1, 2], np.int32), NO_PAIRS.correlation, NO_PAIRS.orientation
    )
    numbers = duplicates.clusters(6, pairs, ["a", "b", "c", "c", "d", "e"]).tolist()
    assert numbers[0] == numbers[1] == numbers[2] == numbers[3]
    assert len(set(numbers)) == 3
