"""The files of other projects are those that VENDOR.toml names, byte for byte."""

import hashlib
import tomllib

import pytest
from django.conf import settings

VENDOR = settings.BASE_DIR / "static" / "vendor"
NAMED = tomllib.loads((VENDOR / "VENDOR.toml").read_text("utf-8"))


@pytest.mark.parametrize("name", NAMED)
def test_a_vendored_file_is_the_one_that_was_pinned(name: str) -> None:
    facts = NAMED[name]
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == facts["sha256"]
    assert {"package", "version", "path", "licence"} < set(facts)


def test_no_file_is_vendored_without_being_named() -> None:
    present = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()}
    assert present == {*NAMED, "VENDOR.toml"}
