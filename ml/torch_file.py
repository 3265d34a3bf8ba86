"""Arrays from a file of PyTorch (``torch.save`` up to version 1.5), without PyTorch.

Such a file is a row of pickles, then the numbers of every storage: their count (int64), then they
themselves. Of what a pickle can ask for, only what arrays are made of is answered.
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from ml.errors import MlError

Array = NDArray[Any]

HEADER: Final = 3
"""Pickles before the arrays: a magic number, the version of the format, the machine's types."""


class TorchFileError(MlError):
    """The file is not what ``torch.save`` writes of a dictionary of arrays, or asks for code."""

    code = "weights_invalid"


def read(path: Path) -> dict[str, Array]:
    """The arrays by name, as PyTorch lays them out: kernels (out, in, height, width)."""
    try:
        with path.open("rb") as file:
            for _ in range(HEADER):
                _Arrays(file).load()
            wanted, keys = _Arrays(file).load(), _Arrays(file).load()
            kinds = {tensor.key: tensor.kind for tensor in wanted.values()}
            storages = {key: _storage(file, kinds[key]) for key in keys}
        return {name: tensor.out_of(storages) for name, tensor in wanted.items()}
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, IndexError, AttributeError) as error:
        raise TorchFileError(f"{path} is no file of weights by PyTorch: {error}") from None


def _storage(file: BinaryIO, kind: np.dtype[Any]) -> Array:
    (count,) = np.frombuffer(file.read(8), "<i8")
    return np.frombuffer(file.read(int(count) * kind.itemsize), kind)


class _Tensor:
    """Where in which storage an array lies; steps are counted in numbers."""

    def __init__(self, storage: Any, offset: int, shape: tuple[int, ...], steps: tuple[int, ...], *_: Any):
        _, self.kind, self.key, *_ = storage
        self.offset, self.shape, self.steps = offset, shape, steps

    def out_of(self, storages: dict[str, Array]) -> Array:
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.steps, strict=True))
        storage = storages[self.key]
        if not 0 <= self.offset <= last < storage.size:
            raise ValueError("an array reaches beyond its storage")
        strides = [step * storage.itemsize for step in self.steps]
        return np.lib.stride_tricks.as_strided(storage[self.offset :], self.shape, strides).copy()


ALLOWED: Final[dict[tuple[str, str], Callable[..., Any] | np.dtype[Any]]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
}


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        return pid
