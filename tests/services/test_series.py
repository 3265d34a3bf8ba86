"""Many files at once: series, volumes and archives become scans; bad members keep out what they belong to."""

import hashlib
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from pytest_django.fixtures import Settings

from classifier import inference
from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import Analysis, AuditEvent, Case, Scan, ScanFile
from classifier.services.originals import originals
from classifier.services.uploads import upload_each
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.ml.volumes import FAT, dicom_slices, head, interleaved, nifti, two_passes, zipped
from tests.services.test_scans import stored_files

OTHER_SERIES = "1.2.826.0.1.3680043.8.498.78"


def sent(contents: list[bytes], prefix: str = "IM") -> list[SimpleUploadedFile]:
    return [upload(data, f"{prefix}{number}") for number, data in enumerate(contents)]


def shuffled(contents: list[bytes]) -> list[bytes]:
    return [contents[index] for index in (3, 0, 4, 2, 1)]


@pytest.fixture
def slices() -> list[bytes]:
    return dicom_slices(5)


def test_the_files_of_a_series_are_one_scan_in_slice_order(
    as_alice: Actor,
    case: Case,
    slices: list[bytes],
    rung: list[str],
    django_capture_on_commit_callbacks: type,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        [result] = upload_scans(actor=as_alice, case=case, files=sent(shuffled(slices)))
    scan = Scan.objects.get()
    assert result.created and result.scan == scan
    assert [file.position for file in scan.files.all()] == [0, 1, 2, 3, 4]
    with originals(scan) as paths:
        assert [path.read_bytes() for path in paths] == slices
    facts = scan.facts
    assert (facts["kind"], facts["frames"], facts["plane"], facts["slice_spacing_mm"]) == (
        "dicom",
        5,
        "axial",
        4.0,
    )
    assert rung == [str(Analysis.objects.get().pk)]
    assert AuditEvent.objects.get(action="scan_uploaded").detail["files"] == 5


def test_the_digest_of_a_scan_is_over_those_of_its_files(
    as_alice: Actor, case: Case, slices: list[bytes], rung: list[str]
) -> None:
    [result] = upload_scans(actor=as_alice, case=case, files=sent(slices))
    digests = "".join(hashlib.sha256(data).hexdigest() for data in slices)
    assert result.scan.digest == hashlib.sha256(digests.encode()).hexdigest()


def test_water_and_fat_of_one_series_are_two_scans_and_nothing_is_lost(
    as_alice: Actor, case: Case, rung: list[str]
) -> None:
    water, fat = two_passes(ImageType=FAT)
    results = upload_each(actor=as_alice, case=case, files=sent(interleaved(water, fat)))
    assert [result.state for result in results] == ["accepted"] * 8
    scans = [result.scan for result in results[:2]]
    assert [result.scan for result in results] == scans * 4
    for scan, files in zip(scans, (water, fat), strict=True):
        assert scan is not None and (scan.facts["frames"], scan.facts["slice_spacing_mm"]) == (4, 4.0)
        with originals(scan) as paths:
            assert [path.read_bytes() for path in paths] == files
            assert len(inference.read_volume(paths).slices) == 4
    assert Analysis.objects.count() == 2


def test_an_archive_of_water_and_fat_says_that_it_holds_two_scans_and_is_known_again(
    as_alice: Actor, case: Case, rung: list[str]
) -> None:
    files = {f"IM{number}": data for number, data in enumerate(interleaved(*two_passes(ImageType=FAT)))}
    [first] = upload_each(actor=as_alice, case=case, files=[upload(zipped(files), "study.zip")])
    assert (first.state, first.words) == ("accepted", "Holds 2 scans.")
    backwards = dict(reversed(files.items()))
    [again] = upload_each(actor=as_alice, case=case, files=[upload(zipped(backwards), "study.zip")])
    assert (again.state, Scan.objects.count(), ScanFile.objects.count()) == ("already_there", 2, 8)


def test_the_same_series_again_is_the_same_scan_in_whatever_order_it_comes(
    as_alice: Actor, case: Case, slices: list[bytes], rung: list[str]
) -> None:
    [first] = upload_scans(actor=as_alice, case=case, files=sent(slices))
    [again] = upload_scans(actor=as_alice, case=case, files=[*sent(shuffled(slices)), upload(slices[0])])
    assert (again.scan, again.created) == (first.scan, False)
    assert ScanFile.objects.count() == 5


def test_series_volumes_and_pictures_of_one_upload_are_scans_of_their_own(
    as_alice: Actor, case: Case, slices: list[bytes], rung: list[str]
) -> None:
    others = dicom_slices(3, series=OTHER_SERIES)
    mixed = [upload(brain_png()), *sent(slices[:2]), *sent(others), upload(nifti(head())), *sent(slices[2:])]
    results = upload_scans(actor=as_alice, case=case, files=mixed)
    kinds = [(result.scan.facts["kind"], result.scan.files.count()) for result in results]
    assert kinds == [("png", 1), ("dicom", 5), ("dicom", 3), ("nifti", 1)]


def test_an_archive_is_what_it_holds_and_is_not_kept(
    as_alice: Actor, case: Case, slices: list[bytes], rung: list[str], tmp_path: Path
) -> None:
    files = {f"study/IM{number}": data for number, data in enumerate(slices)}
    archive = zipped(files | {"study/a.png": brain_png(), "DICOMDIR": b"x", "readme.txt": b"hello"})
    series, picture = upload_scans(actor=as_alice, case=case, files=[upload(archive, "study.zip")])
    assert series.scan.files.count() == 5
    assert picture.scan.files.get().original_name == "a.png"
    assert {path.read_bytes() for path in stored_files(tmp_path)} == {*slices, brain_png()}


def test_files_that_were_spooled_to_disk_arrive_whole(
    as_alice: Actor, case: Case, slices: list[bytes], rung: list[str]
) -> None:
    files = []
    for data in slices:
        spooled = TemporaryUploadedFile("IM", "application/dicom", len(data), None)
        spooled.write(data)
        spooled.flush()
        files.append(spooled)
    [result] = upload_scans(actor=as_alice, case=case, files=files)
    with originals(result.scan) as paths:
        assert [path.read_bytes() for path in paths] == slices


def test_one_bad_member_keeps_all_out_and_is_named(
    as_alice: Actor, case: Case, slices: list[bytes], tmp_path: Path
) -> None:
    files = sent([*slices[:2], slices[2][:-600], *slices[3:]])
    with pytest.raises(UserFacingError, match=r"^File 3 of 5: The DICOM file") as refused:
        upload_scans(actor=as_alice, case=case, files=files)
    assert refused.value.code == "image_truncated"
    assert not Scan.objects.exists() and not stored_files(tmp_path)


def test_a_bad_member_of_an_archive_is_named(as_alice: Actor, case: Case, tmp_path: Path) -> None:
    archive = zipped({"a.png": brain_png(), "deep/b.png": brain_png()[:-900]})
    with pytest.raises(UserFacingError, match=r"^File 2 of 2: “b\.png”: The file is incomplete"):
        upload_scans(actor=as_alice, case=case, files=[upload(brain_png(1)), upload(archive)])
    assert not Scan.objects.exists() and not stored_files(tmp_path)


@pytest.mark.parametrize(
    ("limit", "value", "code"),
    [
        ("MAX_UPLOAD_FILES", 4, "zip_too_many_files"),
        ("MAX_UPLOAD_TOTAL_BYTES", 9_000, "zip_too_large"),
        ("MAX_UPLOAD_BYTES", 3_000, "zip_too_large"),
    ],
)
def test_what_an_archive_holds_counts_against_the_limits(
    limit: str, value: int, code: str, as_alice: Actor, case: Case, slices: list[bytes], settings: Settings
) -> None:
    setattr(settings, limit, value)
    archive = zipped({f"IM{number}": data for number, data in enumerate(slices)})
    with pytest.raises(UserFacingError) as refused:
        upload_scans(actor=as_alice, case=case, files=[upload(archive)])
    assert refused.value.code == code


def test_two_archives_count_together(
    as_alice: Actor, case: Case, slices: list[bytes], settings: Settings
) -> None:
    settings.MAX_UPLOAD_FILES = 5
    archives = [zipped({f"{n}": data for n, data in enumerate(part)}) for part in (slices[:3], slices[2:])]
    with pytest.raises(UserFacingError) as refused:
        upload_scans(actor=as_alice, case=case, files=[upload(archive) for archive in archives])
    assert refused.value.code == "too_many_files"


def test_a_person_is_told_of_each_file_and_a_series_is_taken_whole_or_not_at_all(
    as_alice: Actor, case: Case, slices: list[bytes], rung: list[str]
) -> None:
    broken = dicom_slices(3, series=OTHER_SERIES)
    broken[1] = broken[1][:-600]
    files = [*sent(slices), upload(b"hello", "notes.txt"), *sent(broken, "B"), upload(brain_png(), "a.png")]
    results = upload_each(actor=as_alice, case=case, files=files)
    assert [result.name for result in results] == [file.name for file in files]
    codes = [result.code for result in results]
    assert codes == [""] * 5 + [
        "image_unsupported",
        "series_incomplete",
        "image_truncated",
        "series_incomplete",
        "",
    ]
    assert "“B1”" in results[6].words
    assert len({result.scan for result in results[:5]}) == 1
    assert sorted(scan.files.count() for scan in Scan.objects.all()) == [1, 5]


def test_a_person_is_told_what_became_of_an_archive(
    as_alice: Actor, case: Case, slices: list[bytes], rung: list[str]
) -> None:
    good = {f"IM{number}": data for number, data in enumerate(slices)}
    archive = zipped(good | {"a.png": brain_png(), "b.png": brain_png()[:-900]})
    bad = zipped({"b.png": brain_png()[:-900]})
    first, second = upload_each(
        actor=as_alice, case=case, files=[upload(archive, "study.zip"), upload(bad, "bad.zip")]
    )
    assert (first.state, first.name, first.code) == ("partly", "study.zip", "image_truncated")
    assert first.words.startswith("Holds 2 scans. 1 file was not taken: “b.png”: The file is")
    assert (second.state, second.code) == ("refused", "image_truncated")
    [again] = upload_each(actor=as_alice, case=case, files=[upload(zipped(good), "again.zip")])
    assert (again.state, again.code) == ("already_there", "")


def test_a_series_that_an_archive_leaves_out_is_counted_with_all_its_files(
    as_alice: Actor, case: Case, slices: list[bytes], rung: list[str]
) -> None:
    torn = {f"IM{number}": data for number, data in enumerate([*slices[:-1], slices[-1][:-900]])}
    [result] = upload_each(
        actor=as_alice, case=case, files=[upload(zipped(torn | {"a.png": brain_png()}), "study.zip")]
    )
    assert result.state == "partly"
    assert (
        f"Holds 1 scan. {len(slices)} files were not taken, among them “IM{len(slices) - 1}”" in result.words
    )
