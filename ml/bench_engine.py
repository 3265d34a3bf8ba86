"""One engine alone in a process of its own, so that its start, memory and threads are its own.

``python -m ml.bench_engine NAME THREADS SOURCE PICTURES`` answers one JSON line to every line it is
asked, the first unasked. Started by ``ml.bench``.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml import bundle

Run = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]
Answer = Callable[[dict[str, Any]], dict[str, Any]]

ALL_AT_ONCE: Final = 16
LARGEST_CALL: Final = 32
VOLUME_SIDE: Final = 256


def main(arguments: list[str]) -> None:
    name, threads, source, pictures = arguments
    started = time.perf_counter()
    answer = CONTENDERS[name](Path(source), int(threads), Path(pictures))
    _say({"load_s": time.perf_counter() - started, "rss_mb": memory()})
    for line in sys.stdin:
        _say(answer(json.loads(line)))


def memory(kind: str = "VmRSS") -> float:
    """Resident memory of this process in MB: VmRSS is that of now, VmHWM the largest so far."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 2**10


def _say(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


def _engine(run: Run, pictures: Path) -> Answer:
    """Answers ``batch``: median milliseconds of ``calls``, and resident memory; ``all``: outputs of all
    pictures, saved there. Only as many pictures as the largest batch are kept: the memory is the engine's."""
    few = np.array(np.load(pictures, mmap_mode="r")[:LARGEST_CALL])
    run(few[:1])

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        if "all" in asked:
            x = np.load(pictures)
            parts = [run(x[i : i + ALL_AT_ONCE]) for i in range(0, len(x), ALL_AT_ONCE)]
            np.savez(asked["all"], *map(np.concatenate, zip(*parts, strict=True)))
            return {}
        some = np.resize(few, (asked["batch"], *few.shape[1:]))
        run(some)
        times = [_milliseconds(run, some) for _ in range(asked["calls"])]
        return {"ms": statistics.median(times), "rss_mb": memory()}

    return answer


def _milliseconds(call: Callable[[Any], Any], value: Any) -> float:
    started = time.perf_counter()
    call(value)
    return (time.perf_counter() - started) * 1000


def _keras(directory: Path, threads: int) -> Any:
    """The network of the bundle as Keras has it, from the recipe in its card and its weights."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return rebuilt(directory)


def rebuilt(directory: Path) -> Any:
    from ml import networks, recipe

    card = json.loads((directory / bundle.CARD).read_text("utf-8"))
    model = networks.build(recipe.parse(card["version"], card["recipe"]).network)
    model.load_weights(directory / bundle.WEIGHTS)
    return model


def _predict(directory: Path, threads: int, pictures: Path) -> Answer:
    model = _keras(directory, threads)
    return _engine(lambda x: model.predict(x, batch_size=len(x), verbose=0), pictures)


def _function(directory: Path, threads: int, pictures: Path) -> Answer:
    model = _keras(directory, threads)
    import tensorflow as tf

    compiled = tf.function(lambda x: model(x, training=False), reduce_retracing=True)
    return _engine(lambda x: [output.numpy() for output in compiled(tf.constant(x))], pictures)


def _litert(model: Path, threads: int, pictures: Path) -> Answer:
    from ml.engine import LiteRt

    engine = LiteRt(model, threads=threads)

    def run(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        logits, embeddings, masks = engine.run(x)
        return [logits, embeddings, *([] if masks is None else [masks[..., np.newaxis]])]

    return _engine(run, pictures)


def _predictor(directory: Path, threads: int, pictures: Path) -> Answer:
    """Answers ``volume``: milliseconds and peak memory for so many generated slices; ``files``: mean
    milliseconds by stage of reading and judging each of them alone."""
    from ml import images
    from ml.predictor import Predictor

    predictor = Predictor.load(directory, threads=threads)
    predictor.warm_up()

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        if "volume" in asked:
            volume = _volume(asked["volume"])
            return {"ms": _milliseconds(predictor.predict, volume), "rss_mb": memory("VmHWM")}
        stages = [_stages(Path(path).read_bytes()) for path in asked["files"]]
        return {stage: statistics.mean(one[stage] for one in stages) for stage in stages[0]}

    def _stages(data: bytes) -> dict[str, float]:
        started = time.perf_counter()
        image = images.read(data)
        decoded = (time.perf_counter() - started) * 1000
        return {"decode": decoded, **predictor.predict(image).timings}

    return answer


def _volume(slices: int) -> Any:
    from ml import reference
    from ml.image_types import Facts, Image

    pixels = [reference.picture(VOLUME_SIDE, 6.0 * i / slices) for i in range(slices)]
    facts = Facts("dicom", VOLUME_SIDE, VOLUME_SIDE, slices, 16, "MONOCHROME2", spacing_mm=(1.0, 1.0))
    return Image(tuple(pixels), facts)


CONTENDERS: Final[dict[str, Callable[[Path, int, Path], Answer]]] = {
    "model.predict": _predict,
    "tf.function": _function,
    "litert": _litert,
    "predictor": _predictor,
}


if __name__ == "__main__":
    main(sys.argv[1:])
