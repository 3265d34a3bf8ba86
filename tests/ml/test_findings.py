"""Outlines in the pixels of the picture: place, size, what is kept and what is shown."""

import io
from itertools import groupby

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from ml import findings, preprocess
from ml.findings import MasksError

SIZE, GRID = 160, 80


def ellipse(
    shape: tuple[int, int], centre: tuple[float, float], tall: float, wide: float
) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    inside: NDArray[np.bool_] = ((rows - centre[0]) / tall) ** 2 + ((columns - centre[1]) / wide) ** 2 < 1
    return inside


def head(shape: tuple[int, int]) -> NDArray[np.float32]:
    """A head off the middle, with something bright on one side."""
    height, width = shape
    picture = 0.4 * ellipse(shape, (0.45 * height, 0.55 * width), 0.4 * height, 0.36 * width)
    picture[ellipse(shape, (0.4 * height, 0.4 * width), 0.1 * height, 0.08 * width)] = 0.9
    return picture.astype(np.float32)


def on_the_square(mask: NDArray[np.bool_], geometry: preprocess.Geometry) -> NDArray[np.float32]:
    """What a perfect network would answer: a source mask averaged over its (GRID, GRID) square."""
    left, top, right, bottom = geometry.box
    square = np.zeros((geometry.side, geometry.side), np.float32)
    x, y = geometry.pad
    square[y : y + bottom - top, x : x + right - left] = mask[top:bottom, left:right]
    small = PIL.Image.fromarray(square).resize((GRID, GRID), PIL.Image.Resampling.BOX)
    return np.asarray(small)


@pytest.mark.parametrize("seed", range(12))
def test_an_outline_comes_back_to_where_it_was_to_within_a_pixel_of_the_network(seed: int) -> None:
    random = np.random.default_rng(seed)
    height, width = (int(side) for side in random.integers(90, 400, 2))
    picture = head((height, width))
    _, geometry = preprocess.prepare_with_geometry(picture, SIZE)
    centre = (0.45 * height, 0.55 * width)
    truth = ellipse((height, width), centre, *(random.uniform(0.1, 0.25) * side for side in (height, width)))
    found = findings.to_source(on_the_square(truth, geometry), geometry, (height, width), 0.5)
    assert found.shape == truth.shape
    step = max(1.0, geometry.side / GRID)
    assert np.abs(np.array(_box(found)) - _box(truth)).max() <= step
    rim = np.ptp(_box(truth)) * 4 * step
    assert np.sum(found != truth) <= rim


def test_an_outline_in_a_part_of_a_head_comes_back_to_its_place_too() -> None:
    shape = (150, 120)
    truth = ellipse(shape, (60, 40), 18, 14)
    tissue = np.add.outer(np.linspace(0.3, 0.5, shape[0]), np.linspace(0, 0.2, shape[1]))
    picture = np.where(truth, 0.9, tissue).astype(np.float32)
    _, geometry = preprocess.prepare_with_geometry(picture, SIZE)
    assert geometry.side > max(shape)
    found = findings.to_source(on_the_square(truth, geometry), geometry, shape, 0.5)
    assert np.abs(np.array(_box(found)) - _box(truth)).max() <= geometry.side / GRID


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    return findings.measure(mask, None).box


def test_a_mirrored_picture_gives_the_mirrored_outline() -> None:
    picture, shape = head((210, 170)), (210, 170)
    truth = picture > 0.8
    masks = []
    for pixels, mask in ((picture, truth), (picture[:, ::-1], truth[:, ::-1])):
        _, geometry = preprocess.prepare_with_geometry(pixels, SIZE)
        masks.append(findings.to_source(on_the_square(mask, geometry), geometry, shape, 0.5))
    plain, mirrored = (findings.measure(mask, None) for mask in masks)
    assert mirrored.centre[0] == pytest.approx(170 - plain.centre[0], abs=1)
    assert mirrored.centre[1] == pytest.approx(plain.centre[1], abs=1)
    assert mirrored.area_px == pytest.approx(plain.area_px, rel=0.05)


def test_nothing_is_outlined_outside_the_head_that_the_network_saw() -> None:
    picture = head((240, 180))
    _, geometry = preprocess.prepare_with_geometry(picture, SIZE)
    left, top, right, bottom = geometry.box
    mask = findings.to_source(np.ones((GRID, GRID), np.float32), geometry, (240, 180), 0.5)
    assert mask[top:bottom, left:right].all() and mask.sum() == (right - left) * (bottom - top)


def test_only_the_largest_areas_are_kept_and_their_holes_are_filled() -> None:
    shape = (100, 100)
    ring = ellipse(shape, (30, 30), 20, 20) & ~ellipse(shape, (30, 30), 10, 10)
    second = ellipse(shape, (75, 75), 10, 10)
    specks = np.zeros(shape, np.bool_)
    specks[5, 90] = specks[90:93, 5:8] = True
    cleaned = findings.clean(ring | second | specks)
    assert np.array_equal(cleaned, ellipse(shape, (30, 30), 20, 20) | second)
    assert not findings.clean(specks).any() and not findings.clean(np.zeros(shape, np.bool_)).any()


def test_at_most_three_areas_are_kept_and_none_beside_one_ten_times_as_large() -> None:
    mask = np.zeros((100, 100), np.bool_)
    for row, (height, width) in zip((0, 30, 50, 70), ((20, 50), (10, 20), (10, 15), (10, 12)), strict=True):
        mask[row : row + height, 10 : 10 + width] = True
    three = mask.copy()
    three[70:] = False
    assert np.array_equal(findings.clean(mask), three)
    large = mask[:30].copy()
    large[25:28, 80:] = True
    assert np.array_equal(findings.clean(large), mask[:30])


def test_measures_are_those_of_a_known_shape() -> None:
    mask = np.zeros((50, 60), np.bool_)
    mask[10:14, 20:50] = True
    found = findings.measure(mask, (2.0, 0.5), slice_index=7)
    assert (found.slice_index, found.box, found.area_px, found.components) == (7, (20, 10, 50, 14), 120, 1)
    assert found.area_mm2 == pytest.approx(120)
    assert found.centre == (35.0, 12.0)
    assert found.diameter_px == pytest.approx(np.hypot(30, 4), rel=1e-4)
    assert found.diameter_mm == pytest.approx(np.hypot(15, 8), rel=1e-4)
    without = findings.measure(mask, None)
    assert without.area_mm2 is None and without.diameter_mm is None


@pytest.mark.parametrize("seed", range(8))
def test_the_diameter_is_the_largest_distance_between_two_points_of_the_outline(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random((20, 20)) > 0.55
    spacing = tuple(random.uniform(0.3, 3.0, 2))
    found = findings.measure(mask, (spacing[0], spacing[1]))
    labelled = ndimage.label(mask)[0]
    part = labelled == np.bincount(labelled.ravel())[1:].argmax() + 1
    corners = np.argwhere(part)[:, None] + [[0, 0], [0, 1], [1, 0], [1, 1]]
    corners = corners.reshape(-1, 2) * spacing
    longest = np.linalg.norm(corners[:, None] - corners[None], axis=2).max()
    assert found.diameter_mm == pytest.approx(longest, rel=1e-4)


def test_centre_and_diameter_are_those_of_the_largest_area_and_the_box_holds_all() -> None:
    mask = np.zeros((40, 40), np.bool_)
    mask[2:12, 2:12] = mask[30:34, 30:34] = True
    found = findings.measure(mask, None)
    assert found.components == 2 and found.box == (2, 2, 34, 34) and found.area_px == 116
    assert found.centre == (7.0, 7.0) and found.diameter_px == pytest.approx(np.hypot(10, 10), rel=1e-4)


def test_an_empty_mask_is_not_measured() -> None:
    with pytest.raises(ValueError, match="empty"):
        findings.measure(np.zeros((8, 8), np.bool_), None)


@pytest.mark.parametrize(
    ("centre", "orientation", "side"),
    [
        ((30.0, 50.0), ("R", "A"), "right"),
        ((70.0, 50.0), ("R", "A"), "left"),
        ((30.0, 50.0), ("L", "A"), "left"),
        ((51.0, 10.0), ("R", "A"), None),
        ((30.0, 50.0), ("A", "S"), None),
        ((50.0, 20.0), ("A", "L"), "left"),
        ((30.0, 50.0), None, None),
    ],
)
def test_the_side_is_the_patients_and_only_where_the_file_tells(
    centre: tuple[float, float], orientation: tuple[str, str] | None, side: str | None
) -> None:
    assert findings.side(centre, (0, 0, 100, 100), orientation) == side
    beside = centre[0] + 60, centre[1] + 80
    assert findings.side(beside, (60, 80, 160, 180), orientation) == side


def test_masks_come_back_from_storage_and_the_same_masks_give_the_same_bytes() -> None:
    random = np.random.default_rng(1)
    masks = {12: random.random((40, 33)) > 0.5, 3: np.ones((8, 8), np.bool_), 120: np.zeros((9, 1), np.bool_)}
    stored = findings.encode(masks)
    assert stored == findings.encode(dict(sorted(masks.items())))
    back = findings.decode(stored)
    assert list(back) == [3, 12, 120]
    assert all(np.array_equal(back[index], masks[index]) for index in masks)
    assert findings.decode(findings.encode({})) == {}


def test_a_volume_of_masks_is_stored_compactly() -> None:
    masks = {index: ellipse((512, 512), (200, 250), 60, 40) for index in range(180)}
    assert len(findings.encode(masks)) < 250_000


@pytest.mark.parametrize("data", [b"", b"no archive", findings.encode({1: np.ones((9, 9), np.bool_)})[:40]])
def test_what_is_no_store_of_masks_is_refused(data: bytes) -> None:
    with pytest.raises(MasksError) as caught:
        findings.decode(data)
    assert caught.value.code == "masks_unreadable"


def test_the_overlay_leaves_the_picture_outside_the_mask_unchanged_and_colours_the_inside() -> None:
    pixels = head((120, 100))
    mask = pixels > 0.8
    with PIL.Image.open(io.BytesIO(findings.overlay_png(pixels, mask))) as shown:
        assert shown.mode == "RGB" and shown.info == {}
        colours = np.asarray(shown).astype(int)
    grey = np.rint(pixels * 255).astype(int)
    assert (colours[~mask] == grey[~mask][:, None]).all()
    expected = 0.6 * grey[mask][:, None] + 0.4 * np.array(findings.COLOUR)
    assert np.abs(colours[mask] - expected).max() <= 0.5


def test_an_outline_covers_the_border_alone() -> None:
    pixels, mask = head((120, 100)), ellipse((120, 100), (50, 50), 20, 15)
    with PIL.Image.open(io.BytesIO(findings.overlay_png(pixels, mask, outline=True))) as shown:
        colours = np.asarray(shown).astype(int)
    painted = (colours != np.rint(pixels * 255)[..., None]).any(axis=2)
    assert painted.sum() < 0.3 * mask.sum() and not painted[~mask].any()
    assert (colours[painted] == findings.COLOUR).all()


@pytest.mark.parametrize("shape", [(120, 100), (40, 64), (900, 1600)])
def test_a_border_leaves_the_mask_free_and_is_as_thick_for_slices_of_every_size(
    shape: tuple[int, int],
) -> None:
    height, width = shape
    mask = ellipse(shape, (height // 2, width // 2), height // 5, width // 5)
    with PIL.Image.open(io.BytesIO(findings.border_png(mask, 512))) as shown:
        assert (shown.mode, max(shown.size)) == ("RGBA", 512)
        pixels = np.asarray(shown)
    border = pixels[..., 3] > 0
    middle = border[len(border) // 2]
    assert [len(list(run)) for painted, run in groupby(middle) if painted] == [2, 2]
    assert (pixels[border] == (*findings.COLOUR, 255)).all()
    between = np.flatnonzero(middle)
    assert abs((between[2] - between[1] - 1) - 2 * (width // 5) * 512 / max(shape)) <= 512 / max(shape) + 1


def test_the_share_is_that_of_the_largest_area_above_the_threshold() -> None:
    square = np.zeros((20, 20), np.float32)
    square[:4, :5], square[10:12, 10:12], square[15:, 15:] = 0.9, 0.9, 0.4
    assert findings.share(square, 0.5) == pytest.approx(20 / 400)
    assert findings.share(square, 0.95) == 0.0


@pytest.mark.parametrize(("height", "width"), [(0.98, 3.0), (0.6, 6.0), (0.35, 4.0), (0.8, 1.2)])
def test_no_other_cut_agrees_better_with_truths_drawn_from_the_probabilities(
    height: float, width: float
) -> None:
    rows, columns = np.mgrid[:40, :40] - 20
    likely = (height * np.exp(-(((rows**2 + columns**2) / (2 * width**2)) ** 2))).astype(np.float32)
    truths = np.random.default_rng(5).random((400, 40, 40)) < likely

    def agreement(cut: float) -> float:
        found = likely > cut
        return float(np.mean(2 * (found & truths).sum((1, 2)) / (found.sum() + truths.sum((1, 2)))))

    best = agreement(findings.level(likely, 0.05))
    assert all(best > agreement(cut) - 0.005 for cut in np.arange(0.05, height, 0.05))


def test_a_vague_outline_is_cut_at_the_lowest_level_and_never_under_it() -> None:
    vague = np.full((20, 20), 0.1, np.float32)
    assert findings.level(vague, 0.4) == findings.LEAST_LEVEL and findings.level(vague, 0.05) < 0.1
    vague[10, 10] = 0.21
    assert findings.LEAST_LEVEL <= findings.level(vague, 0.4) < 0.21


def test_neighbours_are_the_unbroken_run_around_a_slice() -> None:
    mask = np.ones((2, 2), np.bool_)
    masks = dict.fromkeys((2, 3, 4, 7), mask)
    assert findings.neighbours(masks, 3) == [2, 3, 4]
    assert findings.neighbours(masks, 7) == [7] and findings.neighbours(masks, 5) == []
