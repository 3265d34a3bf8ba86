"""Which slices of a volume hold brain: ends are left out, no tumour is."""

import csv
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.brain import brain_slices
from ml.images import Facts, Image, read
from tests.ml.pictures import brain


def image_of(*slices: NDArray[np.floating]) -> Image:
    pixels = tuple(np.asarray(one, np.float32) for one in slices)
    height, width = pixels[0].shape
    return Image(pixels, Facts("nifti", width, height, len(pixels), 16, "int16"))


def scaled_head(size: float) -> NDArray[np.floating]:
    """A head that fills this share of the picture's sides."""
    side = round(128 * size)
    inner = brain(height=side, width=side)
    picture = np.zeros((128, 128))
    start = (128 - side) // 2
    picture[start : start + side, start : start + side] = inner
    return picture


def scalp(size: float = 0.2) -> NDArray[np.floating]:
    rows, columns = np.mgrid[-1:1:128j, -1:1:128j]
    return np.where(rows**2 + columns**2 < size**2, 0.9, 0.0)


def test_empty_slices_and_scalp_at_the_ends_are_left_out() -> None:
    blank = np.zeros((128, 128))
    found = brain_slices(image_of(blank, scaled_head(0.6), scaled_head(1), scaled_head(0.8), scalp(), blank))
    assert found.tolist() == [False, True, True, True, False, False]


def test_a_slice_near_the_vertex_that_shows_little_brain_is_kept() -> None:
    assert brain_slices(image_of(scaled_head(0.4), scaled_head(0.8), scaled_head(1), scaled_head(0.4))).all()


def test_a_slice_between_others_is_never_left_out() -> None:
    found = brain_slices(image_of(scaled_head(0.9), np.zeros((128, 128)), scaled_head(0.9)))
    assert found.all()


@pytest.mark.parametrize("level", [0.05, 0.5, 1.0])
def test_brightness_changes_nothing(level: float) -> None:
    slices = [scalp(0.2), scaled_head(0.7), scaled_head(1)]
    assert brain_slices(image_of(*(one * level for one in slices))).tolist() == [False, True, True]


def test_a_single_slice_holds_brain_unless_it_is_blank() -> None:
    assert brain_slices(image_of(brain())).all()
    assert brain_slices(image_of(scalp(0.1))).all()
    assert not brain_slices(image_of(np.zeros((64, 64)))).any()


def test_slices_of_different_sizes_are_judged_together() -> None:
    assert brain_slices(image_of(brain(), brain(height=64, width=300))).all()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_even_and_noisy_slices_are_judged_without_an_error(value: float) -> None:
    noise = np.random.default_rng(3).uniform(size=(80, 90))
    assert brain_slices(image_of(np.full((80, 90), value), noise)).shape == (2,)


def test_it_costs_less_than_two_milliseconds_a_slice() -> None:
    image = image_of(*[brain(seed, height=256, width=256) for seed in range(40)])
    spent = []
    for _ in range(3):
        start = time.process_time()
        brain_slices(image)
        spent.append(time.process_time() - start)
    assert min(spent) < 40 * 0.002


@pytest.mark.data
def test_no_slice_with_a_real_tumour_is_left_out(data: Path) -> None:
    volumes = defaultdict(list)
    with (data / "lgg.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            volumes[row["patient"], row["sequence"]].append(row)
    for rows in list(volumes.values())[::6]:
        rows.sort(key=lambda row: int(row["slice"]))
        found = brain_slices(image_of(*(read(data / row["path"]).slices[0] for row in rows)))
        assert all(found[index] for index, row in enumerate(rows) if row["label"] == "glioma")


@pytest.mark.data
def test_the_empty_ends_of_a_real_volume_are_left_out_and_a_centimetre_of_its_brain_at_most(
    data: Path,
) -> None:
    image = read(data / "volumes" / "healthy_sub-01_T1w.nii.gz")
    shows_brain = np.flatnonzero([np.mean(pixels > 0.1) > 0.005 for pixels in image.slices])
    kept = np.flatnonzero(brain_slices(image))
    assert image.facts.slice_spacing_mm == 1.0
    assert 0 < kept[0] - shows_brain[0] <= 10 and 0 < shows_brain[-1] - kept[-1] <= 10
    assert brain_slices(read(data / "volumes" / "glioma_TCGA-FG-6692_t1c.nii.gz")).sum() >= 24
