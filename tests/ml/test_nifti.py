"""NIfTI volumes: the same picture however they are stored, and a reason where there is none."""

import gzip
import itertools
import json
import math
import resource
import struct
import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.images import CODES, Image, ImageError, Limits, read, read_series, sniff
from tests.ml.volumes import by_quaternion, head, nifti

HEAD = head()
RIGHT, FRONT, UP = HEAD.shape
ORIENTATIONS = [
    "".join(letters[position] for letters, position in zip(chosen, sides, strict=True))
    for chosen in itertools.permutations(("RL", "AP", "SI"))
    for sides in itertools.product((0, 1), repeat=3)
]
PLAIN = nifti(HEAD)


def refused(data: bytes, limits: Limits | None = None) -> ImageError:
    with pytest.raises(ImageError) as caught:
        read(data, limits or Limits())
    assert caught.value.code in CODES and caught.value.detail.endswith(".")
    return caught.value


def code_of(data: bytes, limits: Limits | None = None) -> str:
    return refused(data, limits).code


def same(image: Image, expected: Image, tolerance: float = 1e-6) -> bool:
    pairs = list(zip(image.slices, expected.slices, strict=True))
    return all(one.shape == other.shape and np.abs(one - other).max() <= tolerance for one, other in pairs)


def test_the_kind_is_told_from_the_content_compressed_or_not() -> None:
    for data in (PLAIN, gzip.compress(PLAIN), nifti(HEAD, kind=nibabel.Nifti2Image)):
        assert sniff(data[:4096]) == "nifti"
        assert same(read(data), read(PLAIN))


def test_slices_are_float32_in_the_unit_range_and_contiguous() -> None:
    for pixels in read(PLAIN).slices:
        assert pixels.dtype == np.float32 and pixels.flags.c_contiguous
        assert 0 <= pixels.min() <= pixels.max() <= 1


def test_axial_slices_hang_with_the_right_on_the_left_and_the_front_at_the_top() -> None:
    slices = read(PLAIN).slices
    assert len(slices) == UP and slices[0].shape == (FRONT, RIGHT)
    middle = slices[UP // 2]
    left, right = middle[FRONT // 2, : RIGHT // 2], middle[FRONT // 2, RIGHT // 2 :]
    top, bottom = middle[: FRONT // 2, RIGHT // 2], middle[FRONT // 2 :, RIGHT // 2]
    assert left.max() > right[:10].max()  # the brightest ball is on the patient's right
    assert top[10:].mean() > bottom[:-10].mean()  # the bright one in front


def test_axial_slices_go_from_the_feet_to_the_head() -> None:
    slices = read(PLAIN).slices
    middle = np.array([pixels[FRONT // 2, RIGHT // 2] for pixels in slices])
    assert middle[UP * 3 // 4] < middle[UP // 4]  # the dark ball is above


@pytest.mark.parametrize("axes", ORIENTATIONS)
def test_the_order_of_the_stored_axes_changes_nothing(axes: str) -> None:
    image, expected = read(nifti(HEAD, axes=axes)), read(PLAIN)
    assert image.facts == expected.facts
    assert same(image, expected)


@pytest.mark.parametrize("axes", ["RAS", "PSR", "ILA"])
@pytest.mark.parametrize(
    ("sizes", "plane", "edges", "count", "shape"),
    [
        ((1, 1, 4), "axial", ("R", "A"), UP, (FRONT, RIGHT)),
        ((1, 4, 1), "coronal", ("R", "S"), FRONT, (UP, RIGHT)),
        ((4, 1, 1), "sagittal", ("A", "S"), RIGHT, (UP, FRONT)),
        ((1.02, 1, 1), "axial", ("R", "A"), UP, (FRONT, RIGHT)),
    ],
)
def test_the_volume_is_cut_across_its_widest_spacing(
    axes: str, sizes: Any, plane: str, edges: Any, count: int, shape: Any
) -> None:
    image = read(nifti(HEAD, sizes=sizes, axes=axes))
    assert (image.facts.plane, image.facts.orientation) == (plane, edges)
    assert len(image.slices) == image.facts.frames == count
    assert {pixels.shape for pixels in image.slices} == {shape} == {(image.facts.height, image.facts.width)}
    assert image.facts.slice_spacing_mm == pytest.approx(max(sizes) if max(sizes) > 2 else 1)


def test_coronal_slices_go_from_front_to_back_and_sagittal_ones_from_left_to_right() -> None:
    coronal, sagittal = read(nifti(HEAD, sizes=(1, 4, 1))), read(nifti(HEAD, sizes=(4, 1, 1)))
    dark_above = coronal.slices[FRONT // 2][:, RIGHT // 2]
    assert dark_above[UP // 4] < dark_above[UP * 3 // 4]
    bright_in_front = [float(pixels[UP // 2, RIGHT // 2]) for pixels in coronal.slices]
    assert bright_in_front[FRONT // 4] > bright_in_front[FRONT * 3 // 4]
    bright_right = [float(pixels[UP // 2, FRONT // 2]) for pixels in sagittal.slices]
    assert bright_right[RIGHT * 3 // 4] > bright_right[RIGHT // 4]
    assert sagittal.slices[RIGHT // 2][UP // 2, FRONT // 4] > 0.6  # the front is on the left


def test_facts_are_plain_data_in_millimetres() -> None:
    facts = read(nifti(HEAD, sizes=(0.8, 0.9, 5.5), axes="PSR")).facts
    assert facts.spacing_mm == pytest.approx((0.9, 0.8))
    assert facts.slice_spacing_mm == pytest.approx(5.5)
    assert (facts.kind, facts.bits, facts.mode, facts.modality) == ("nifti", 16, "int16", None)
    assert json.loads(json.dumps(facts.as_dict()))["orientation"] == ["R", "A"]


@pytest.mark.parametrize(("code", "factor"), [(1, 1000), (2, 1), (3, 0.001), (0, 1)])
def test_metres_and_micrometres_become_millimetres(code: int, factor: float) -> None:
    facts = read(nifti(HEAD, sizes=(1, 1, 4), xyzt_units=code)).facts
    assert facts.slice_spacing_mm == pytest.approx(4 * factor)


def test_a_tilted_volume_is_oblique_and_keeps_the_nearest_hanging() -> None:
    turn = math.radians(42)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    facts = read(nibabel.Nifti1Image(HEAD, affine).to_bytes()).facts
    assert (facts.plane, facts.orientation) == ("oblique", ("R", "A"))


@pytest.mark.parametrize(
    "header",
    [
        {"sform_code": 0, "qform_code": 0},
        {"srow_x": 0},
        {"srow_y": np.nan},
        {"srow_z": np.inf},
        {"sform_code": 0, "qform_code": 1, "quatern_b": 3.0},
        {"srow_x": 0, "qform_code": 1, "pixdim": [1, -1, 1, 1, 0, 0, 0, 0]},
    ],
)
def test_a_volume_without_a_possible_orientation_is_read_and_says_so(header: dict[str, Any]) -> None:
    image = read(nifti(HEAD, **header))
    assert (image.facts.plane, image.facts.orientation) == (None, None)
    assert len(image.slices) == UP


@pytest.mark.parametrize("sign", [0, 2, np.nan])
def test_a_sign_of_the_third_axis_that_is_not_said_is_plus(sign: float) -> None:
    unsaid = read(by_quaternion(HEAD, pixdim=[sign, 1, 1, 5, 0, 0, 0, 0]))
    assert unsaid.facts == read(by_quaternion(HEAD)).facts and unsaid.facts.orientation == ("R", "A")
    assert same(unsaid, read(by_quaternion(HEAD)))
    turned = read(by_quaternion(HEAD, pixdim=[-1, 1, 1, 5, 0, 0, 0, 0]))
    assert np.array_equal(turned.slices[0], unsaid.slices[-1])


@pytest.mark.parametrize("row", [0, np.nan])
def test_an_impossible_matrix_does_not_hide_a_good_quaternion(row: float) -> None:
    empty = {"sform_code": 1, "srow_x": [row] * 4, "srow_y": [0] * 4, "srow_z": [0] * 4}
    assert read(by_quaternion(HEAD, **empty)).facts == read(by_quaternion(HEAD)).facts
    assert same(read(by_quaternion(HEAD, **empty)), read(by_quaternion(HEAD)))


def test_a_good_matrix_wins_over_a_quaternion() -> None:
    rows = {"srow_x": [2, 0, 0, 0], "srow_y": [0, 2, 0, 0], "srow_z": [0, 0, 5, 0]}
    assert read(by_quaternion(HEAD, sform_code=1, **rows)).facts.spacing_mm == (2, 2)


def test_spacing_that_is_none_is_not_told() -> None:
    facts = read(nifti(HEAD, sform_code=0, qform_code=0, pixdim=[1, 0, np.nan, 1, 1, 1, 1, 1])).facts
    assert (facts.spacing_mm, facts.slice_spacing_mm) == (None, 1.0)
    for far in (1e-6, 1e30):
        impossible = {"sform_code": 0, "qform_code": 0, "pixdim": [1, far, far, far, 1, 1, 1, 1]}
        facts = read(nifti(HEAD, **impossible)).facts
        assert (facts.spacing_mm, facts.slice_spacing_mm) == (None, None)


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_every_type_of_number_gives_the_same_picture(kind: str) -> None:
    scaled = (HEAD // 8).astype(kind)
    image = read(nibabel.Nifti1Image(scaled, np.eye(4), dtype=scaled.dtype).to_bytes())
    assert same(image, read(nifti(HEAD // 8)), 1e-5)
    assert image.facts.mode == scaled.dtype.name


def test_big_endian_files_are_read() -> None:
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    data = nibabel.Nifti1Image(HEAD, np.eye(4), header=header).to_bytes()
    assert data[:4] == struct.pack(">i", 348)
    assert same(read(data), read(PLAIN))


def test_scaling_changes_nothing_but_a_negative_slope_inverts() -> None:
    assert same(read(nifti(HEAD, scl_slope=7, scl_inter=-300)), read(PLAIN))
    assert same(read(nifti(HEAD, scl_slope=0, scl_inter=5)), read(PLAIN))
    negative = read(nifti(1000 - HEAD, scl_slope=-1, scl_inter=1000))
    assert same(negative, read(PLAIN), 0.01)


def test_slices_of_a_volume_share_one_scale() -> None:
    dim = HEAD.copy()
    dim[..., : UP // 2] //= 4
    image, plain = read(nifti(dim)), read(PLAIN)
    assert float(image.slices[UP // 4].max()) < 0.5 * float(plain.slices[UP // 4].max())
    assert float(image.slices[UP // 2 + 4].max()) > 0.9


def test_one_hot_voxel_does_not_darken_the_volume() -> None:
    hot = HEAD.copy()
    hot[5, 5, 5] = 32_000
    assert np.abs(read(nifti(hot)).slices[UP // 2] - read(PLAIN).slices[UP // 2]).mean() < 0.01


def test_values_that_are_not_finite_become_black_or_white() -> None:
    values = HEAD.astype(np.float32)
    values[0, 0, 0], values[0, 0, 1], values[0, 0, 2] = np.nan, np.inf, -np.inf
    slices = read(nifti(values)).slices
    assert [float(slices[level][-1, -1]) for level in range(3)] == [0, 1, 0]
    assert same(read(nifti(np.nan_to_num(values, posinf=1000, neginf=0))), read(nifti(values)), 1.0)


def test_a_volume_without_a_finite_value_is_refused() -> None:
    assert code_of(nifti(np.full_like(HEAD, np.nan, np.float32))) == "nifti_unsupported"


def test_a_constant_volume_is_accepted() -> None:
    assert {float(np.ptp(pixels)) for pixels in read(nifti(np.full_like(HEAD, 7))).slices} == {0.0}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_volume_of_one_slice_shows_that_slice(axis: int) -> None:
    image = read(nifti(HEAD.take([20], axis)))
    assert len(image.slices) == 1
    assert image.facts.plane == ("sagittal", "coronal", "axial")[axis]


def test_a_picture_with_two_axes_is_read() -> None:
    image = read(nibabel.Nifti1Image(HEAD[..., UP // 2], np.eye(4)).to_bytes())
    assert [pixels.shape for pixels in image.slices] == [(FRONT, RIGHT)]


def several(count: int, **header: Any) -> bytes:
    return nifti(np.repeat(HEAD[..., None], count, axis=3), **header)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (several(3), "3 volumes"),
        (
            several(3, xyzt_units=2 | 8, pixdim=[1, 1, 1, 1, 2.5, 1, 1, 1]),
            "time series of 3 volumes, one every 2.5 s",
        ),
        (several(3, xyzt_units=2 | 16, pixdim=[1, 1, 1, 1, 800, 1, 1, 1]), "one every 0.8 s"),
        (several(3, intent_code=1007), "3 numbers for each place"),
        (nifti(HEAD, dim=[5, RIGHT, FRONT, UP, 1, 3, 1, 1]), "3 volumes"),
    ],
)
def test_several_volumes_are_refused_with_what_they_are(data: bytes, words: str) -> None:
    error = refused(data)
    assert error.code == "nifti_4d" and words in error.detail


def test_a_fourth_axis_of_length_one_is_none() -> None:
    assert same(read(several(1)), read(PLAIN))


@pytest.mark.parametrize(
    ("code", "words"), [(128, "colours"), (2304, "colours"), (32, "complex"), (1792, "complex"), (1, "bits")]
)
def test_what_is_no_grey_value_is_refused_by_its_name(code: int, words: str) -> None:
    error = refused(nifti(HEAD, datatype=code))
    assert error.code == "nifti_unsupported" and words in error.detail


def test_the_header_of_a_pair_of_files_is_refused() -> None:
    for data in (nifti(HEAD, magic=b"ni1"), nifti(HEAD, kind=nibabel.Nifti2Image, magic=b"ni2\0\r\n\x1a\n")):
        error = refused(data)
        assert error.code == "nifti_unsupported" and "pair" in error.detail


HUGE = {"dim": [3, 30_000, 30_000, 30_000, 1, 1, 1, 1]}


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (HUGE, "image_too_large"),
        ({"dim": [3, 40, 48, 513, 1, 1, 1, 1], "pixdim": [1, 1, 1, 9, 1, 1, 1, 1]}, "image_too_large"),
        ({"dim": [3, 40, 48, 37, 1, 1, 1, 1]}, "image_truncated"),
        ({"dim": [3, 40, -48, 36, 1, 1, 1, 1]}, "nifti_unreadable"),
        ({"dim": [3, 0, 48, 36, 1, 1, 1, 1]}, "nifti_unreadable"),
        ({"dim": [0, 40, 48, 36, 1, 1, 1, 1]}, "nifti_unreadable"),
        ({"dim": [9, 40, 48, 36, 1, 1, 1, 1]}, "nifti_unreadable"),
        ({"dim": [3, 20, 48, 36, 1, 1, 1, 1]}, "image_too_small"),
        ({"datatype": 999}, "nifti_unreadable"),
        ({"vox_offset": 1e30}, "nifti_unreadable"),
        ({"vox_offset": np.nan}, "nifti_unreadable"),
        ({"vox_offset": -5}, "nifti_unreadable"),
        ({"vox_offset": 1000}, "image_truncated"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True])
def test_a_lying_header_is_refused(header: dict[str, Any], code: str, compressed: bool) -> None:
    assert code_of(nifti(HEAD, compressed=compressed, **header)) == code


@pytest.mark.parametrize("compressed", [False, True])
def test_a_volume_cut_anywhere_is_refused(compressed: bool) -> None:
    data = nifti(HEAD, compressed=compressed)
    for length in range(400, len(data), len(data) // 40):
        assert code_of(data[:length]) in ("image_truncated", "image_unsupported")
    assert code_of(data[: len(data) * 2 // 3]) == code_of(data[:-1]) == "image_truncated"


def test_a_damaged_compressed_volume_is_refused() -> None:
    data = bytearray(nifti(HEAD, compressed=True))
    data[-6] ^= 0xFF
    assert code_of(bytes(data)) == "nifti_unreadable"


def bomb(**header: Any) -> bytes:
    """Two gigabytes behind a header."""
    packed = gzip.compress(b"\0" * 2**24, 9) * 128
    return gzip.compress(nifti(HEAD, **header)[:352]) + packed


@pytest.mark.parametrize("header", [HUGE, {"vox_offset": 4e7}, {}])
def test_a_bomb_costs_neither_time_nor_memory(header: dict[str, Any]) -> None:
    data = bomb(**header)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        read(data, Limits(max_bytes=2**25))
    except ImageError as error:
        assert error.code in ("image_too_large", "nifti_unreadable")
    assert time.process_time() - start < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KiB


def test_limits_hold_for_volumes() -> None:
    assert code_of(PLAIN, Limits(max_frames=UP - 1)) == "image_too_large"
    assert code_of(PLAIN, Limits(max_pixels=HEAD.size - 1)) == "image_too_large"
    assert code_of(PLAIN, Limits(max_bytes=1000)) == "image_too_many_bytes"


@given(st.integers(0, 351), st.binary(min_size=1, max_size=8), st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_damaged_header_is_read_or_refused_and_nothing_else(place: int, noise: bytes, packed: bool) -> None:
    data = PLAIN[:place] + noise + PLAIN[place + len(noise) :]
    try:
        image = read(gzip.compress(data, 1) if packed else data)
    except ImageError as error:
        assert error.code in CODES
    else:
        assert all(np.isfinite(pixels).all() and pixels.max() <= 1 for pixels in image.slices)
        json.dumps(image.facts.as_dict(), allow_nan=False)


def test_free_text_of_the_header_goes_nowhere() -> None:
    [series] = read_series([nifti(HEAD, descrip=b"Secret^Person", db_name=b"SECRET", aux_file=b"SECRET")])
    assert "SECRET" not in repr(series.image.facts).upper()
    assert series.description is None


@pytest.mark.data
def test_the_slices_of_the_real_glioma_come_in_anatomical_order(data: Path) -> None:
    image = read(data / "volumes" / "glioma_TCGA-FG-6692_t1c.nii.gz")
    facts = image.facts
    assert (facts.frames, facts.plane, facts.orientation) == (26, "axial", ("R", "A"))
    assert facts.slice_spacing_mm == pytest.approx(5.5, abs=0.01)
    areas = [float((pixels > 0.1).mean()) for pixels in image.slices]
    assert max(areas[:13]) > 2 * areas[-1] and areas[-4:] == sorted(areas[-4:], reverse=True)


@pytest.mark.data
def test_the_real_healthy_volume_is_read_whole(data: Path) -> None:
    image = read(data / "volumes" / "healthy_sub-01_T1w.nii.gz")
    assert (image.facts.frames, image.facts.plane) == (181, "axial")
    assert image.facts.spacing_mm == pytest.approx((0.868, 0.868), abs=0.001)


@pytest.mark.data
def test_the_real_perfusion_series_is_refused_with_the_reason(data: Path) -> None:
    error = refused((data / "volumes" / "edge_4d_pcasl_52x68x20x10.nii.gz").read_bytes())
    assert error.code == "nifti_4d"
    assert "time series of 10 volumes" in error.detail
