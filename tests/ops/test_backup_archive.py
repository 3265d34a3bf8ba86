"""The file of a backup by itself: whole or not there, and nothing else is taken for one."""

import io
import re
from pathlib import Path

import pytest

from classifier.backups import archive
from classifier.backups.archive import BackupError


def test_a_single_altered_bit_is_found_before_anything_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "portal.tar"
    with archive.create(path) as writer:
        writer.add(archive.DATABASE, io.BytesIO(b"d" * 4096), 4096)
        writer.finish({})
    content = bytearray(path.read_bytes())
    content[2048] ^= 1
    path.write_bytes(content)
    with (
        pytest.raises(BackupError, match=r"database is not what was written\. Nothing was changed"),
        archive.open_verified(path),
    ):
        raise AssertionError("an altered archive was accepted")


def test_a_backup_never_overwrites_another(tmp_path: Path) -> None:
    path = tmp_path / "portal.tar"
    path.write_bytes(b"the only backup")
    with pytest.raises(BackupError, match="exists"), archive.create(path):
        raise AssertionError("a backup was overwritten")
    assert path.read_bytes() == b"the only backup"


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cannot be written"), archive.create(tmp_path / "no" / "p.tar"):
        raise AssertionError("a folder appeared")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("files/../../etc/passwd", "not a file of a portal"), ("files/a b", "not a file of a portal")],
)
def test_a_member_with_a_strange_name_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    path = tmp_path / "strange.tar"
    with archive.create(path) as writer:
        writer.add(archive.DATABASE, io.BytesIO(b"x"), 1)
        writer.add(name, io.BytesIO(b"x"), 1)
        writer.finish({})
    with pytest.raises(BackupError, match=sentence), archive.open_verified(path):
        raise AssertionError("a strange member was accepted")


@pytest.mark.parametrize("content", [b"", b"not a tar file", b"\0" * 10240])
def test_what_is_no_backup_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "nothing.tar"
    path.write_bytes(content)
    with pytest.raises(BackupError, match=re.escape("Nothing was changed.")), archive.open_verified(path):
        raise AssertionError("an empty archive was accepted")


def test_a_backup_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), archive.create(tmp_path / "portal.tar"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
