"""What identifies a patient leaves a DICOM file; the picture and where it lies stay."""

import io
from itertools import pairwise
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset

from ml import identity
from ml.images import DEFAULT_LIMITS as LIMITS
from ml.images import ImageError, grouped, read, without_identity
from tests.ml.pictures import brain, brain_dicom, data_set, describe_pixels, written
from tests.ml.test_dicom import compressed
from tests.ml.volumes import dicom_slices, enhanced, item

KEY = b"of this installation"
NAME = "GARCIA"
TEXTS = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
KEPT = {
    keyword
    for keywords in (identity.PIXELS, identity.DISPLAY, identity.GEOMETRY, identity.ACQUISITION)
    for keyword in keywords.split()
}


def nameless(data: bytes, key: bytes = KEY) -> bytes:
    return without_identity(data, key)


def header(data: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(data))


def named_everywhere() -> bytes:
    """An image that names its patient in every text that the standard knows, and in some that it does not."""
    file = data_set("MR", uid.ExplicitVRLittleEndian)
    stored = np.rint(brain(0) * 1200).astype(np.uint16)
    describe_pixels(file, stored)
    file.PixelData = stored.tobytes()
    for tag, (representation, _many, _name, _retired, keyword) in DicomDictionary.items():
        if representation in TEXTS and tag >> 16 > 2 and keyword not in KEPT:
            file.add_new(tag, representation, NAME)
    file.add_new(0x60004000, "LT", NAME)
    file.private_block(0x0029, NAME, create=True).add_new(1, "LO", NAME)
    hidden = item(PatientName=NAME, OtherPatientIDsSequence=[item(PatientID=NAME)], PixelSpacing=[0.5, 0.5])
    file.SharedFunctionalGroupsSequence = [item(PixelMeasuresSequence=[hidden], PatientComments=NAME)]
    file.ReferencedImageSequence = [item(ReferencedSOPInstanceUID="1.2.3", PatientName=NAME)]
    file.preamble = NAME.encode().ljust(128, b"\0")
    return written(file)


def test_no_text_of_the_standard_carries_a_name_through() -> None:
    data = named_everywhere()
    assert data.count(NAME.encode()) > 1000
    assert NAME.encode() not in nameless(data)


def test_what_stands_before_the_data_set_goes() -> None:
    file = header(brain_dicom())
    file.file_meta.SourceApplicationEntityTitle = NAME
    file.file_meta.PrivateInformationCreatorUID = "1.2.3"
    file.file_meta.PrivateInformation = NAME.encode()
    assert written(file).count(NAME.encode()) == 2
    assert NAME.encode() not in nameless(written(file))


def test_dates_numbers_and_ages_of_the_patient_go() -> None:
    data = brain_dicom(
        PatientBirthDate="19600102",
        StudyDate="20260131",
        StudyTime="091500",
        PatientAge="066Y",
        PatientWeight=71,
    )
    kept = header(nameless(data))
    assert (kept.PatientBirthDate, kept.StudyDate, kept.StudyTime, str(kept.PatientName)) == ("", "", "", "")
    assert "PatientAge" not in kept and "PatientWeight" not in kept


@pytest.mark.parametrize(
    "syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian]
)
def test_the_picture_reads_as_before(syntax: uid.UID) -> None:
    data = brain_dicom(syntax=syntax, RescaleSlope=2, RescaleIntercept=-5, WindowCenter=600, WindowWidth=900)
    before, after = read(data), read(nameless(data))
    assert np.array_equal(before.slices[0], after.slices[0])
    assert after.facts.spacing_mm == before.facts.spacing_mm
    assert (before.facts.sequence, after.facts.sequence) == ("t1 axial", None)


def test_a_file_without_preamble_and_one_of_compressed_frames_read_as_before() -> None:
    for data in (brain_dicom(preamble=False), compressed(uid.JPEG2000Lossless)):
        assert np.array_equal(read(data).slices[0], read(nameless(data)).slices[0])


def test_samples_in_the_upper_bits_of_their_cells_stay_there_and_read_as_before() -> None:
    stored = np.rint(brain(0) * 1200).astype(np.uint16)
    left = brain_dicom(pixels=stored << 4, BitsStored=12, HighBit=15)
    kept = header(nameless(left))
    assert (kept.BitsStored, kept.HighBit, kept.PixelData) == (12, 15, header(left).PixelData)
    assert np.array_equal(read(nameless(left)).slices[0], read(brain_dicom(pixels=stored)).slices[0])


def test_frames_of_an_enhanced_image_keep_their_places() -> None:
    data = enhanced([(0, 0, z) for z in (9.0, 0.0, 6.0, 3.0)])
    before, after = read(data), read(nameless(data))
    assert after.facts.slice_spacing_mm == before.facts.slice_spacing_mm == 3.0
    assert all(np.array_equal(*both) for both in zip(before.slices, after.slices, strict=True))


def test_a_series_stays_a_series_under_another_number() -> None:
    slices = dicom_slices(4)
    after = [nameless(data) for data in slices]
    assert grouped(after) == [[0, 1, 2, 3]]
    series = {header(data).SeriesInstanceUID for data in after}
    assert len(series) == 1
    assert series.isdisjoint(header(data).SeriesInstanceUID for data in slices)
    assert all(first != second for first, second in pairwise(header(data).SOPInstanceUID for data in after))
    assert all(uid.UID(number).is_valid for number in series)


def test_the_old_numbers_are_nowhere_in_the_file() -> None:
    data = dicom_slices(1)[0]
    old = header(data)
    after = nameless(data)
    for number in (old.SeriesInstanceUID, old.SOPInstanceUID, old.file_meta.MediaStorageSOPInstanceUID):
        assert str(number).encode() not in after


def test_the_same_file_becomes_the_same_bytes_and_another_key_other_numbers() -> None:
    data = dicom_slices(1)[0]
    assert nameless(data) == nameless(data)
    other = header(nameless(data, b"of another installation"))
    assert other.SOPInstanceUID != header(nameless(data)).SOPInstanceUID


def test_the_file_says_what_was_done_to_it() -> None:
    kept = header(nameless(brain_dicom()))
    assert kept.PatientIdentityRemoved == "YES"
    assert kept.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert kept.file_meta.MediaStorageSOPInstanceUID == kept.SOPInstanceUID


def test_a_sequence_where_none_belongs_goes() -> None:
    hostile = header(brain_dicom())
    hostile.add_new(0x00180024, "SQ", [item(PatientName=NAME)])
    written_out = io.BytesIO()
    hostile.save_as(written_out)
    assert NAME.encode() not in nameless(written_out.getvalue())


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"BurnedInAnnotation": "YES"}, "dicom_burned_in"),
        ({"BurnedInAnnotation": "yes"}, "dicom_burned_in"),
        ({"BurnedInAnnotation": "NO"}, None),
    ],
)
def test_a_picture_that_names_the_patient_itself_is_refused(attributes: Any, code: str | None) -> None:
    data = brain_dicom(**attributes)
    if code is None:
        assert read(nameless(data)).slices
        return
    with pytest.raises(ImageError) as refused:
        nameless(data)
    assert refused.value.code == code


@pytest.mark.parametrize("data", [b"", b"\0" * 128 + b"DICM" + b"\xff" * 500, b"no DICOM at all"])
def test_what_cannot_be_read_is_refused_with_a_code(data: bytes) -> None:
    with pytest.raises(ImageError) as refused:
        without_identity(data, KEY, LIMITS)
    assert refused.value.code in {"image_empty", "dicom_unreadable", "image_truncated"}
