"""Experts' outlines as masks, and the agreement of two masks."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import datasets, outlines
from ml.datasets import DataError, Row


def picture(path: Path, height: int = 40, width: int = 50) -> None:
    PIL.Image.fromarray(np.zeros((height, width), np.uint8)).save(path)


def row(label: str = "glioma", **fields: str) -> Row:
    return Row("a.png", label, "figshare", "P:1", "dev", 0, **fields)


def corners(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float64)


def masks(height: int = 6, width: int = 5) -> st.SearchStrategy[np.ndarray]:
    values = st.lists(st.booleans(), min_size=height * width, max_size=height * width)
    return values.map(lambda bits: np.array(bits).reshape(height, width))


def test_a_rectangle_is_filled_to_the_pixel() -> None:
    mask = outlines.polygon(corners((0.2, 0.1), (0.6, 0.1), (0.6, 0.5), (0.2, 0.5)), (20, 10))
    expected = np.zeros((20, 10), bool)
    expected[2:10, 2:6] = True
    assert np.array_equal(mask, expected)


def test_a_pixel_belongs_to_the_outline_when_its_centre_does() -> None:
    mask = outlines.polygon(corners((0, 0), (1, 0), (0, 1)), (4, 4))
    assert mask.tolist() == [[c + r < 3 for c in range(4)] for r in range(4)]


def test_a_hollow_outline_leaves_its_bay_empty() -> None:
    bay = corners((0, 0), (1, 0), (1, 1), (0.6, 1), (0.6, 0.4), (0.4, 0.4), (0.4, 1), (0, 1))
    mask = outlines.polygon(bay, (10, 10))
    assert mask[:4].all() and not mask[4:, 4:6].any() and mask[4:, :4].all() and mask[4:, 6:].all()


def test_a_disc_has_the_area_of_a_disc() -> None:
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    disc = np.stack([0.5 + 0.3 * np.cos(angles), 0.5 + 0.3 * np.sin(angles)], axis=1)
    assert outlines.polygon(disc, (320, 320)).sum() == pytest.approx(np.pi * 96**2, rel=0.002)


def test_an_outline_at_the_edge_stays_inside_the_picture() -> None:
    mask = outlines.polygon(corners((-0.2, -0.1), (1.1, -0.1), (1.1, 1.2), (-0.2, 1.2)), (7, 9))
    assert mask.shape == (7, 9) and mask.all()


def test_the_first_point_does_not_matter() -> None:
    points = np.random.default_rng(0).random((9, 2))
    turned = outlines.polygon(np.roll(points, 4, axis=0), (64, 48))
    assert np.array_equal(outlines.polygon(points, (64, 48)), turned)


def test_the_border_of_a_table_is_laid_on_its_picture(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    found = outlines.outline(tmp_path, row(border="0.1,0.1 0.5,0.1 0.5,0.5 0.1,0.5"))
    assert found is not None and found.shape == (40, 50)
    assert outlines.box(found) == (5, 4, 25, 20)


def test_a_mask_image_is_taken_as_it_is(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    expected = np.zeros((40, 50), bool)
    expected[3:9, 30:44] = True
    PIL.Image.fromarray(expected).save(tmp_path / "m.png")
    found = outlines.outline(tmp_path, row(mask="m.png"))
    assert found is not None and np.array_equal(found, expected)


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "m.png", 50, 40)
    with pytest.raises(DataError, match="another size"):
        outlines.outline(tmp_path, row(mask="m.png"))


@pytest.mark.parametrize("border", ["0.1,0.1 0.2,0.2", "0.1,0.1,0.1 0.2,0.2,0.1 0.3,0.3,0.1"])
def test_a_border_that_encloses_nothing_is_refused(tmp_path: Path, border: str) -> None:
    picture(tmp_path / "a.png")
    with pytest.raises(DataError, match="outline"):
        outlines.outline(tmp_path, row(border=border))


def test_a_healthy_slice_has_an_empty_mask_and_an_undrawn_tumour_none(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    healthy = outlines.outline(tmp_path, row("notumor"))
    assert healthy is not None and healthy.shape == (40, 50) and not healthy.any()
    assert outlines.outline(tmp_path, row("meningioma")) is None


def test_dice_and_overlap_of_boxes_are_those_worked_out_by_hand() -> None:
    truth, found = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    truth[0:4, 0:4] = True
    found[2:4, 0:8] = True
    assert outlines.dice(truth, found) == 2 * 8 / 32
    assert outlines.box_overlap(truth, found) == 8 / 24


def test_an_empty_mask_agrees_with_an_empty_one_alone() -> None:
    nothing, something = np.zeros((3, 3), bool), np.eye(3, dtype=bool)
    assert outlines.dice(nothing, nothing) == outlines.box_overlap(nothing, nothing) == 1
    assert outlines.dice(something, nothing) == outlines.box_overlap(nothing, something) == 0
    assert outlines.box(nothing) is None


@given(masks(), masks())
def test_agreement_is_symmetric_between_nothing_and_one_and_survives_a_mirror(
    first: np.ndarray, second: np.ndarray
) -> None:
    for measure in (outlines.dice, outlines.box_overlap):
        assert 0 <= measure(first, second) == measure(second, first) <= 1
        assert measure(first[:, ::-1], second[:, ::-1]) == measure(first, second)
        assert measure(first, first) == 1


@pytest.mark.data
def test_every_outline_of_the_tables_encloses_a_tumour_and_no_healthy_slice_has_one(data: Path) -> None:
    rows = datasets.records(data, ("slices", "lgg", "healthy"))[::40]
    for one in rows:
        mask = outlines.outline(data, one)
        drawn = one.source == "figshare" or one.source.startswith("lgg")
        if one.label == "notumor":
            assert mask is not None and not mask.any()
        else:
            assert (mask is not None) == drawn and (mask is None or mask.sum() >= 20)
