"""A series that shows each position several times is as many series; a stored scan stays one."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.images import ImageError, read_one, read_series
from tests.ml.pictures import brain_png, changed
from tests.ml.test_series import FILES, only
from tests.ml.volumes import FAT, SAGITTAL, dicom_slices, grade_order, interleaved, two_passes


@given(st.permutations(range(8)))
@settings(max_examples=10, deadline=None)
def test_images_at_the_same_positions_are_series_of_their_own_in_whatever_order_they_come(
    given_in: list[int],
) -> None:
    files = interleaved(*two_passes())
    found = read_series([files[index] for index in given_in])
    members = [[given_in[member] for member in series.members] for series in found]
    assert sorted(members) == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert all(grade_order(series.image.slices) == list(range(4)) for series in found)
    assert [series.image.facts.slice_spacing_mm for series in found] == [4, 4]
    assert [series.image.facts.frames for series in found] == [4, 4]


@pytest.mark.parametrize(
    "second", [{"ImageType": FAT}, {"EchoTime": 4.6}, {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}]
)
def test_kinds_of_image_are_told_apart_though_their_numbers_are_the_same_or_alternate(second: Any) -> None:
    first, _ = two_passes()
    same = [changed(data, InstanceNumber=n + 1) for n, data in enumerate(two_passes(**second)[1])]
    found = read_series([*first, *same])
    assert {series.members for series in found} == {(0, 1, 2, 3), (4, 5, 6, 7)}
    mixed = interleaved(first, same)
    odd = [changed(data, InstanceNumber=n // 2 * 2 + (n % 2 ^ n // 2 % 2)) for n, data in enumerate(mixed)]
    assert {series.members for series in read_series(odd)} == {(0, 2, 4, 6), (1, 3, 5, 7)}


def test_a_kind_that_only_some_positions_have_does_not_order_the_images() -> None:
    first, second = two_passes()
    first[0], second[1] = changed(first[0], EchoTime=9), changed(second[1], EchoTime=9)
    assert {one.members for one in read_series([*first, *second])} == {(0, 1, 2, 3), (4, 5, 6, 7)}


def test_three_passes_are_three_series() -> None:
    first, second = two_passes()
    third = [
        changed(data, SOPInstanceUID=f"1.2.8.{n}", InstanceNumber=90 + n) for n, data in enumerate(first)
    ]
    assert [len(series.members) for series in read_series([*first, *second, *third])] == [4, 4, 4]


def test_images_at_the_same_positions_stay_together_where_some_are_missing_or_nothing_orders_them() -> None:
    first, second = two_passes()
    assert len(only([*first, *second[1:]]).members) == 7
    nameless = [changed(data, InstanceNumber=n + 1) for n, data in enumerate(second)]
    assert len(only([*first, *nameless]).members) == 8
    nowhere = [changed(data, ImagePositionPatient=None) for data in (*first, *second)]
    assert len(only(nowhere).members) == 8


def test_files_that_all_name_one_position_stay_together() -> None:
    assert len(only([changed(data, ImagePositionPatient=[0, 0, 0]) for data in FILES]).members) == 6


def test_what_was_one_scan_is_read_as_one_however_many_series_it_would_be_now() -> None:
    files = [*interleaved(*two_passes()), *dicom_slices(2, directions=SAGITTAL, SOPInstanceUID="1.7")]
    assert len(read_series(files)) == 3
    assert sorted(read_one(files).members) == list(range(10))
    assert read_one(FILES).members == only(FILES).members
    assert read_one([brain_png()]).image.facts.kind == "png"
    with pytest.raises(ImageError, match=r"^File 2 of 2: ") as caught:
        read_one([FILES[0], FILES[1][:-50]])
    assert (caught.value.code, caught.value.member) == ("image_truncated", 1)


def test_images_without_identifiers_and_numbers_of_their_own_are_told_by_their_echo() -> None:
    first, second = two_passes(EchoTime=90.0)
    nameless = [changed(data, SOPInstanceUID="1.2.3", InstanceNumber=None) for data in first + second]
    assert [len(series.members) for series in read_series(nameless)] == [4, 4]
