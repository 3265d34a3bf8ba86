"""A result is on disk whole or not at all."""

import errno
from pathlib import Path

import pytest

from ml import outputs
from ml.outputs import OutputError


def test_a_result_replaces_the_last_one_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "result.json"
    outputs.write(path, "old")
    outputs.write_json(path, {"a": 1})
    assert path.read_text() == '{\n "a": 1\n}\n'
    assert [found.name for found in path.parent.iterdir()] == ["result.json"]


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "disk_full"), (errno.EACCES, "output_unwritable")]
)
def test_a_disk_that_refuses_leaves_the_last_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    path = tmp_path / "made" / "result.txt"
    outputs.write(path, "old")

    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OutputError) as caught:
        outputs.write(path, "new")
    assert caught.value.code == code and path.read_bytes() == b"old"
    assert [found.name for found in path.parent.iterdir()] == ["result.txt"]
