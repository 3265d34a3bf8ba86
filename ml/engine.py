"""The inference engine of the serving path: LiteRT (XNNPACK), without TensorFlow."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from ml.labels import CLASSES

LARGEST_BATCH: Final = 4
"""More at once is no faster on one thread, and takes 40 MB more at 16."""


class Outputs(NamedTuple):
    """What a network says about n slices: ``logits`` (n, 4), ``embeddings`` (n, k), ``masks`` (n, m, m).

    ``masks`` are probabilities in [0, 1] that a pixel of the network's square belongs to a tumour;
    None for a network without a mask head.
    """

    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    masks: NDArray[np.float32] | None = None


class LiteRt:
    """One network in memory. Calls from several threads wait for each other."""

    def __init__(self, model: Path, *, threads: int = 1) -> None:
        self._interpreter = Interpreter(model_path=str(model), num_threads=threads)
        self._lock = threading.Lock()
        self._batch = 0

    def run(self, x: NDArray[np.float32]) -> Outputs:
        """Slices (n, size, size, 1) in [0, 1], at least one, in batches of ``LARGEST_BATCH``."""
        return told_apart(self.tensors(x))

    def tensors(self, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The network's outputs for such slices, in the order of its file."""
        with self._lock:
            parts = [self._invoked(x[i : i + LARGEST_BATCH]) for i in range(0, len(x), LARGEST_BATCH)]
        return parts[0] if len(parts) == 1 else [np.concatenate(some) for some in zip(*parts, strict=True)]

    def _invoked(self, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self._fit(x.shape)
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], x)
        self._interpreter.invoke()
        details = self._interpreter.get_output_details()
        return [self._interpreter.get_tensor(detail["index"]) for detail in details]

    def _fit(self, shape: tuple[int, ...]) -> None:
        if shape[0] == self._batch:
            return
        index = self._interpreter.get_input_details()[0]["index"]
        self._interpreter.resize_tensor_input(index, shape)
        self._interpreter.allocate_tensors()
        self._batch = shape[0]


def mirrored(run: Callable[[NDArray[np.float32]], Outputs], x: NDArray[np.float32]) -> Outputs:
    """Logits and masks averaged over the slices and their mirror images; embeddings of the slices."""
    plain, other = run(x), run(np.ascontiguousarray(x[:, :, ::-1]))
    masks = None
    if plain.masks is not None and other.masks is not None:
        masks = np.float32(0.5) * (plain.masks + other.masks[:, :, ::-1])
    return Outputs(np.float32(0.5) * (plain.logits + other.logits), plain.embeddings, masks)


def told_apart(found: list[NDArray[np.float32]]) -> Outputs:
    """Outputs by their shape: converters do not keep the order, and only logits have four columns."""
    masks = [output[..., 0] for output in found if output.ndim == 4]
    flat = sorted((output for output in found if output.ndim == 2), key=lambda o: o.shape[1] != len(CLASSES))
    return Outputs(flat[0], flat[1], masks[0] if masks else None)
