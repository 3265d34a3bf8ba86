"""Files on their way in: which stay and which go again."""

import os
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, transaction
from pytest_django.fixtures import Settings

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import Case, Scan
from classifier.services.files import (
    CheckedScan,
    Incoming,
    read_scans,
    safe_name,
    stored,
    unpacked,
    within_limits,
)
from classifier.services.uploads import upload_each
from classifier.storage import LocalScanStorage
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png


def read(*files: object) -> list[CheckedScan]:
    """The contents stay in memory, so that they outlast the context."""
    with unpacked(files) as incoming:  # type: ignore[arg-type]
        return read_scans(incoming, sent=len(files))


@pytest.fixture
def two() -> list[CheckedScan]:
    return read(*(upload(brain_png(seed)) for seed in range(2)))


def test_files_of_rows_stay_and_the_others_go(two: list[CheckedScan]) -> None:
    with stored(two) as shelf:
        named, spare = shelf.take(two[0].files[0]), shelf._names[two[1].files[0].sha256]
        shelf.seal()
    assert default_storage.exists(named)
    assert not default_storage.exists(spare)


def test_all_files_go_when_the_rows_are_not_written(two: list[CheckedScan]) -> None:
    with pytest.raises(RuntimeError), stored(two) as shelf:
        names = [shelf.take(scan.files[0]) for scan in two]
        raise RuntimeError
    assert not any(default_storage.exists(name) for name in names)


def test_files_stay_when_the_answer_to_a_commit_is_lost(two: list[CheckedScan]) -> None:
    with pytest.raises(OperationalError), stored(two) as shelf:
        names = [shelf.take(scan.files[0]) for scan in two]
        shelf.seal()
        raise OperationalError("server closed the connection")
    assert all(default_storage.exists(name) for name in names)


def test_a_file_is_on_the_disk_before_a_row_names_it(
    two: list[CheckedScan], monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr("os.fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_ino))
    with stored(two) as shelf:
        path = Path(default_storage.path(shelf.take(two[0].files[0])))
        assert {place.stat().st_ino for place in (path, path.parent, path.parent.parent)} <= set(flushed)


def test_no_lock_is_held_while_files_are_stored(
    as_alice: Actor,
    case: Case,
    rung: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save, depths = LocalScanStorage.save, []
    outside = len(transaction.get_connection().savepoint_ids)

    def note(self: LocalScanStorage, *args: object) -> str:
        depths.append(len(transaction.get_connection().savepoint_ids))
        return save(self, *args)

    monkeypatch.setattr(LocalScanStorage, "save", note)
    upload_scans(actor=as_alice, case=case, files=[upload(brain_png())])
    assert depths == [outside]
    assert Scan.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("slice.png", "slice.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\studies\\slice.dcm", "slice.dcm"),
        ("a\0b\x1b[2J.png", "ab[2J.png"),
        ("x" * 5000 + ".png", "x" * 251 + ".png"),
        ("safe\u202egnp.exe", "safegnp.exe"),
        ("", ""),
        ("..", ""),
    ],
)
def test_a_name_is_shown_without_what_could_mislead(name: str, shown: str) -> None:
    assert safe_name(name) == shown


def test_files_of_a_person_that_are_too_large_together_are_refused_and_none_is_kept(
    as_alice: Actor, case: Case, settings: Settings
) -> None:
    files = [upload(brain_png(seed)) for seed in (1, 2)]
    settings.MAX_UPLOAD_TOTAL_BYTES = sum(file.size for file in files) - 1
    with pytest.raises(UserFacingError) as refused:
        upload_each(actor=as_alice, case=case, files=files)
    assert (refused.value.code, refused.value.status) == ("too_many_bytes", 413)
    assert not Scan.objects.exists()
    settings.MAX_UPLOAD_TOTAL_BYTES += 1
    results = upload_each(actor=as_alice, case=case, files=files)
    assert [result.state for result in results] == ["accepted", "accepted"]


def test_the_file_that_is_bad_is_named_by_its_place() -> None:
    with pytest.raises(UserFacingError, match=r"File 2 of 3: The file is empty\."):
        read(upload(brain_png()), upload(b""), upload(brain_png(1)))


def test_files_that_are_too_large_together_are_refused_though_none_is_alone(settings: Settings) -> None:
    settings.MAX_UPLOAD_TOTAL_BYTES = 10
    sent = [Incoming(b"123456", "first.png", 0), Incoming(b"12345", "second.png", 1)]
    assert within_limits(sent[:1]) == sent[:1]
    with pytest.raises(UserFacingError) as refused:
        within_limits(sent)
    assert (refused.value.code, refused.value.status) == ("too_many_bytes", 413)
