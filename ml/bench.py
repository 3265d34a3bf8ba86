"""Engines measured beside each other on one bundle: ratios, agreement, start and memory.

Every engine runs in a process of its own and all take turns, so that what else the machine does
falls on each of them alike. Absolute times are this machine's; the ratios are what counts.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final, Self, cast

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml import bench_engine, bundle, datasets, decision, images, preprocess, reference
from ml.engine import Outputs, told_apart
from ml.predictor import NOTICE

CALLS: Final = {1: 8, 8: 2, bench_engine.LARGEST_CALL: 1}
"""Batch sizes, and how often each is run before the next engine has its turn."""

THREADS: Final = (1, 2)
REFERENCE: Final = "model.predict"
ENGINES: Final = {
    REFERENCE: None,
    "tf.function": None,
    "LiteRT float32": "float32",
    "LiteRT float16": "float16",
    "LiteRT int8": "int8",
}
"""The engines, and for LiteRT how it stores the weights."""

VOLUMES: Final = (26, 180)
STAGES: Final = ("decode", "preprocess", "inference", "outline")
OTHERS: Final = {"ONNX Runtime": "onnxruntime", "OpenVINO": "openvino"}


@dataclass
class Contender:
    """An engine that answers from its own process. ``times`` are milliseconds by batch size.

    ``rss_mb`` is the most resident memory seen after loading and between batches.
    """

    label: str
    threads: int
    process: subprocess.Popen[str]
    load_s: float = 0.0
    rss_mb: float = 0.0
    times: dict[int, list[float]] = field(default_factory=lambda: {batch: [] for batch in CALLS})

    @classmethod
    def start(cls, label: str, name: str, threads: int, source: Path, pictures: Path) -> Self:
        command = [sys.executable, "-m", "ml.bench_engine", name, str(threads), str(source), str(pictures)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started = cls(label, threads, process)
        first = started._heard()
        started.load_s, started.rss_mb = first["load_s"], first["rss_mb"]
        return started

    def ask(self, **question: Any) -> dict[str, Any]:
        questions = cast(IO[str], self.process.stdin)
        questions.write(json.dumps(question) + "\n")
        questions.flush()
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        line = cast(IO[str], self.process.stdout).readline()
        if not line:
            raise RuntimeError(f"{self.label} ended with status {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """The process ends when nothing more can be asked."""
        with self.process:
            pass

    def milliseconds(self, batch: int) -> float:
        return statistics.median(self.times[batch])


def bench(
    directory: Path,
    data: Path,
    *,
    rounds: int,
    slices: int,
    engines: Sequence[str] = tuple(ENGINES),
    threads: Sequence[int] = THREADS,
) -> dict[str, Any]:
    """The figures of one run. ``data`` gives real slices; without it they are generated.

    ``REFERENCE`` comes first among ``engines``.

    Raises BundleError where the bundle is not whole, RuntimeError where an engine's process ends.
    """
    sealed = bundle.verify(directory)
    with tempfile.TemporaryDirectory() as work, ExitStack() as running:
        files = _files(data, slices, Path(work))
        pictures = Path(work) / "pictures.npy"
        np.save(pictures, _prepared(files, int(sealed.card["input_size"])))
        sources = _sources(directory, sealed.card, Path(work), engines)
        contenders = [
            running.enter_context(Contender.start(label, name, count, source, pictures))
            for count in threads
            for label, name, source in sources
        ]
        _take_turns(contenders, rounds)
        answers = [_outputs(engine, Path(work) / "outputs.npz") for engine in contenders]
        whole = [_whole(directory, count, pictures, files, rounds) for count in threads]
        return {
            "bundle": sealed.version,
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            "slices": len(files),
            "generated": not _is_real(data),
            "engines": [
                {**_figures(engine, contenders), **_agreement(found, answers[0], sealed.card["temperature"])}
                for engine, found in zip(contenders, answers, strict=True)
            ],
            "predictor": whole,
            "not_measured": _not_measured(),
        }


def _is_real(data: Path) -> bool:
    return (data / "slices.csv").is_file()


def _files(data: Path, slices: int, work: Path) -> list[Path]:
    """Image files spread over the slices that no training has seen, or generated ones."""
    if _is_real(data):
        rows = datasets.holdout(datasets.table(data, "slices"))
        return [data / row.path for row in rows[:: max(1, len(rows) // slices)][:slices]]
    made = [work / f"{number}.png" for number in range(slices)]
    for number, path in enumerate(made):
        path.write_bytes(images.to_png(reference.picture(256, 0.1 * number)))
    return made


def _prepared(files: Iterable[Path], size: int) -> NDArray[np.float32]:
    return np.stack([preprocess.prepare(images.read(path).slices[0], size) for path in files])


def _sources(
    directory: Path, card: dict[str, Any], work: Path, engines: Sequence[str]
) -> list[tuple[str, str, Path]]:
    """(label, engine, what it loads) of these engines; the shipped file stands for its own form."""
    from ml import conversion

    model = bench_engine.rebuilt(directory)
    found = []
    for label in engines:
        form = ENGINES[label]
        if form is None:
            found.append((label, label, directory))
        elif form == card.get("weights_stored_as"):
            found.append((f"{label} (shipped)", "litert", directory / bundle.NETWORK))
        else:
            path = work / f"{form}.tflite"
            path.write_bytes(conversion.converted(model, form))
            found.append((label, "litert", path))
    return found


def _take_turns(engines: Sequence[Contender], rounds: int) -> None:
    for _ in tqdm(range(rounds), desc="bench", unit="round", leave=False, disable=None):
        for batch, calls in CALLS.items():
            for engine in engines:
                answer = engine.ask(batch=batch, calls=calls)
                engine.times[batch].append(answer["ms"])
                engine.rss_mb = max(engine.rss_mb, answer["rss_mb"])


def _outputs(engine: Contender, path: Path) -> Outputs:
    engine.ask(all=str(path))
    with np.load(path) as kept:
        return told_apart([kept[name] for name in kept.files])


def _figures(engine: Contender, engines: Sequence[Contender]) -> dict[str, Any]:
    """Times beside those of the reference with as many threads."""
    same = next(one for one in engines if (one.label, one.threads) == (REFERENCE, engine.threads))
    return {
        "engine": engine.label,
        "threads": engine.threads,
        "milliseconds": {str(batch): round(engine.milliseconds(batch), 3) for batch in CALLS},
        "times_reference": {
            str(batch): round(same.milliseconds(batch) / engine.milliseconds(batch), 2) for batch in CALLS
        },
        "load_s": round(engine.load_s, 2),
        "rss_mb": round(engine.rss_mb),
    }


def _agreement(found: Outputs, expected: Outputs, temperature: float) -> dict[str, Any]:
    """The largest differences from the reference, and how many slices are of another class."""
    there, here = (decision.softmax(one.logits, temperature) for one in (expected, found))
    masks = None
    if found.masks is not None and expected.masks is not None:
        masks = round(float(np.abs(found.masks - expected.masks).max()), 4)
    return {
        "largest_difference": round(float(np.abs(here - there).max()), 4),
        "classes_changed": int(np.sum(here.argmax(axis=1) != there.argmax(axis=1))),
        "largest_mask_difference": masks,
    }


def _whole(
    directory: Path, threads: int, pictures: Path, files: Sequence[Path], rounds: int
) -> dict[str, Any]:
    """The predictor as a worker runs it: start, memory, one image by stage, generated volumes."""
    with Contender.start("predictor", "predictor", threads, directory, pictures) as worker:
        stages = worker.ask(files=[str(path) for path in files])
        volumes = {}
        for slices in VOLUMES:
            answers = [worker.ask(volume=slices) for _ in range(max(1, rounds // 2))]
            seconds = statistics.median(answer["ms"] for answer in answers) / 1000
            peak = max(answer["rss_mb"] for answer in answers)
            volumes[str(slices)] = {"seconds": round(seconds, 2), "rss_mb": round(peak)}
        return {
            "threads": threads,
            "load_s": round(worker.load_s, 2),
            "rss_mb": round(worker.rss_mb),
            "image_ms": {stage: round(stages[stage], 2) for stage in STAGES},
            "volumes": volumes,
        }


def _not_measured() -> list[str]:
    """Engines that would be another dependency of every worker."""
    installed = {name: find_spec(module) is not None for name, module in OTHERS.items()}
    return [f"{name} ({'not required' if there else 'not installed'})" for name, there in installed.items()]


def as_markdown(figures: dict[str, Any]) -> str:
    slices = f"{figures['slices']} {'generated' if figures['generated'] else 'real'} slices"
    parts = [
        f"Bundle {figures['bundle']}, {slices}, {figures['machine']}. Times are medians; the ratios count: "
        f"how many times as fast as `{REFERENCE}` with as many threads.",
        _table(ENGINE_COLUMNS, [_engine_row(one) for one in figures["engines"]]),
        "The predictor as a worker runs it, one image by stage (ms) and generated volumes end to end:",
        _table(PREDICTOR_COLUMNS, [_predictor_row(one) for one in figures["predictor"]]),
        f"Not measured: {', '.join(figures['not_measured'])}.",
        NOTICE,
    ]
    return "\n\n".join(parts)


ENGINE_COLUMNS: Final = (
    "engine",
    "threads",
    *(f"batch {batch}: ms" for batch in CALLS),
    *(f"batch {batch}: x" for batch in CALLS),
    "load s",
    "RSS MB",
    "largest difference",
    "classes changed",
    "mask difference",
)
PREDICTOR_COLUMNS: Final = (
    "threads",
    "load s",
    "RSS MB",
    *STAGES,
    "decode + preprocess of all",
    *(f"{slices} slices: s (peak RSS MB)" for slices in VOLUMES),
)


def _engine_row(one: dict[str, Any]) -> list[str]:
    mask = one["largest_mask_difference"]
    return [
        one["engine"],
        str(one["threads"]),
        *(f"{one['milliseconds'][str(batch)]:.1f}" for batch in CALLS),
        *(f"{one['times_reference'][str(batch)]:.1f}" for batch in CALLS),
        f"{one['load_s']:.2f}",
        str(one["rss_mb"]),
        f"{one['largest_difference']:.4f}",
        str(one["classes_changed"]),
        "-" if mask is None else f"{mask:.4f}",
    ]


def _predictor_row(one: dict[str, Any]) -> list[str]:
    stages = one["image_ms"]
    before = (stages["decode"] + stages["preprocess"]) / sum(stages.values())
    volumes = [one["volumes"][str(slices)] for slices in VOLUMES]
    return [
        str(one["threads"]),
        f"{one['load_s']:.2f}",
        str(one["rss_mb"]),
        *(f"{stages[stage]:.1f}" for stage in STAGES),
        f"{before:.0%}",
        *(f"{volume['seconds']:.2f} ({volume['rss_mb']})" for volume in volumes),
    ]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
