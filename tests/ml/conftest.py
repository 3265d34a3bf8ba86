"""A small data folder, and a place beside it for what is cached of it."""

from pathlib import Path

import pytest

from tests.ml import tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny.data_folder(tmp_path / "data")


@pytest.fixture
def cache_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
