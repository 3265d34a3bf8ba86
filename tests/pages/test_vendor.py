"""The files of other projects are those that VENDOR.toml names, byte for byte."""

import hashlib
import tomllib
from pathlib import Path

import pytest
from django.conf import settings

FOLDERS = (settings.BASE_DIR / "static" / "vendor", settings.BASE_DIR / "tests" / "e2e" / "vendor")
NAMED = {folder: tomllib.loads((folder / "VENDOR.toml").read_text("utf-8")) for folder in FOLDERS}
FILES = [(folder, name) for folder in FOLDERS for name in NAMED[folder]]


@pytest.mark.parametrize(("folder", "name"), FILES, ids=[name for _, name in FILES])
def test_a_vendored_file_is_the_one_that_was_pinned(folder: Path, name: str) -> None:
    facts = NAMED[folder][name]
    assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == facts["sha256"]
    assert {"package", "version", "path", "licence"} < set(facts)


@pytest.mark.parametrize("folder", FOLDERS, ids=["pages", "walks"])
def test_no_file_is_vendored_without_being_named(folder: Path) -> None:
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert present == {*NAMED[folder], "VENDOR.toml"}
