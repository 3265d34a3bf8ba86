"""What killed processes leave on the disk goes with a sweep, and with the start of a web server."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from classifier import tasks
from mri_portal import gunicorn_conf

BOTH = pytest.mark.parametrize(
    "forget", [tasks.sweep, lambda: gunicorn_conf.post_worker_init(None)], ids=["sweep", "start"]
)


@pytest.fixture(autouse=True)
def no_freeze(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gunicorn_conf.gc, "freeze", lambda: None)


@BOTH
def test_the_remains_of_uploads_go_and_those_under_way_stay(
    forget: Callable[[], None], tmp_path: Path, settings: Settings
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    for age, name in ((0, "now"), (2 * 86_400, "long ago")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "member").write_bytes(b"x")
        (tmp_path / f"{name}.upload").write_bytes(b"x")
        for path in tmp_path.glob(f"{name}*"):
            os.utime(path, (time.time() - age,) * 2)
    forget()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["now", "now.upload"]


@BOTH
def test_a_process_without_a_disk_of_its_own_has_nothing_to_remove(
    forget: Callable[[], None], settings: Settings
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = None
    forget()
