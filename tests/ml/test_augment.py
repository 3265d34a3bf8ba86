"""Random variants of slices: repeatable, bounded, and each does what its name says."""

import numpy as np
import pytest

from ml import augment
from ml.augment import Augmentation
from tests.ml.pictures import brain, bytes_of

PICTURE = bytes_of(brain(height=96, width=96))
EVERYTHING = Augmentation(
    turn=0.5,
    tilt=15,
    mirror=0.5,
    zoom=0.2,
    shift=0.1,
    stretch=0.1,
    gamma=0.5,
    curve=0.5,
    invert=0.5,
    bias=0.5,
    blur=0.5,
    coarse=0.5,
    noise=0.5,
    strip=0.5,
    skull=0.5,
    text=0.5,
)


def vary(how: Augmentation, seed: int = 0, *, stripped: bool = False, size: int = 80) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return augment.vary(PICTURE, augment.depth(PICTURE), size, stripped, how, rng)


def test_without_wishes_the_slice_stays_as_it_is() -> None:
    assert np.abs(vary(Augmentation(), size=96).astype(int) - PICTURE).max() <= 1


@pytest.mark.parametrize("stripped", [True, False])
def test_the_same_generator_gives_the_same_variant(stripped: bool) -> None:
    for seed in range(20):
        one = vary(EVERYTHING, seed, stripped=stripped)
        assert np.array_equal(one, vary(EVERYTHING, seed, stripped=stripped))
        assert one.shape == (80, 80) and one.dtype == np.uint8


def test_different_states_give_different_variants() -> None:
    assert len({vary(EVERYTHING, seed).tobytes() for seed in range(10)}) == 10


def test_a_quarter_turn_is_a_quarter_turn() -> None:
    turned = vary(Augmentation(rotations=(90.0,)), size=96).astype(int)
    either = [np.abs(turned - np.rot90(PICTURE, k)).mean() for k in (1, 3)]
    assert min(either) < 2 < np.abs(turned - PICTURE).mean()


def test_a_mirrored_slice_is_mirrored() -> None:
    mirrored = vary(Augmentation(mirror=1.0), size=96).astype(int)
    assert np.abs(mirrored - PICTURE[:, ::-1]).max() <= 1


def test_stripping_removes_the_scalp_and_keeps_the_brain() -> None:
    stripped = vary(Augmentation(strip=1.0), size=96)
    assert (PICTURE > 200).mean() > 0.05
    assert (stripped > 50).mean() > 0.3 and (stripped > 200).mean() < (PICTURE > 200).mean() / 2


def test_a_stripped_brain_is_given_a_shell_around_it() -> None:
    bare = np.where(augment.depth(PICTURE) > 60, PICTURE, 0).astype(np.uint8)
    rng = np.random.default_rng(3)
    dressed = augment.vary(bare, augment.depth(bare), 96, True, Augmentation(skull=1.0), rng)
    assert (dressed > 0).sum() > 0 and np.count_nonzero(dressed[:, 48]) > np.count_nonzero(bare[:, 48]) * 0.84


def test_text_brightens_only_a_few_pixels() -> None:
    written = vary(Augmentation(text=1.0), size=96).astype(int)
    changed = np.abs(written - PICTURE) > 2
    assert 0 < changed.mean() < 0.3
