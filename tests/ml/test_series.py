"""Files that belong together become one series in anatomical order; the rest stays apart."""

import io
import json
import resource
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from ml import dicom_pixels
from ml.images import CODES, ImageError, Limits, Series, grouped, read, read_path, read_series
from tests.ml.pictures import brain_dicom, brain_png, changed, data_set, dicom_without_pixels, written
from tests.ml.test_dicom import recoded
from tests.ml.volumes import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    SERIES,
    dicom_slices,
    enhanced,
    grade_order,
    grades,
    head,
    nifti,
    zipped,
)

FILES = dicom_slices(6)


def only(sources: list[Any], limits: Limits | None = None) -> Series:
    [series] = read_series(sources, limits or Limits())
    return series


def refused(sources: list[Any], limits: Limits | None = None) -> ImageError:
    with pytest.raises(ImageError) as caught:
        read_series(sources, limits or Limits())
    assert caught.value.code in CODES
    return caught.value


def changed_syntax(data: bytes, syntax: uid.UID) -> bytes:
    file = pydicom.dcmread(io.BytesIO(data))
    file.file_meta.TransferSyntaxUID = syntax
    return written(file)


@given(st.permutations(range(6)))
@settings(max_examples=25, deadline=None)
def test_slices_come_in_anatomical_order_whatever_order_they_are_given_in(given_in: list[int]) -> None:
    series = only([FILES[index] for index in given_in])
    assert grade_order(series.image.slices) == list(range(6))
    assert [given_in[member] for member in series.members] == list(range(6))


def test_positions_win_over_instance_numbers() -> None:
    files = [changed(data, InstanceNumber=9 - number) for number, data in enumerate(FILES)]
    assert grade_order(only(files).image.slices) == list(range(6))


@pytest.mark.parametrize("missing", [range(6), [2]])
def test_instance_numbers_order_a_series_in_which_a_position_is_missing(missing: Any) -> None:
    files = [
        changed(
            data, InstanceNumber=10 - number, **({"ImagePositionPatient": None} if number in missing else {})
        )
        for number, data in enumerate(FILES)
    ]
    series = only(files)
    assert grade_order(series.image.slices) == list(range(5, -1, -1))
    assert series.image.facts.slice_spacing_mm is None


@pytest.mark.parametrize("number", [None, "", 1])
def test_without_positions_and_numbers_the_given_order_stays(number: Any) -> None:
    nowhere = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "InstanceNumber": number}
    series = only([changed(FILES[index], **nowhere) for index in (3, 0, 5)])
    assert series.members == (0, 1, 2)
    assert grade_order(series.image.slices) == [1, 0, 2]
    assert series.image.facts.plane is None


@pytest.mark.parametrize(
    ("directions", "plane", "edges"),
    [
        (AXIAL, "axial", ("R", "A")),
        (CORONAL, "coronal", ("R", "S")),
        (SAGITTAL, "sagittal", ("A", "S")),
        ((-1, 0, 0, 0, -1, 0), "axial", ("L", "P")),
        ((1, 0, 0, 0, 0.8, 0.6), "axial", ("R", "A")),
        ((1, 0, 0, 0, 0.7071, 0.7071), "oblique", ("R", "A")),
    ],
)
def test_the_plane_and_the_sides_follow_from_the_orientation(directions: Any, plane: str, edges: Any) -> None:
    facts = only(dicom_slices(4, directions=directions)[::-1]).image.facts
    assert (facts.plane, facts.orientation) == (plane, edges)
    assert facts.slice_spacing_mm == pytest.approx(4, abs=0.01)
    assert not facts.gaps
    assert json.loads(json.dumps(facts.as_dict()))["orientation"] == list(edges)


@pytest.mark.parametrize(
    "orientation", [[1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 1], [2, 0, 0, 0, 2, 0]]
)
def test_an_impossible_orientation_is_none(orientation: list[float]) -> None:
    facts = only([changed(data, ImageOrientationPatient=orientation) for data in FILES]).image.facts
    assert (facts.plane, facts.orientation, facts.frames) == (None, None, 6)


@pytest.mark.parametrize(("left_out", "gaps"), [([], False), ([2], True), ([0], False), ([2, 3], True)])
def test_missing_slices_are_noted(left_out: list[int], gaps: bool) -> None:
    facts = only([data for number, data in enumerate(FILES) if number not in left_out]).image.facts
    assert facts.gaps is gaps
    assert (facts.frames, facts.slice_spacing_mm) == (6 - len(left_out), 4)


def test_small_deviations_are_no_gaps() -> None:
    files = [
        changed(data, ImagePositionPatient=[0, 0, 4 * n + 0.1 * (n % 2)]) for n, data in enumerate(FILES)
    ]
    facts = only(files).image.facts
    assert not facts.gaps and facts.slice_spacing_mm == pytest.approx(4, abs=0.11)


def test_slices_unevenly_spaced_are_noted_though_none_is_missing() -> None:
    files = [changed(data, ImagePositionPatient=[0, 0, 4 * n + 2 * (n > 2)]) for n, data in enumerate(FILES)]
    assert only(files).image.facts.gaps


def test_one_file_tells_the_spacing_that_it_announces() -> None:
    assert only([changed(FILES[0], SpacingBetweenSlices=-6.5)]).image.facts.slice_spacing_mm == 6.5
    assert only([changed(FILES[0], SpacingBetweenSlices=0)]).image.facts.slice_spacing_mm is None


def test_series_are_told_apart_and_come_in_the_order_of_their_first_file() -> None:
    other = dicom_slices(3, series="1.2.3", SeriesDescription="t2 sagittal", directions=SAGITTAL)
    png, volume = brain_png(), nifti(head())
    found = read_series([other[2], png, FILES[1], volume, FILES[0], other[0], other[1]])
    assert [series.members for series in found] == [(5, 6, 0), (1,), (4, 2), (3,)]
    assert [series.description for series in found] == ["t2 sagittal", None, "t1 axial", None]
    assert [series.image.facts.kind for series in found] == ["dicom", "png", "dicom", "nifti"]


@pytest.mark.parametrize("pair", [(AXIAL, SAGITTAL), (AXIAL, CORONAL), ((0,) * 6, AXIAL)])
def test_a_series_that_mixes_localisers_is_split_by_orientation_and_size(pair: Any) -> None:
    planes = [dicom_slices(2, directions=sides, SOPInstanceUID=f"1.{i}") for i, sides in enumerate(pair)]
    small = dicom_slices(2, volume=grades(2)[:, :32, :34], step=9)
    found = read_series([planes[0][0], planes[1][0], small[0], planes[0][1], planes[1][1], small[1]])
    assert [series.members for series in found] == [(0, 3), (1, 4), (2, 5)]


def test_slices_of_one_size_and_other_pixel_spacings_are_series_of_their_own() -> None:
    fine = [changed(data, PixelSpacing=[0.25, 0.375]) for data in FILES[3:]]
    found = read_series([*FILES[:3], *fine])
    assert [series.image.facts.spacing_mm for series in found] == [(0.5, 0.75), (0.25, 0.375)]
    written_otherwise = [changed(data, PixelSpacing=[0.5001, 0.75]) for data in FILES[3:]]
    assert len(only([*FILES[:3], *written_otherwise]).members) == 6


def test_files_without_a_series_are_series_of_their_own() -> None:
    files = [changed(data, SeriesInstanceUID=None) for data in FILES[:3]]
    assert [series.members for series in read_series(files)] == [(0,), (1,), (2,)]


def test_copies_are_dropped_however_they_are_compressed() -> None:
    series = only([FILES[2], FILES[0], FILES[2], recoded(FILES[0], uid.JPEGLosslessSV1)])
    assert series.members == (1, 0)


def test_files_that_share_an_identifier_by_mistake_are_no_copies() -> None:
    same = [changed(data, SOPInstanceUID="1.2.3") for data in FILES]
    assert len(only(same).members) == 6
    nowhere = [changed(data, SOPInstanceUID="1.2.3", ImagePositionPatient=None) for data in FILES]
    assert len(only([*nowhere, nowhere[0]]).members) == 6


def test_slices_of_a_series_share_one_scale() -> None:
    volume = np.stack([grades(1)[0], grades(1)[0] * 4])
    dim, bright = only(dicom_slices(volume=volume)).image.slices
    assert dim.max() < 0.3 and bright.max() > 0.9


def test_the_windows_of_the_files_are_used_where_all_have_one() -> None:
    windowed = only([changed(data, WindowCenter=500, WindowWidth=1000) for data in FILES])
    alone = [read(changed(data, WindowCenter=500, WindowWidth=1000)).slices[0] for data in FILES]
    assert all(np.array_equal(*pair) for pair in zip(windowed.image.slices, alone, strict=True))
    mixed = only([changed(FILES[0], WindowCenter=500, WindowWidth=1000), *FILES[1:]])
    assert all(np.allclose(*pair) for pair in zip(mixed.image.slices, only(FILES).image.slices, strict=True))


def test_one_file_gives_in_a_series_what_it_gives_alone() -> None:
    for data in (brain_dicom(), brain_png(), nifti(head()), enhanced([(0, 0, 3.0), (0, 0, 0.0)])):
        [series], image = read_series([data]), read(data)
        assert series.image.facts == image.facts
        assert all(np.array_equal(*pair) for pair in zip(series.image.slices, image.slices, strict=True))


def test_bytes_paths_and_open_files_may_be_mixed(tmp_path: Path) -> None:
    path = tmp_path / "slice"
    path.write_bytes(FILES[0])
    assert only([io.BytesIO(FILES[1]), path, FILES[2]]).members == (1, 0, 2)


def test_files_are_grouped_by_their_headers_so_that_each_group_can_be_read_alone(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(dicom_slices(1, series="1.2.3")[0])
    sources = [FILES[0], brain_png(), other, FILES[1][:-80], b"text", FILES[2][:300], nifti(head()), FILES[3]]
    assert grouped(sources) == [[0, 3, 7], [1], [2], [4], [5], [6]]
    deflated = [changed_syntax(data, uid.DeflatedExplicitVRLittleEndian) for data in FILES[:2]]
    assert grouped(deflated) == [[0, 1]]


def test_grouping_never_inflates_more_than_the_limits_allow() -> None:
    meta = written(data_set("MR", uid.DeflatedExplicitVRLittleEndian))
    start = 144 + int.from_bytes(meta[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = meta[:start] + packer.compress(b"\0" * 2**28) + packer.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert grouped([bomb, bomb], Limits(max_bytes=2**20, max_pixels=2**20)) == [[0], [1]]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_no_sources_are_no_series() -> None:
    assert read_series([]) == []


COMPRESSED = [recoded(data, uid.JPEGLosslessSV1) for data in FILES]


def test_a_compressed_series_is_decoded_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    runs, run = [], dicom_pixels.subprocess.run
    monkeypatch.setattr(dicom_pixels.subprocess, "run", lambda *a, **k: runs.append(a) or run(*a, **k))
    image = only([*COMPRESSED[3:], FILES[2], *COMPRESSED[:2]]).image
    assert len(runs) == 1
    assert all(np.array_equal(*pair) for pair in zip(image.slices, only(FILES).image.slices, strict=True))


def test_a_damaged_compressed_file_is_named() -> None:
    file = pydicom.dcmread(io.BytesIO(COMPRESSED[4]))
    file.Rows = 39
    error = refused([*COMPRESSED[:4], written(file), COMPRESSED[5]])
    assert (error.code, error.member) == ("dicom_unreadable", 4)
    error = refused([*COMPRESSED[:4], COMPRESSED[4][:-300], COMPRESSED[5]])
    assert (error.code, error.member) == ("image_truncated", 4)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"", "image_empty"),
        (b"some text", "image_unsupported"),
        (FILES[2][:-50], "image_truncated"),
        (brain_dicom(modality="CT"), "dicom_wrong_modality"),
        (dicom_without_pixels(), "dicom_without_pixels"),
        (zipped({"a.png": brain_png()}), "image_unsupported"),
        (nifti(head(), dim=[4, 40, 48, 6, 6, 1, 1, 1]), "nifti_4d"),
    ],
)
def test_a_file_that_cannot_be_read_refuses_all_and_is_named_by_its_place(bad: bytes, code: str) -> None:
    error = refused([FILES[0], FILES[1], bad, FILES[3]])
    assert (error.code, error.member) == (code, 2)
    assert error.detail.startswith("File 3 of 4: ") and error.detail.endswith(".")
    alone = refused([bad])
    assert (alone.member, alone.detail) == (0, error.detail.removeprefix("File 3 of 4: "))


def test_limits_hold_for_all_files_together() -> None:
    pixels = 6 * 40 * 36
    assert only(FILES, Limits(max_pixels=pixels))
    assert refused(FILES, Limits(max_pixels=pixels - 1)).code == "image_too_large"
    assert refused([*FILES, brain_png()], Limits(max_pixels=pixels + 100)).code == "image_too_large"
    assert refused(FILES, Limits(max_total_bytes=3 * len(FILES[0]))).code == "too_many_bytes"
    assert refused(FILES, Limits(max_files=5)).code == "too_many_files"
    assert refused(FILES, Limits(max_frames=5)).code == "image_too_large"


def test_headers_are_checked_before_any_pixel_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a picture was decoded")

    monkeypatch.setattr("ml.dicom_series.stored_values", never)
    assert refused(FILES, Limits(max_pixels=6 * 40 * 36 - 1)).member == 5


def test_frames_of_an_enhanced_image_are_ordered_by_their_positions() -> None:
    image = read(enhanced([(0, 0, z) for z in (9.0, 0.0, 6.0, 3.0)]))
    assert grade_order(image.slices) == [1, 3, 2, 0]
    facts = image.facts
    assert (facts.plane, facts.orientation, facts.gaps) == ("axial", ("R", "A"), False)
    assert (facts.spacing_mm, facts.slice_spacing_mm) == ((0.9, 0.8), 3.0)


def test_frames_at_one_place_stay_in_their_order() -> None:
    image = read(enhanced([(0, 0, 3.0), (0, 0, 0.0), (0, 0, 3.0), (0, 0, 0.0)]))
    assert grade_order(image.slices) == [1, 3, 0, 2]
    assert (image.facts.slice_spacing_mm, image.facts.gaps) == (3.0, False)


def test_an_enhanced_image_of_several_planes_keeps_its_order_and_names_none() -> None:
    image = read(enhanced([(0, 0, 3.0), (0, 0, 0.0), (9.0, 0, 0)], [AXIAL, AXIAL, SAGITTAL]))
    assert grade_order(image.slices) == [0, 1, 2]
    assert (image.facts.plane, image.facts.orientation, image.facts.slice_spacing_mm) == (None, None, None)


def test_enhanced_images_of_one_series_stay_apart() -> None:
    files = [enhanced([(0, 0, 0.0), (0, 0, z)], SeriesInstanceUID=SERIES) for z in (3.0, 6.0)]
    assert [series.members for series in read_series(files)] == [(0,), (1,)]


def test_nothing_of_the_patient_is_in_a_series() -> None:
    told = repr([(series.image.facts, series.description) for series in read_series(FILES)])
    assert "SECRET" not in told.upper()


@given(st.lists(st.tuples(st.integers(132, 700), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_a_series_with_a_damaged_file_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(FILES[3])
    for place, value in changes:
        data[place] = value
    try:
        found = read_series([*FILES[:3], bytes(data), *FILES[4:]])
    except ImageError as error:
        assert error.code in CODES
    else:
        assert 5 <= sum(len(series.members) for series in found) <= 6


@pytest.mark.data
def test_every_real_dicom_file_is_read(data: Path) -> None:
    found = list(read_path(data / "dicom"))
    files = sorted((data / "dicom").iterdir())
    for path in files:
        assert [one.image.facts.kind for one in read_path(path)] == ["dicom"]
    names = [[files[member].name for member in series.members] for series in found]
    assert [f"MR4_{syntax}.dcm" for syntax in ("J2KR", "J2KI", "JPLL", "JPLY", "JLSL", "JLSN")] in names
    assert {name for group in names for name in group} >= {"MR4_RLE.dcm", "emri_small.dcm"}


@pytest.mark.data
def test_the_real_slices_say_how_they_lie(data: Path) -> None:
    tilted = read(data / "dicom" / "MR4_J2KR.dcm").facts
    assert (tilted.plane, tilted.orientation, tilted.slice_spacing_mm) == ("axial", ("R", "A"), 7.5)
    assert read(data / "dicom" / "VS-SEG-001_slice60_implicitLE.dcm").facts.plane == "axial"
    enhanced_file = read(data / "dicom" / "emri_small.dcm").facts
    assert (enhanced_file.frames, enhanced_file.slice_spacing_mm) == (10, 1.2)


def with_element(data: bytes, keyword: str, representation: str, value: bytes) -> bytes:
    """A DICOM file with ``value`` as it stands for one of its elements."""
    file = pydicom.dcmread(io.BytesIO(data))
    tag = Tag(keyword)
    file[tag] = RawDataElement(tag, representation, len(value), value, 0, False, True)
    return written(file)


@pytest.mark.parametrize(
    ("keyword", "representation", "value"),
    [
        ("InstanceNumber", "IS", b"1e400 "),
        ("EchoTime", "FD", b"abc "),
        ("ImageType", "SQ", b"abcd"),
        ("IssuerOfPatientID", "SQ", b"abcd"),
    ],
)
def test_a_value_that_cannot_be_read_is_the_fault_of_its_file(
    keyword: str, representation: str, value: bytes
) -> None:
    damaged = with_element(FILES[1], keyword, representation, value)
    if keyword == "IssuerOfPatientID":
        damaged = with_element(damaged, "PatientID", "LO", b"MRN ")
    error = refused([FILES[0], damaged, FILES[2]])
    assert (error.code, error.member) == ("dicom_unreadable", 1)


def test_no_value_is_quoted_in_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    for keyword, representation, value in (
        ("InstanceNumber", "IS", b"SECRET"),
        ("EchoTime", "DS", b"SECRET"),
        ("ImageType", "CS", b"Secret" * 4),
        ("PatientID", "LO", b"SECRET" * 20),
    ):
        read_series([with_element(FILES[0], keyword, representation, value)])
    assert not recwarn.list
