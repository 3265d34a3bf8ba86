"""What uploads leave on the disk when a server is killed goes with its next start."""

import os
import time
from pathlib import Path

import pytest

from mri_portal import gunicorn_conf, settings


def test_the_remains_of_uploads_go_and_those_under_way_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "FILE_UPLOAD_TEMP_DIR", tmp_path)
    for age, name in ((0, "now"), (2 * 86_400, "long ago")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "member").write_bytes(b"x")
        (tmp_path / f"{name}.upload").write_bytes(b"x")
        for path in tmp_path.glob(f"{name}*"):
            os.utime(path, (time.time() - age,) * 2)
    gunicorn_conf.on_starting(None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["now", "now.upload"]


def test_a_process_without_a_disk_of_its_own_has_nothing_to_remove(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "FILE_UPLOAD_TEMP_DIR", None)
    gunicorn_conf.on_starting(None)
