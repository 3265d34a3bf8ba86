"""Fresh settings, fresh databases and real processes for the tests of the portal's operation."""

import os
import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.ops import names


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The settings as a fresh process with exactly these variables reads them."""

    def load(**variables: str) -> dict[str, Any]:
        for name in os.environ:
            if name.startswith(("PORTAL_", "DATABASE_", "BROKER_")):
                monkeypatch.delenv(name)
        for name, value in ({"PORTAL_DATA_DIR": str(tmp_path / "data")} | variables).items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(names.ROOT / "mri_portal" / "settings.py"))

    return load
