"""Brain is told from scalp, bone and neck in whole heads, and nothing is said of anything else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ml import brain_extraction
from ml.brain import brain_slices
from ml.images import Facts, Image, read

VOXEL = 2.0
SHAPE = (96, 110, 90)
"""Voxels to the right, to the front and upwards."""
BRAIN = np.array([66.0, 82.0, 60.0])
"""Half axes in millimetres; around it lie 6 mm of bone and 8 mm of scalp."""
CENTRE = np.array([96.0, 110.0, 100.0])
Volume = NDArray[np.float64]


def places() -> Volume:
    """Millimetres (3, ...) of every voxel."""
    return np.asarray((np.indices(SHAPE) + 0.5) * VOXEL)


def inside(centre: Volume, half: Volume) -> NDArray[np.bool_]:
    away = (places() - centre[:, None, None, None]) / half[:, None, None, None]
    return np.asarray((away**2).sum(axis=0) < 1)


def whole_head(brain: float = 0.5, *, bare: bool = False) -> Volume:
    """Scalp around bone around a brain with its ventricles, on a neck with its cord."""
    volume = np.zeros(SHAPE)
    if not bare:
        below = places()[2] < CENTRE[2] - BRAIN[2]
        neck = inside(CENTRE * [1, 1, 0.1], np.array([62.0, 66.0, 90.0])) & below
        volume[inside(CENTRE, BRAIN + 14) | neck] = 0.9
        volume[inside(CENTRE, BRAIN + 6)] = 0.05
    volume[inside(CENTRE, BRAIN)] = brain
    volume[inside(CENTRE + np.array([0, 0, 8]), np.array([12.0, 30.0, 12.0]))] = 0.3 * brain
    volume[inside(CENTRE * [1, 1, 0.2], np.array([8.0, 8.0, 60.0]))] = brain
    return volume


def scan(volume: Volume, axis: int, between: float | None = VOXEL) -> Image:
    slices = tuple(np.rot90(one).astype(np.float32) for one in np.moveaxis(volume, axis, 0))
    height, width = slices[0].shape
    facts = Facts("nifti", width, height, len(slices), 16, "L", spacing_mm=(VOXEL, VOXEL))
    return Image(slices, replace(facts, slice_spacing_mm=between))


def ends(axis: int) -> Volume:
    """Of the brain, in slices."""
    return (CENTRE[axis] + BRAIN[axis] * np.array([-1, 1])) / VOXEL


def kept(image: Image) -> NDArray[np.intp]:
    return np.flatnonzero(brain_slices(image))[[0, -1]]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("bare", [False, True])
def test_of_a_head_in_thin_slices_all_but_the_poles_of_its_brain_is_kept_and_no_scalp(
    axis: int, bare: bool
) -> None:
    first, last = kept(scan(whole_head(bare=bare), axis)) - ends(axis)
    assert -3 <= first <= 5 and -5 <= last <= 3


@pytest.mark.parametrize("lesion", [0.35, 1.0])
def test_a_tumour_in_the_pole_of_a_brain_is_kept(lesion: float) -> None:
    volume = whole_head()
    volume[inside(CENTRE + np.array([0, BRAIN[1] - 18, 0]), np.array([16.0, 16.0, 16.0]))] = lesion
    assert np.abs(kept(scan(volume, 1)) - kept(scan(whole_head(), 1))).max() <= 2


@pytest.mark.parametrize("change", ["noisy", "dark", "shaded"])
def test_noise_brightness_and_uneven_light_move_the_ends_by_little(change: str) -> None:
    volume = whole_head()
    changed = {
        "noisy": np.abs(volume + np.random.default_rng(2).normal(0, 0.06, SHAPE)),
        "dark": volume * 0.1,
        "shaded": volume * np.linspace(0.6, 1.1, SHAPE[1])[:, None],
    }[change]
    assert np.abs(kept(scan(changed, 2)) - kept(scan(volume, 2))).max() <= 4


def test_of_a_part_of_a_head_or_of_something_else_nothing_is_told() -> None:
    noise = np.random.default_rng(4).uniform(size=SHAPE)
    for volume in (whole_head()[:40], np.zeros(SHAPE), np.ones(SHAPE), noise, whole_head(0.0)):
        assert brain_extraction.areas(scan(volume, 0)) is None


def test_a_piece_as_large_as_a_brain_that_does_not_fill_the_middle_of_the_head_is_none() -> None:
    volume = whole_head(0.1)
    volume[inside(CENTRE * [1, 1, 0.2], np.array([60.0, 64.0, 50.0]))] = 1.0
    assert brain_extraction.areas(scan(volume, 2)) is None


def test_where_slices_are_far_apart_or_uneven_or_of_several_shapes_nothing_is_told() -> None:
    whole = scan(whole_head(), 2)
    assert brain_extraction.areas(whole) is not None
    uneven = replace(whole, facts=replace(whole.facts, gaps=True))
    flat = replace(whole, facts=replace(whole.facts, spacing_mm=None))
    shapes = replace(whole, slices=(whole.slices[0][:-1], *whole.slices[1:]))
    apart = [scan(whole_head(), 2, between) for between in (None, 3.0)]
    assert [brain_extraction.areas(one) for one in (uneven, flat, shapes, *apart)] == [None] * 5


@pytest.mark.parametrize("spacing", [(1e-3, 1e-3), (1e3, 1e3)])
def test_absurd_pixel_sizes_cost_no_memory_and_tell_nothing(spacing: tuple[float, float]) -> None:
    whole = scan(whole_head(), 2)
    assert brain_extraction.areas(replace(whole, facts=replace(whole.facts, spacing_mm=spacing))) is None


@pytest.mark.data
def test_the_brain_of_a_volunteer_is_told_from_the_scalp(data: Path) -> None:
    areas = brain_extraction.areas(read(data / "volumes" / "healthy_sub-01_T1w.nii.gz"))
    assert areas is not None and len(areas) == 181
    assert 40 < np.argmax(areas) < 120
