"""Collecting static files takes seconds, so it happens only when they have changed."""

from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from mri_portal import static_files


@pytest.fixture
def collections(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> list[str]:
    """What was collected, with two style sheets in place of the project's and its libraries' files."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a.css", "b.css"):
        (source / name).write_text("a {}")
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    real, calls = static_files.call_command, []

    def noting(name: str, **options: Any) -> Any:
        calls.append(name)
        return real(name, **options)

    monkeypatch.setattr(static_files, "call_command", noting)
    return calls


def test_unchanged_files_are_collected_once(collections: list[str], tmp_path: Path) -> None:
    static_files.collect_changed()
    static_files.collect_changed()
    assert collections == ["collectstatic"]
    assert (tmp_path / "collected" / "a.css").is_file()


def test_a_changed_an_added_and_a_removed_file_are_noticed(collections: list[str], tmp_path: Path) -> None:
    static_files.collect_changed()
    for change in (
        lambda: (tmp_path / "source" / "a.css").write_text("a { color: red }"),
        lambda: (tmp_path / "source" / "c.css").write_text("c {}"),
        (tmp_path / "source" / "b.css").unlink,
    ):
        before = len(collections)
        change()
        static_files.collect_changed()
        assert len(collections) == before + 1
    assert (tmp_path / "collected" / "a.css").read_text() == "a { color: red }"
    assert not (tmp_path / "collected" / "b.css").exists()


def test_another_storage_collects_again(collections: list[str], settings: Settings) -> None:
    static_files.collect_changed()
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
    }
    static_files.collect_changed()
    assert len(collections) == 2
