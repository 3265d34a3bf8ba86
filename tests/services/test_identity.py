"""Uploads without the patient: what is stored, what is recorded, and what a case still recognises."""

import json

import pytest
from pytest_django.fixtures import Settings

from classifier.audit import Actor
from classifier.models import AuditEvent, Case, Scan, ScanFile
from classifier.services.intake import Destination, receive_scans
from classifier.services.originals import originals
from classifier.services.uploads import FileResult, upload_each
from tests.conftest import upload
from tests.ml.pictures import brain_dicom, brain_png
from tests.ml.volumes import dicom_slices, zipped

SECRETS = (b"Secret", b"MRN-SECRET", b"t1 axial")


@pytest.fixture
def slices() -> list[bytes]:
    return dicom_slices(5)


def send(as_alice: Actor, case: Case, slices: list[bytes], remove: bool = True) -> list[FileResult]:
    files = [upload(data, f"GARCIA_MARIA_{number}.dcm") for number, data in enumerate(slices)]
    return upload_each(actor=as_alice, case=case, files=files, remove_identity=remove)


def stored_bytes(scan: Scan) -> list[bytes]:
    with originals(scan) as paths:
        return [path.read_bytes() for path in paths]


def test_a_series_is_stored_without_its_patient_under_names_without_theirs(
    as_alice: Actor, case: Case, slices: list[bytes], rung: list[str]
) -> None:
    results = send(as_alice, case, slices)
    assert [result.name for result in results] == [f"GARCIA_MARIA_{number}.dcm" for number in range(5)]
    scan = Scan.objects.get()
    assert not any(secret in data for data in stored_bytes(scan) for secret in SECRETS)
    assert [file.original_name for file in scan.files.all()] == [f"{n}.dcm" for n in range(1, 6)]
    assert scan.facts["identity_removed"] is True
    assert (scan.facts["frames"], scan.facts["plane"], scan.facts["slice_spacing_mm"]) == (5, "axial", 4.0)
    assert "axial t" not in json.dumps(scan.facts) and "description" not in scan.facts
    assert AuditEvent.objects.get(action="scan_uploaded").detail["identity_removed"] is True


def test_what_is_kept_as_received_is_kept_to_the_byte(
    as_alice: Actor, case: Case, slices: list[bytes], rung: list[str]
) -> None:
    send(as_alice, case, slices, remove=False)
    scan = Scan.objects.get()
    assert stored_bytes(scan) == slices
    assert "identity_removed" not in scan.facts
    assert AuditEvent.objects.get(action="scan_uploaded").detail["identity_removed"] is False


def test_the_same_series_sent_again_is_there_already(
    as_alice: Actor, case: Case, slices: list[bytes], rung: list[str]
) -> None:
    send(as_alice, case, slices)
    assert {result.state for result in send(as_alice, case, slices)} == {"already_there"}
    assert Scan.objects.count() == 1


def test_slices_from_an_archive_lose_their_patient_too_and_other_pictures_stay(
    as_alice: Actor, case: Case, slices: list[bytes], rung: list[str]
) -> None:
    archive = zipped({f"GARCIA/{n}": data for n, data in enumerate(slices)} | {"photo.png": brain_png()})
    upload_each(actor=as_alice, case=case, files=[upload(archive, "study.zip")], remove_identity=True)
    series, picture = Scan.objects.order_by("created_at", "pk")
    if series.facts["kind"] != "dicom":
        series, picture = picture, series
    assert not any(secret in data for data in stored_bytes(series) for secret in SECRETS)
    assert stored_bytes(picture) == [brain_png()]
    assert "identity_removed" not in picture.facts


def test_a_file_that_cannot_lose_its_patient_keeps_its_series_out(
    as_alice: Actor, case: Case, rung: list[str]
) -> None:
    slices = dicom_slices(3)
    marked = dicom_slices(3, BurnedInAnnotation="YES")[1]
    results = send(as_alice, case, [slices[0], marked, slices[2]])
    assert [result.code for result in results] == [
        "series_incomplete",
        "dicom_burned_in",
        "series_incomplete",
    ]
    assert not ScanFile.objects.exists()


@pytest.mark.parametrize(
    ("asked", "usual", "removed"), [(None, True, True), (False, True, False), (True, False, True)]
)
def test_a_program_that_does_not_say_gets_what_the_installation_does(
    asked: bool | None,
    usual: bool,
    removed: bool,
    as_alice: Actor,
    case: Case,
    rung: list[str],
    settings: Settings,
) -> None:
    settings.REMOVE_IDENTITY = usual
    [result] = receive_scans(
        actor=as_alice,
        files=[upload(brain_dicom(), "IM1")],
        destination=Destination(case_id=case.pk),
        remove_identity=asked,
    )
    assert result.scan.facts.get("identity_removed", False) is removed
    assert (b"Secret" in stored_bytes(result.scan)[0]) is not removed
