"""Slices shown as by other sequences: what becomes bright, what stays dark, and what is left alone."""

from dataclasses import replace

import numpy as np
import pytest

from ml import augment, sequences
from ml.augment import Sample

Y, X = (np.mgrid[:192, :192] - 95.5) / 2
RADIUS = np.hypot(X, Y)
AIR, SCALP, BONE = RADIUS > 44, (RADIUS <= 44) & (RADIUS > 41), (RADIUS <= 41) & (RADIUS > 37)
BRAIN = RADIUS <= 37
FLUID = np.hypot(X, Y / 2) < 7
WHITE = BRAIN & (RADIUS < 24) & ~FLUID
GREY = BRAIN & (RADIUS >= 26)
TUMOUR = np.hypot(X - 16, Y) < 7


def on_t1(*, tumour: bool = False) -> Sample:
    """Fluid 40, grey matter 110, white 160, vessels 220, bright scalp, dark bone; perhaps a tumour."""
    levels = ((SCALP, 230), (BONE, 5), (BRAIN, 220), (GREY, 110), (WHITE, 160), (FLUID, 40))
    picture = np.zeros(X.shape, np.uint8)
    for place, level in levels:
        picture[place] = level
    if tumour:
        picture[TUMOUR] = 200
    mask = np.where(TUMOUR & tumour, 255, 0).astype(np.uint8)
    return Sample(picture, augment.depth(picture), augment.brain(picture), mask)


def recast(sample: Sample, count: int = 40) -> list[np.ndarray]:
    return [sequences.recast(sample, np.random.default_rng(seed)).picture for seed in range(count)]


def test_fluid_is_brightest_as_on_t2_or_darkest_and_white_matter_then_hardly_brighter_than_grey() -> None:
    levels = [[picture[place].mean() for place in (FLUID, GREY, WHITE)] for picture in recast(on_t1(), 60)]
    bright = [grey - white for fluid, grey, white in levels if fluid > max(grey, white)]
    dark = [grey - white for fluid, grey, white in levels if fluid < min(grey, white)]
    assert len(bright) + len(dark) == 60 and 10 < len(bright) < 30
    assert min(bright) > 0 and min(dark) < 0 < max(dark) and min(dark) > -30


def test_bone_and_air_stay_dark_and_the_scalp_brighter_than_they() -> None:
    for picture in recast(on_t1()):
        assert picture[AIR].max() == 0
        assert np.median(picture[BONE]) < 40 < np.median(picture[SCALP])


def test_a_tumour_keeps_its_outline_and_is_mostly_brighter_than_what_is_around_it() -> None:
    sick = on_t1(tumour=True)
    assert sequences.recast(sick, np.random.default_rng(0)).mask is sick.mask
    around = WHITE & (np.hypot(X - 16, Y) < 12) & ~TUMOUR
    core = np.hypot(X - 16, Y) < 4
    brighter = [picture[core].mean() > picture[around].mean() for picture in recast(sick)]
    assert 22 < sum(brighter) < 40


def test_a_slice_of_unknown_brain_or_tumour_stays_as_it_is() -> None:
    sample = on_t1()
    for unknown in (replace(sample, mask=None), replace(sample, brain=np.zeros_like(sample.brain))):
        assert sequences.recast(unknown, np.random.default_rng(0)) is unknown


def test_of_a_slice_without_skull_everything_is_brain() -> None:
    bare = np.where(BRAIN, on_t1().picture, 0).astype(np.uint8)
    sample = Sample(bare, augment.depth(bare), np.zeros_like(bare), np.zeros_like(bare), stripped=True)
    for picture in recast(sample, 8):
        assert picture[RADIUS > 40].max() == 0 and not np.array_equal(picture, bare)


@pytest.mark.parametrize("tumour", [True, False])
def test_the_same_generator_gives_the_same_slice(tumour: bool) -> None:
    one, again = (recast(on_t1(tumour=tumour), 10) for _ in range(2))
    assert np.array_equal(one, again) and len({picture.tobytes() for picture in one}) == 10
