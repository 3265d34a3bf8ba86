"""Where the head is, whatever was put around it: margins, pages, panels, frames, writing."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from ml import augment, displayed
from ml.findings import to_source
from ml.framing import head_box, is_part
from ml.preprocess import prepare, prepare_with_geometry
from tests.ml.pictures import brain

SIZE = 64
Picture = NDArray[np.float32]


def head() -> Picture:
    return brain(height=240, width=200).astype(np.float32)


def textured() -> Picture:
    """With tissue that is nowhere even."""
    grain = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 1, head().shape), 4)
    return np.asarray(head() * (1 + 0.4 * grain / grain.std()), np.float32).clip(0, 1)


def framed(picture: Picture, top: int, bottom: int, left: int, right: int) -> Picture:
    return np.pad(picture, ((top, bottom), (left, right)))


def cropped(picture: Picture) -> Picture:
    left, top, right, bottom = head_box(picture)
    return picture[top:bottom, left:right]


def alike(one: Picture, other: Picture) -> float:
    """Correlation of the two when prepared; a frame that is one pixel off costs up to 0.1."""
    return float(np.corrcoef(prepare(one, SIZE).ravel(), prepare(other, SIZE).ravel())[0, 1])


def test_writing_in_a_corner_is_not_part_of_the_head() -> None:
    wide = framed(head(), 40, 40, 60, 60)
    marked = wide.copy()
    marked[4:12, 4:30] = 1
    assert head_box(marked) == head_box(wide)


def test_noise_in_the_background_does_not_widen_the_crop() -> None:
    wide = framed(head(), 40, 40, 60, 60)
    noisy = wide + np.abs(np.random.default_rng(1).normal(0, 0.04, wide.shape)).astype(np.float32)
    assert np.abs(np.subtract(head_box(noisy), head_box(wide))).max() <= 8


def test_a_picture_without_an_object_is_used_whole() -> None:
    assert head_box(np.zeros((50, 80), np.float32)) == (0, 0, 80, 50)
    speck = np.zeros((100, 100), np.float32)
    speck[50:60, 50:60] = 1
    assert head_box(speck) == (0, 0, 100, 100)


@pytest.mark.parametrize("share", [0.5, 0.3, 0.18])
def test_a_head_that_is_small_in_its_picture_is_found(share: float) -> None:
    height, width = (round(side / share) for side in head().shape)
    far = np.zeros((height, width), np.float32)
    top, left = (height - 240) // 3, (width - 200) // 3
    far[top : top + 240, left : left + 200] = head()
    assert np.abs(np.subtract(head_box(far), np.add(head_box(head()), (left, top) * 2))).max() <= 5


def test_a_small_thing_within_a_head_that_reaches_the_edges_is_not_the_head() -> None:
    close = head()[30:-30, 26:-26]
    close[close > 0.9] = 0.5
    close[50:120, 40:110] = 0
    close[65:105, 55:95] = 1
    assert head_box(close) == (0, 0, close.shape[1], close.shape[0])


def test_a_part_of_a_head_is_told_from_a_whole_one() -> None:
    assert not is_part(cropped(textured())) and not is_part(textured()[18:-18, 20:-20])
    assert is_part(textured()[60:-60, 50:-50]) and is_part(textured()[50:150, 50:150])
    assert not is_part(np.zeros((40, 40), np.float32))


def test_what_is_outlined_in_a_part_of_a_head_is_brought_back_to_its_place() -> None:
    part = textured()[60:-60, 50:-50]
    _, geometry = prepare_with_geometry(part, SIZE)
    outlined = np.zeros((SIZE, SIZE), np.float32)
    (left, top), (right, bottom) = geometry.to_network(20, 70), geometry.to_network(50, 100)
    outlined[round(top) : round(bottom), round(left) : round(right)] = 1
    rows, columns = np.nonzero(to_source(outlined, geometry, (120, 100), 0.5))
    assert np.abs(np.subtract([columns.mean() + 0.5, rows.mean() + 0.5], [35, 85])).max() < 3


@pytest.mark.parametrize("shade", [160, 255])
def test_a_head_in_print_or_against_a_panel_is_no_part_of_one(shade: int) -> None:
    printed = augment.on_paper(np.rint(textured() * 255).astype(np.uint8), shade).astype(np.float32) / 255
    assert not is_part(cropped(printed))
    close = np.pad(textured()[18:-18, 20:-20], ((0, 0), (60, 0)), constant_values=0.3)
    assert not is_part(close)


def test_a_part_of_a_head_is_laid_into_background_as_if_the_rest_were_there() -> None:
    part = textured()[60:-60, 50:-50]
    prepared, geometry = prepare_with_geometry(part, SIZE)
    assert geometry.box == (0, 0, 100, 120) and geometry.side == 180 and geometry.pad == (40, 30)
    assert prepared[:8].max() < 0.01 and prepared[:, :8].max() < 0.01
    whole, _ = prepare_with_geometry(textured(), SIZE)
    middle = slice(SIZE // 2 - 8, SIZE // 2 + 8)
    assert abs(float(prepared[middle, middle].mean() - whole[middle, middle].mean())) < 0.15


@pytest.mark.parametrize("show", [displayed.on_page, displayed.in_viewer, displayed.framed])
def test_a_page_a_viewer_and_a_frame_are_not_part_of_the_head(show: Callable[[Picture], Picture]) -> None:
    assert alike(show(head()), head()) > 0.9


@pytest.mark.parametrize(
    ("show", "moved"),
    [(displayed.on_page, (24, 24)), (displayed.in_viewer, (60, 24)), (displayed.framed, (3, 3))],
)
def test_the_box_lies_where_the_head_is_in_the_source(
    show: Callable[[Picture], Picture], moved: tuple[int, int]
) -> None:
    assert np.abs(np.subtract(head_box(show(head())), np.add(head_box(head()), moved * 2))).max() <= 5


def is_nearly(box: tuple[int, int, int, int], picture: Picture) -> bool:
    """Whether the box is as large as the picture, but for the mixed pixels of its edges."""
    left, top, right, bottom = box
    height, width = picture.shape
    return 0.88 * height < bottom - top <= height and 0.88 * width < right - left <= width


def test_of_a_head_that_reaches_the_edges_of_its_picture_the_picture_is_taken_from_the_page() -> None:
    close = head()[40:-40, 36:-36]
    assert is_nearly(head_box(displayed.on_page(close)), close)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("shade", [1.0, 0.3])
def test_a_strip_with_a_legend_along_one_edge_is_not_part_of_the_picture(turns: int, shade: float) -> None:
    close = np.rot90(head()[40:-40, 36:-36], turns)
    with_strip = np.pad(close, ((0, 40), (0, 0)), constant_values=shade)
    with_strip[-30:-20, 10:-10:4] = 0
    assert is_nearly(head_box(np.rot90(with_strip, turns)), np.rot90(close, turns))


def test_an_uneven_light_line_along_an_edge_is_not_part_of_the_picture() -> None:
    close = head()[40:-40, 36:-36]
    lined = np.pad(close, ((0, 0), (3, 0)), constant_values=0.6)
    lined[::20, :3] = 0.4
    assert head_box(lined)[0] >= 3 and is_nearly(head_box(lined), close)


def test_panels_that_are_not_even_are_not_part_of_a_head_that_does_not_touch_them() -> None:
    panels = np.pad(head(), ((20, 20), (220, 0)), constant_values=0.4)
    panels[:, :220] = np.linspace(0.2, 0.7, panels.shape[0])[:, np.newaxis]
    assert np.abs(np.subtract(head_box(panels), np.add(head_box(head()), (220, 20) * 2))).max() <= 5


def test_a_head_in_print_is_not_taken_for_a_picture_on_a_page() -> None:
    printed = augment.on_paper(np.rint(head() * 255).astype(np.uint8), 255).astype(np.float32) / 255
    left, top, right, bottom = head_box(printed)
    assert left <= 20 and top <= 18 and right >= 180 and bottom >= 222


def test_of_several_heads_in_one_picture_the_largest_is_taken() -> None:
    small = brain(height=180, width=150).astype(np.float32)
    both = np.hstack([framed(small, 30, 30, 10, 10), framed(head(), 0, 0, 10, 10)])
    assert np.abs(np.subtract(head_box(both), np.add(head_box(head()), (180, 0) * 2))).max() <= 5


def test_a_head_that_is_cut_off_on_all_sides_stays_whole() -> None:
    close = head()[30:-30, 26:-26]
    assert head_box(close) == (0, 0, close.shape[1], close.shape[0])


def test_an_empty_page_is_used_whole() -> None:
    page = np.ones((80, 60), np.float32)
    page[10:14, 10:50] = 0
    assert head_box(page) == (0, 0, 60, 80)
