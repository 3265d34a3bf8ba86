import hashlib
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from classifier.audit import Actor
from classifier.errors import NotAllowed, NotFound, UserFacingError
from classifier.models import Analysis, AuditEvent, Case, Scan, ScanFile
from classifier.services.originals import originals
from classifier.services.pictures import view_picture
from classifier.services.scans import (
    download_file,
    find_scan,
    view_scan,
)
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png


def stored_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_an_upload_is_a_scan_with_its_file_and_a_queued_analysis(
    as_alice: Actor, case: Case, rung: list[str], django_capture_on_commit_callbacks: type
) -> None:
    data = brain_png()
    with django_capture_on_commit_callbacks(execute=True):
        [result] = upload_scans(actor=as_alice, case=case, files=[upload(data, "t1.png")])
    assert result.created
    file = ScanFile.objects.get(scan=result.scan)
    assert (file.original_name, file.kind, file.size) == ("t1.png", "png", len(data))
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    with originals(result.scan) as [path]:
        assert path.read_bytes() == data
    analysis = Analysis.objects.get(scan=result.scan)
    assert analysis.status == "queued" and rung == [str(analysis.pk)]
    case.refresh_from_db()
    assert case.triage == Case.Triage.WAITING


def test_the_same_bytes_in_a_case_are_the_same_scan(as_alice: Actor, case: Case, scan: Scan) -> None:
    [again] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(), "another name.png")])
    assert (again.scan, again.created) == (scan, False)
    assert Analysis.objects.count() == 1


def test_the_same_file_twice_in_one_upload_is_one_scan(as_alice: Actor, case: Case, rung: list[str]) -> None:
    first, second = upload_scans(actor=as_alice, case=case, files=[upload(brain_png()), upload(brain_png())])
    assert first.scan == second.scan
    assert Scan.objects.count() == 1


def test_one_bad_file_keeps_all_out_and_leaves_neither_row_nor_file(
    as_alice: Actor, case: Case, rung: list[str], tmp_path: Path
) -> None:
    events = AuditEvent.objects.count()
    with pytest.raises(UserFacingError) as refused:
        upload_scans(actor=as_alice, case=case, files=[upload(brain_png()), upload(b"not an image")])
    assert refused.value.code == "image_unsupported"
    assert not Scan.objects.exists() and not stored_files(tmp_path)
    assert AuditEvent.objects.count() == events and rung == []


def test_a_name_tells_the_storage_nothing(
    as_alice: Actor, case: Case, rung: list[str], tmp_path: Path
) -> None:
    [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(), "Doe_Jane_1980\u202e.png")])
    file = ScanFile.objects.get(scan=result.scan)
    assert file.original_name == "Doe_Jane_1980.png"
    [path] = stored_files(tmp_path)
    assert "Doe" not in str(path) and path.stat().st_mode & 0o077 == 0
    with pytest.raises(TypeError):
        default_storage.url(file.name)


@pytest.mark.parametrize(("who", "error"), [("as_bob", NotFound), ("as_rita", NotAllowed)])
def test_only_clinicians_of_the_department_upload(
    who: str, error: type[Exception], case: Case, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with pytest.raises(error):
        upload_scans(actor=request.getfixturevalue(who), case=case, files=[upload(brain_png())])
    assert not stored_files(tmp_path)


def test_every_look_at_the_bytes_is_one_event(scan: Scan, as_rita: Actor) -> None:
    last = AuditEvent.objects.latest("pk").pk
    file, handle = download_file(actor=as_rita, scan_id=scan.pk)
    with handle:
        assert handle.read() == brain_png()
    assert view_picture(actor=as_rita, scan_id=scan.pk).startswith(b"\x89PNG")
    view_scan(actor=as_rita, scan_id=scan.pk)
    looks = AuditEvent.objects.filter(pk__gt=last).order_by("pk")
    assert [look.action for look in looks] == ["file_downloaded", "image_viewed", "scan_viewed"]
    assert {look.case_id for look in looks} == {scan.case_id}
    assert file.original_name not in str([look.detail for look in looks])


def test_a_stranger_gets_no_scan_picture_or_file(scan: Scan, as_bob: Actor) -> None:
    for look in (find_scan, view_scan, view_picture, download_file):
        with pytest.raises(NotFound):
            look(actor=as_bob, scan_id=scan.pk)


def test_a_stored_file_that_was_altered_is_not_analysed(scan: Scan, tmp_path: Path) -> None:
    [path] = stored_files(tmp_path)
    path.chmod(0o600)
    path.write_bytes(brain_png(seed=1))
    with pytest.raises(UserFacingError) as refused, originals(scan):
        pass
    assert refused.value.code == "file_altered"
