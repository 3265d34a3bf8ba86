"""The inference engine of the serving path: LiteRT (XNNPACK), without TensorFlow."""

import threading
from pathlib import Path
from typing import Final

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from ml.labels import CLASSES

LARGEST_BATCH: Final = 32

Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]


class LiteRt:
    """One network in memory. Calls from several threads wait for each other."""

    def __init__(self, model: Path, *, threads: int = 1) -> None:
        self._interpreter = Interpreter(model_path=str(model), num_threads=threads)
        self._lock = threading.Lock()
        self._batch = 0

    def run(self, x: NDArray[np.float32]) -> Outputs:
        """Slices (n, size, size, 1) in [0, 1] to logits (n, 4) and embeddings (n, k)."""
        with self._lock:
            parts = [self._run(x[i : i + LARGEST_BATCH]) for i in range(0, len(x), LARGEST_BATCH)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _run(self, x: NDArray[np.float32]) -> Outputs:
        self._fit(x.shape)
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], x)
        self._interpreter.invoke()
        details = self._interpreter.get_output_details()
        found = [self._interpreter.get_tensor(detail["index"]) for detail in details]
        # The converter does not keep the order of the outputs; only the logits have four columns.
        found.sort(key=lambda output: output.shape[1] != len(CLASSES))
        return found[0], found[1]

    def _fit(self, shape: tuple[int, ...]) -> None:
        if shape[0] == self._batch:
            return
        index = self._interpreter.get_input_details()[0]["index"]
        self._interpreter.resize_tensor_input(index, shape)
        self._interpreter.allocate_tensors()
        self._batch = shape[0]
