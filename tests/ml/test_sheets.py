"""Films, figures and viewers that show several slices in one picture: each of them is found and judged."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ml import augment, datasets, displayed, images, sheets
from ml.framing import head_box
from ml.image_types import Facts, Image
from tests.ml.pictures import brain, brain_dicom, bytes_of, encoded, saved

Picture = NDArray[np.float32]

SIDE = 200
LEGEND = "Figure 2. The same patient on T1 (A),\nT2 (B) and FLAIR (C)."


def head(seed: int, side: int = SIDE) -> PIL.Image.Image:
    """A head in the middle of a black square, each seed another one."""
    height, width = round(0.92 * side), round(0.8 * side)
    square = PIL.Image.new("L", (side, side))
    square.paste(
        PIL.Image.fromarray(bytes_of(brain(seed, height=height, width=width))),
        ((side - width) // 2, (side - height) // 2),
    )
    return square


def sheet(
    rows: int, columns: int, *, gap: int = 0, ground: int = 0, side: int = SIDE, margin: int = 0
) -> PIL.Image.Image:
    page = PIL.Image.new(
        "L",
        (columns * side + (columns - 1) * gap + 2 * margin, rows * side + (rows - 1) * gap + 2 * margin),
        ground,
    )
    for index, (row, column) in enumerate(product(range(rows), range(columns))):
        page.paste(head(index, side), (margin + column * (side + gap), margin + row * (side + gap)))
    return page


def pixels(page: PIL.Image.Image) -> Picture:
    return np.asarray(page, np.float32) / np.float32(255)


def centres(page: Picture) -> list[tuple[float, float]]:
    return [((r.start + r.stop) / 2, (c.start + c.stop) / 2) for r, c in sheets.find(page)]


def expected(
    rows: int, columns: int, *, gap: int = 0, side: int = SIDE, margin: int = 0
) -> list[list[float]]:
    return [
        [margin + row * (side + gap) + side / 2, margin + column * (side + gap) + side / 2]
        for row, column in product(range(rows), range(columns))
    ]


@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (2, 1), (1, 4), (2, 2), (3, 4)])
@pytest.mark.parametrize(("gap", "ground"), [(0, 0), (6, 0), (1, 255), (8, 255), (5, 70)])
def test_the_slices_of_a_sheet_are_found_row_by_row(rows: int, columns: int, gap: int, ground: int) -> None:
    found = centres(pixels(sheet(rows, columns, gap=gap, ground=ground)))
    assert len(found) == rows * columns
    assert np.abs(np.subtract(found, expected(rows, columns, gap=gap))).max() < 12


def test_a_mosaic_of_small_slices_is_a_sheet() -> None:
    assert len(sheets.find(pixels(sheet(6, 6, side=64)))) == 36


def test_letters_captions_and_a_legend_are_no_slices() -> None:
    page = sheet(1, 3, gap=10, ground=255, margin=30)
    figure = PIL.Image.new("L", (page.width, page.height + 90), 255)
    figure.paste(page)
    draw = PIL.ImageDraw.Draw(figure)
    for column, letter in enumerate("ABC"):
        draw.text((36 + column * (SIDE + 10), 34), letter, fill=255, font_size=20)
        draw.text((36 + column * (SIDE + 10), 34 + SIDE), f"({letter.lower()}) axial", fill=0, font_size=16)
    draw.text((30, page.height + 20), LEGEND, fill=0, font_size=18)
    found = centres(pixels(figure))
    assert np.abs(np.subtract(found, expected(1, 3, gap=10, margin=30))).max() < 20


def crossed(page: PIL.Image.Image, left: int, shade: int) -> None:
    draw = PIL.ImageDraw.Draw(page)
    draw.line((left + 10, 10, left + SIDE - 10, SIDE - 10), fill=shade, width=12)
    draw.line((left + 10, SIDE - 10, left + SIDE - 10, 10), fill=shade, width=12)


def test_a_drawing_as_large_as_a_slice_is_none() -> None:
    page = PIL.Image.new("L", (3 * SIDE, SIDE), 255)
    for index in range(2):
        page.paste(head(index), (index * SIDE, 0))
    crossed(page, 2 * SIDE, 0)
    assert np.abs(np.subtract(centres(pixels(page)), expected(1, 2))).max() < 12


def test_the_panels_and_buttons_of_a_viewer_are_no_slices() -> None:
    shown = sheet(2, 2, gap=3, ground=45)
    screen = PIL.Image.new("L", (shown.width + 100, shown.height + 60), 45)
    screen.paste(shown, (100, 60))
    draw = PIL.ImageDraw.Draw(screen)
    for index in range(7):
        draw.rectangle((10 + 50 * index, 12, 40 + 50 * index, 42), fill=150)
        draw.text((8, 70 + 45 * index), f"Series {index}", fill=220, font_size=14)
    found = centres(pixels(screen))
    assert np.abs(np.subtract(found, np.add(expected(2, 2, gap=3), (60, 100)))).max() < 12


def test_rows_of_different_lengths_are_read_as_they_lie() -> None:
    page = PIL.Image.new("L", (3 * SIDE + 12, 2 * SIDE + 6), 255)
    places = [(0, 0), (0, 206), (0, 412), (206, 100), (206, 306)]
    for index, (top, left) in enumerate(places):
        page.paste(head(index), (left, top))
    assert np.abs(np.subtract(centres(pixels(page)), np.add(places, SIDE / 2))).max() < 12


def test_a_small_slice_beside_a_large_one_is_a_slice_too_and_the_large_one_is_not_divided() -> None:
    page = PIL.Image.new("L", (3 * SIDE + 12, 2 * SIDE + 6), 255)
    page.paste(head(0, 2 * SIDE + 6), (0, 0))
    for index in (0, 1):
        page.paste(head(1 + index), (2 * SIDE + 12, index * (SIDE + 6)))
    assert len(sheets.find(pixels(page))) == 3
    read = images.read(encoded(page, "png"))
    assert {part.shape for part in read.slices} == {(read.facts.height, read.facts.width)} == {(406, 406)}
    small = read.slices[1]
    assert np.abs(np.subtract(head_box(small), np.add(head_box(pixels(head(1))), 103))).max() <= 8


def test_a_large_head_among_many_tiny_ones_does_not_fill_the_memory() -> None:
    page = PIL.Image.new("L", (12 * 100, 240 + 8 * 100))
    page.paste(head(0, 240), (0, 0))
    for row, column in product(range(8), range(12)):
        page.paste(head(row, 100), (100 * column, 240 + 100 * row))
    assert len(sheets.find(pixels(page))) > 90
    read = images.read(encoded(page, "png"))
    assert sum(part.size for part in read.slices) <= 4 * page.width * page.height


def test_heads_that_touch_are_divided_where_the_others_say() -> None:
    page = pixels(sheet(2, 3))
    page[90:110, 150:250] = 0.6
    found = centres(page)
    assert len(found) == 6 and np.abs(np.subtract(found, expected(2, 3))).max() < 25


def test_an_empty_place_of_a_film_is_no_slice_even_with_its_number() -> None:
    page = sheet(2, 3)
    page.paste(0, (2 * SIDE, SIDE, 3 * SIDE, 2 * SIDE))
    assert len(sheets.find(pixels(page))) == 5
    PIL.ImageDraw.Draw(page).text((2 * SIDE + 90, SIDE + 90), "6", fill=255, font_size=12)
    assert len(sheets.find(pixels(page))) == 5


def test_marks_between_the_slices_do_not_join_them() -> None:
    page = sheet(2, 2, gap=10, ground=255)
    draw = PIL.ImageDraw.Draw(page)
    for at in (60, 270):
        draw.rectangle((200, at, 209, at + 5), fill=0)
        draw.rectangle((at, 200, at + 5, 209), fill=0)
    assert len(sheets.find(pixels(page))) == 4


@pytest.mark.parametrize("quality", [40, 80])
def test_a_jpeg_of_a_sheet_and_a_photograph_of_one_are_still_sheets(quality: int) -> None:
    page = sheet(2, 2, gap=6)
    read = images.read(encoded(page, "jpeg", quality=quality))
    assert (len(read.slices), read.facts.frames, read.facts.sheet) == (4, 4, True)
    assert len(sheets.find(displayed.photographed(pixels(page)))) == 4


@pytest.mark.parametrize(
    "show",
    [
        np.copy,
        displayed.on_page,
        displayed.in_viewer,
        displayed.framed,
        displayed.watermarked,
        displayed.burnt_out,
    ],
)
def test_one_head_is_no_sheet_however_it_is_shown(show: Callable[[Picture], Picture]) -> None:
    for seed in range(5):
        assert sheets.find(show(pixels(head(seed)))) == []
        assert sheets.find(show(brain(seed).astype(np.float32))) == []


def test_graphs_and_a_head_with_a_logo_are_no_sheets() -> None:
    graphs = PIL.Image.new("L", (2 * SIDE, SIDE))
    logo = PIL.Image.new("L", (SIDE + 60, SIDE))
    logo.paste(head(1))
    for left in (0, SIDE):
        crossed(graphs, left, 255)
    PIL.ImageDraw.Draw(logo).ellipse((SIDE + 8, 80, SIDE + 50, 122), fill=200)
    assert sheets.find(pixels(graphs)) == sheets.find(pixels(logo)) == []


def test_a_head_in_print_a_head_and_a_colour_bar_and_two_halves_of_a_brain_are_no_sheets() -> None:
    printed = augment.on_paper(bytes_of(brain(1)), 255).astype(np.float32) / 255
    bar = np.zeros((SIDE, SIDE + 40), np.float32)
    bar[:, :SIDE] = pixels(head(2))
    bar[30:-30, SIDE + 10 : SIDE + 30] = np.linspace(1, 0.2, SIDE - 60)[:, None]
    halves = augment.brain(bytes_of(brain(3))).astype(np.float32) / 255
    halves[:, 60:68] = 0
    assert sheets.find(printed) == sheets.find(bar) == sheets.find(halves) == []


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from(["even", "noise", "stripes", "blocks"]),
    st.integers(0, 9),
)
def test_any_picture_is_searched_and_places_lie_within_it_apart(
    height: int, width: int, kind: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    made = {
        "even": np.full((height, width), rng.random()),
        "noise": rng.random((height, width)),
        "stripes": np.tile(rng.random((height, 1)).round(), (1, width)),
        "blocks": np.kron(rng.random((9, 9)).round(), np.ones((10, 10)))[:height, :width],
    }
    picture = made[kind].astype(np.float32)
    covered = np.zeros(picture.shape, int)
    for rows, columns in sheets.find(picture):
        assert 0 <= rows.start < rows.stop <= height and 0 <= columns.start < columns.stop <= width
        covered[rows, columns] += 1
    assert covered.max(initial=0) <= 1


def test_a_sheet_is_read_as_its_slices_with_what_the_file_says_of_it() -> None:
    page = sheet(2, 3)
    read = images.read(encoded(page, "png"))
    assert (read.facts.frames, read.facts.sheet, len(read.slices)) == (6, True, 6)
    assert {(read.facts.height, read.facts.width)} == {part.shape for part in read.slices}
    assert all(part.flags.c_contiguous and part.dtype == np.float32 for part in read.slices)
    stored = images.read(brain_dicom(modality="OT", pixels=np.asarray(page).astype(np.uint16)))
    assert (stored.facts.frames, stored.facts.sheet) == (6, True)


def test_a_picture_and_a_file_of_several_pages_are_read_as_they_are() -> None:
    one = images.read(saved(bytes_of(brain(1)), "png"))
    assert (one.facts.frames, one.facts.sheet) == (1, False)
    pages = [sheet(1, 2), sheet(1, 2)]
    stack = images.read(encoded(pages[0], "tiff", save_all=True, append_images=pages[1:]))
    assert (stack.facts.frames, stack.facts.sheet) == (2, False)
    volume = Image((pixels(pages[0]), pixels(pages[1])), Facts("nifti", 400, 200, 2, 8, "L"))
    assert sheets.opened(volume) is volume


@pytest.mark.data
def test_no_slice_of_the_collections_is_taken_for_a_sheet(data: Path) -> None:
    rows = datasets.records(data, ("slices", "lgg", "healthy", "nickparvar"))[::11]
    taken = [row.path for row in rows if images.read(data / row.path).facts.sheet]
    assert len(rows) > 1000 and taken == []
