"""One shape, one framing and one range for the network, and the way back to the source picture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from ml.images import read
from ml.preprocess import Geometry, prepare, prepare_with_geometry
from tests.ml.pictures import brain

SIZE = 64


def head(**options: Any) -> NDArray[np.float32]:
    return brain(**options).astype(np.float32)


def framed(picture: NDArray[np.float32], top: int, bottom: int, left: int, right: int) -> NDArray[np.float32]:
    return np.pad(picture, ((top, bottom), (left, right)))


def alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Correlation of two prepared pictures; a frame that is one pixel off costs up to 0.1."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.abs(one - other).mean())


@pytest.mark.parametrize("size", [1, 32, 64, 224])
def test_the_result_has_the_shape_and_type_of_the_network(size: int) -> None:
    prepared = prepare(head(), size)
    assert prepared.shape == (size, size, 1)
    assert prepared.dtype == np.float32


def test_the_same_picture_gives_the_same_values() -> None:
    assert np.array_equal(prepare(head(), SIZE), prepare(head(), SIZE))


def test_the_picture_given_is_left_as_it_is() -> None:
    picture = head()
    before = picture.copy()
    prepare(picture, SIZE)
    assert np.array_equal(picture, before)


@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.int16, np.uint16, np.int64, np.float16, np.float32, np.float64]),
        st.tuples(st.integers(0, 40), st.integers(0, 40)),
    ),
    st.integers(1, 48),
)
@settings(max_examples=120, deadline=None)
def test_any_picture_whatever_gives_finite_values_in_the_unit_range(pixels: NDArray[Any], size: int) -> None:
    prepared, geometry = prepare_with_geometry(pixels, size)
    assert prepared.shape == (size, size, 1)
    assert prepared.dtype == np.float32
    assert np.isfinite(prepared).all()
    assert 0 <= prepared.min() <= prepared.max() <= 1
    height, width = max(1, pixels.shape[0]), max(1, pixels.shape[1])
    assert 0 <= geometry.box[0] < geometry.box[2] <= width
    assert 0 <= geometry.box[1] < geometry.box[3] <= height


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_do_not_spread(bad: float) -> None:
    picture = head()
    picture[100, 60] = bad
    assert distance(prepare(picture, SIZE), prepare(head(), SIZE)) < 0.02


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, -7.0, np.nan])
def test_a_constant_picture_is_black(value: float) -> None:
    assert not prepare(np.full((50, 70), value, np.float32), SIZE).any()


def test_only_a_picture_with_two_axes_is_accepted() -> None:
    with pytest.raises(ValueError, match="height, width"):
        prepare(np.zeros((3, 40, 40), np.float32), SIZE)


def test_the_margin_around_the_head_tells_the_network_nothing() -> None:
    wide = framed(head(), 60, 10, 90, 30)
    assert alike(prepare(wide, SIZE), prepare(head(), SIZE)) > 0.85
    assert alike(prepare(wide, SIZE), prepare(framed(head(), 0, 200, 0, 0), SIZE)) > 0.85


def test_brightness_and_contrast_tell_the_network_nothing() -> None:
    plain = prepare(head(), SIZE)
    for scale, offset in ((0.3, 0.0), (0.5, 0.4), (4000.0, -500.0)):
        assert distance(prepare(head() * np.float32(scale) + np.float32(offset), SIZE), plain) < 0.02


def test_the_resolution_of_the_source_tells_the_network_nothing() -> None:
    coarse, fine = (brain(height=h, width=w) for h, w in ((160, 128), (640, 512)))
    rough, smooth = (prepare(picture.astype(np.float32), SIZE) for picture in (coarse, fine))
    assert distance(rough, smooth) < 0.05


def test_one_hot_pixel_does_not_darken_the_head() -> None:
    picture = head()
    picture[80, 70] = 50
    assert distance(prepare(picture, SIZE), prepare(head(), SIZE)) < 0.05


def test_a_head_is_never_squashed() -> None:
    rows, columns = np.mgrid[0:300, 0:200]
    disc = (((rows - 150) ** 2 + (columns - 100) ** 2) < 90**2).astype(np.float32)
    prepared = prepare(disc, 128)[..., 0] > 0.5
    height, width = prepared.any(axis=1).sum(), prepared.any(axis=0).sum()
    assert abs(int(height) - int(width)) <= 2


def test_a_tumour_found_by_the_network_lies_where_it_is_in_the_source() -> None:
    wide = framed(np.zeros((160, 128), np.float32) + 0.3, 30, 70, 50, 20)
    wide[90:110, 80:104] = 1
    prepared, geometry = prepare_with_geometry(wide, 224)
    rows, columns = np.nonzero(prepared[..., 0] > 0.7)
    left, top = geometry.to_source(columns.min(), rows.min())
    right, bottom = geometry.to_source(columns.max() + 1, rows.max() + 1)
    assert np.allclose((left, top, right, bottom), (80, 90, 104, 110), atol=1.5)


def test_the_corners_of_the_square_enclose_the_crop() -> None:
    _, geometry = prepare_with_geometry(framed(head(), 10, 50, 90, 20), SIZE)
    left, top = geometry.to_source(0, 0)
    right, bottom = geometry.to_source(SIZE, SIZE)
    assert (right - left) == pytest.approx(geometry.side)
    assert (bottom - top) == pytest.approx(geometry.side)
    assert left <= geometry.box[0] <= geometry.box[2] <= right
    assert top <= geometry.box[1] <= geometry.box[3] <= bottom


@given(
    st.integers(0, 500),
    st.integers(0, 500),
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.integers(1, 512),
    st.integers(0, 500),
    st.floats(-10, 600),
    st.floats(-10, 600),
)
def test_a_point_goes_to_the_source_and_back(
    left: int, top: int, width: int, height: int, size: int, around: int, x: float, y: float
) -> None:
    side = max(width, height) + around
    pad = ((side - width) // 2, (side - height) // 2)
    geometry = Geometry((left, top, left + width, top + height), pad, side, size)
    assert geometry.to_network(*geometry.to_source(x, y)) == pytest.approx((x, y), abs=1e-6)


@pytest.mark.data
def test_a_real_head_fills_the_square_in_every_source(data: Path) -> None:
    folders = ("slices/glioma", "slices/notumor", "healthy", "nickparvar/Testing/pituitary")
    for folder in folders:
        for path in sorted((data / folder).glob("*.jpg"))[:40]:
            prepared = prepare(read(path).slices[0], 96)[..., 0]
            bright = prepared > 0.15
            assert max(np.ptp(np.nonzero(bright.any(axis=axis))[0]) for axis in (0, 1)) > 75, path
            assert 0.05 < prepared.mean() < 0.8, path
