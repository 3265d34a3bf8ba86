"""Training of a recipe: seeded, with a checkpoint after every epoch from which it resumes.

A run folder holds ``recipe.json``, ``history.csv``, ``state.json``, ``last.keras`` (network and
optimiser), ``average.npz`` (weights averaged over steps) and ``best.weights.h5``, which is exported.
"""

import csv
import json
import math
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ml import augment, datasets, networks
from ml.augment import Augmentation, Grey
from ml.datasets import Row
from ml.labels import CLASSES, NO_TUMOUR
from ml.recipe import Recipe, Training, parse

AVERAGE_EVERY = 4
ROOM_TO_TURN = 1.2

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass
class State:
    """How far a run has come."""

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf
    finished: bool = False


@dataclass(frozen=True)
class Examples:
    """Training slices, larger than the network's input, with what augmentation needs to know."""

    pictures: NDArray[np.uint8]
    depths: NDArray[np.uint8]
    targets: NDArray[np.int64]
    stripped: NDArray[np.bool_]
    chances: NDArray[np.float64] | None = None

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """``count`` indices: by the recipe's shares, or every example once in random order."""
        if self.chances is None:
            return rng.permutation(len(self.targets))[:count]
        return rng.choice(len(self.targets), count, p=self.chances)

    def variant(self, index: int, size: int, how: Augmentation, rng: np.random.Generator) -> Grey:
        stripped = bool(self.stripped[index])
        return augment.vary(self.pictures[index], self.depths[index], size, stripped, how, rng)


@dataclass
class Average:
    """A running mean of all weights, batch statistics included, as the network that is judged."""

    momentum: float
    weights: list[NDArray[np.float32]] = field(default_factory=list)
    steps: int = 0

    def add(self, weights: list[NDArray[np.float32]]) -> None:
        self.steps += 1
        momentum = min(self.momentum**AVERAGE_EVERY, self.steps / (self.steps + 10))
        if not self.weights:
            self.weights = [w.copy() for w in weights]
        pairs = zip(self.weights, weights, strict=True)
        self.weights = [momentum * mean + (1 - momentum) * new for mean, new in pairs]

    def save(self, path: Path) -> None:
        np.savez(path, *self.weights, steps=np.array(self.steps))

    def load(self, path: Path) -> None:
        with np.load(path) as kept:
            self.steps = int(kept["steps"])
            self.weights = [kept[f"arr_{i}"] for i in range(len(kept.files) - 1)]


def train(recipe: Recipe, data: Path, out: Path) -> Path:
    """Train, or go on where ``out`` stopped; returns the weights to export."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "recipe.json").write_text(json.dumps(recipe.as_dict(), indent=1) + "\n")
    rows, held = datasets.training_and_validation(datasets.records(data, recipe.data.tables), recipe.data)
    examples = _examples(recipe, data, rows)
    validation = datasets.pixels(data, held, recipe.network.size), np.array([row.target for row in held])
    run = Run(recipe, out, examples, validation)
    run.resume()
    run.go()
    return out / "best.weights.h5"


def read_recipe(run: Path) -> Recipe:
    return parse(run.name, json.loads((run / "recipe.json").read_text()))


def _examples(recipe: Recipe, data: Path, rows: Sequence[Row]) -> Examples:
    pictures = datasets.pixels(data, rows, round(recipe.network.size * ROOM_TO_TURN))
    return Examples(
        pictures,
        np.stack(
            [augment.depth(picture) for picture in tqdm(pictures, desc="depth", leave=False, disable=None)]
        ),
        np.array([row.target for row in rows]),
        np.array([row.source == "healthy" for row in rows]),
        _chances(rows, recipe),
    )


def _chances(rows: Sequence[Row], recipe: Recipe) -> NDArray[np.float64] | None:
    if not recipe.data.weights:
        return None
    cells = [row.cell for row in rows]
    shares = np.array([recipe.data.weights.get(cell, 0.0) / cells.count(cell) for cell in cells])
    return np.asarray(shares / shares.sum())


class Run:
    """One training in one folder."""

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        examples: Examples,
        validation: tuple[NDArray[np.uint8], NDArray[np.int64]],
    ) -> None:
        self.recipe, self.out, self.examples, self.validation = recipe, out, examples, validation
        self.state = State()
        self.average = Average(recipe.training.ema)
        self.model = networks.build(recipe.network, precision=recipe.training.precision, seed=recipe.seed)
        self.classifier = networks.classifier(self.model)
        self.judged = networks.build(recipe.network, precision=recipe.training.precision)
        _compile(self.classifier, recipe.training)

    @property
    def steps(self) -> int:
        images = self.recipe.training.images_per_epoch or len(self.examples.targets)
        return max(1, images // self.recipe.training.batch)

    def resume(self) -> None:
        """Take up the last finished epoch, if there is one."""
        if not (self.out / "state.json").is_file():
            return
        self.state = State(**json.loads((self.out / "state.json").read_text()))
        kept = keras.saving.load_model(self.out / "last.keras")
        self.classifier.optimizer.build(self.classifier.trainable_variables)
        _assign(self.classifier.variables, kept.variables)
        _assign(self.classifier.optimizer.variables, kept.optimizer.variables)
        if self.average.momentum:
            self.average.load(self.out / "average.npz")

    def go(self) -> None:
        while not self._is_over():
            loss = self._epoch()
            self.state.epoch += 1
            self._judge(loss)
            self._checkpoint()

    def _is_over(self) -> bool:
        patience = self.recipe.training.patience
        waited = self.state.epoch - self.state.best_epoch
        self.state.finished = self.state.epoch >= self.recipe.training.epochs or 0 < patience <= waited
        return self.state.finished

    def _epoch(self) -> float:
        self._reseed()
        losses = []
        title = f"epoch {self.state.epoch + 1}/{self.recipe.training.epochs}"
        bar = tqdm(self._batches(), total=self.steps, desc=title, unit="batch", mininterval=5)
        for step, (x, y) in enumerate(bar):
            self.classifier.optimizer.learning_rate = self._learning_rate(step)
            self.classifier.reset_metrics()
            losses.append(float(self.classifier.train_on_batch(x, y)))
            if self.average.momentum and step % AVERAGE_EVERY == 0:
                self.average.add(self.classifier.get_weights())
            bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", refresh=False)
        return float(np.mean(losses))

    def _reseed(self) -> None:
        """Dropout draws from the seed and the epoch: checkpoints do not keep its generator."""
        for variable in self.classifier.variables:
            if variable.path.endswith("seed_generator_state"):
                variable.assign(np.array([self.recipe.seed, self.state.epoch]))

    def _learning_rate(self, step: int) -> float:
        training = self.recipe.training
        done = self.state.epoch + step / self.steps
        if done < training.warmup_epochs:
            return training.learning_rate * (done + 1 / self.steps) / training.warmup_epochs
        if training.schedule == "constant":
            return training.learning_rate
        progress = (done - training.warmup_epochs) / (training.epochs - training.warmup_epochs)
        return training.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * min(progress, 1.0))) / 2)

    def _batches(self) -> Iterator[Batch]:
        return ahead(batches(self.recipe, self.examples, self.state.epoch, self.steps))

    def _judge(self, loss: float) -> None:
        """Validate the averaged weights where there are any; keep them if they are the best."""
        self.judged.set_weights(self.average.weights or self.classifier.get_weights())
        figures = validate(self.judged, *self.validation)
        last = not self.recipe.training.patience
        if last or figures["val_loss"] < self.state.best_loss:
            self.state.best_loss, self.state.best_epoch = figures["val_loss"], self.state.epoch
            self.judged.save_weights(self.out / "best.weights.h5")
        self._log({"epoch": self.state.epoch, "loss": round(loss, 4), **figures})

    def _log(self, figures: dict[str, float]) -> None:
        history = self.out / "history.csv"
        fresh = not history.is_file()
        with history.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(figures))
            if fresh:
                writer.writeheader()
            writer.writerow(figures)
        tqdm.write(" ".join(f"{name}={value}" for name, value in figures.items()))

    def _checkpoint(self) -> None:
        """Written beside and renamed, so that a kill at any moment leaves a whole checkpoint."""
        partial = self.out / "partial.keras"
        self.classifier.save(partial)
        partial.replace(self.out / "last.keras")
        if self.average.momentum:
            self.average.save(self.out / "average.partial.npz")
            (self.out / "average.partial.npz").replace(self.out / "average.npz")
        (self.out / "state.json").write_text(json.dumps(asdict(self.state)) + "\n")


def _assign(mine: Sequence[Any], theirs: Sequence[Any]) -> None:
    for variable, value in zip(mine, theirs, strict=True):
        variable.assign(value)


def _compile(model: Any, training: Training) -> None:
    optimizer = keras.optimizers.AdamW(training.learning_rate, weight_decay=training.weight_decay)
    if not training.weight_decay:
        optimizer = keras.optimizers.Adam(training.learning_rate)
    else:
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=training.label_smoothing)
    model.compile(optimizer, loss)


def batches(recipe: Recipe, examples: Examples, epoch: int, steps: int) -> Iterator[Batch]:
    """(x float32 (n, size, size, 1) in [0, 1], y one-hot (n, 4)); a function of the seed and epoch."""
    rng = np.random.default_rng((recipe.seed, epoch))
    how = Augmentation.from_recipe(recipe.augment)
    size, count = recipe.network.size, recipe.training.batch
    order = examples.draw(steps * count, rng)
    for start in range(0, steps * count, count):
        chosen = order[start : start + count]
        x = np.stack([examples.variant(index, size, how, rng) for index in chosen])
        y = np.eye(len(CLASSES), dtype=np.float32)[examples.targets[chosen]]
        yield x[..., np.newaxis].astype(np.float32) / np.float32(255), y


def variants(recipe: Recipe, data: Path, rows: Sequence[Row]) -> NDArray[np.uint8]:
    """One random variant (n, size, size) of every row, as training would see it."""
    examples = _examples(recipe, data, rows)
    how, rng = Augmentation.from_recipe(recipe.augment), np.random.default_rng(recipe.seed)
    return np.stack([examples.variant(i, recipe.network.size, how, rng) for i in range(len(rows))])


def ahead(source: Iterator[Batch], room: int = 6) -> Iterator[Batch]:
    """The same batches, prepared in a thread while the network works on the ones before."""
    waiting: queue.Queue[Batch | Exception | None] = queue.Queue(room)

    def fill() -> None:
        try:
            for batch in source:
                waiting.put(batch)
            waiting.put(None)
        except Exception as error:
            waiting.put(error)

    threading.Thread(target=fill, daemon=True).start()
    while (item := waiting.get()) is not None:
        if isinstance(item, Exception):
            raise item
        yield item


def validate(model: Any, pictures: NDArray[np.uint8], targets: NDArray[np.int64]) -> dict[str, float]:
    """Loss, accuracy, macro recall and tumours called ``notumor``."""
    logits, _ = outputs(model, pictures)
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(targets)), targets]
    called = logits.argmax(axis=1)
    recalls = [float(np.mean(called[targets == c] == c)) for c in np.unique(targets)]
    healthy = CLASSES.index(NO_TUMOUR)
    return {
        "val_loss": round(float(losses.mean()), 4),
        "val_accuracy": round(float(np.mean(called == targets)), 4),
        "val_macro_recall": round(float(np.mean(recalls)), 4),
        "val_missed": int(np.sum((called == healthy) & (targets != healthy))),
        "val_false_alarms": int(np.sum((called != healthy) & (targets == healthy))),
    }


def outputs(model: Any, pictures: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits (n, 4) and embeddings (n, k) of prepared uint8 pictures (n, size, size)."""
    logits, embeddings = [], []
    for start in range(0, len(pictures), 64):
        x = pictures[start : start + 64, ..., np.newaxis].astype(np.float32) / 255
        some_logits, some_embeddings = model.predict_on_batch(x)
        logits.append(some_logits)
        embeddings.append(some_embeddings)
    return np.concatenate(logits), np.concatenate(embeddings)
