"""Reading PyTorch's files: numbers only, and nothing that runs."""

import os
import pickle
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from ml import efficientnet, torch_file
from ml.torch_file import TorchFileError

KNOWN = Path(str(files(efficientnet.PACKAGE))) / efficientnet.WEIGHTS


class Command:
    """What an attacker would have a pickle run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


def test_arrays_have_their_names_shapes_and_types() -> None:
    arrays = torch_file.read(KNOWN)
    assert arrays["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert arrays["_fc.weight"].shape == (1000, 1280)
    assert arrays["_bn0.num_batches_tracked"].dtype == np.int64
    assert arrays["_bn0.weight"].dtype == np.float32
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert all((arrays[name] >= 0).all() for name in arrays if name.endswith("running_var"))


def test_a_file_that_asks_for_code_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    parts: tuple[object, ...] = (1, 2, {}, Command())
    path.write_bytes(b"".join(map(pickle.dumps, parts)))
    with pytest.raises(TorchFileError, match="system"):
        torch_file.read(path)


@pytest.mark.parametrize("length", [0, 100, 30_000, 1_000_000])
def test_a_file_that_was_cut_off_is_refused(length: int, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(KNOWN.read_bytes()[:length])
    with pytest.raises(TorchFileError) as caught:
        torch_file.read(path)
    assert caught.value.code == "weights_invalid"


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps([1, 2]) * 5)
    with pytest.raises(TorchFileError):
        torch_file.read(path)
