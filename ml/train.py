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
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from tqdm import tqdm

from ml import calibrate, datasets, examples, networks, precision, starting, teachers
from ml.datasets import Row
from ml.examples import Batch, Examples
from ml.labels import CLASSES, NO_TUMOUR
from ml.normalisation import BatchNormalization
from ml.recipe import Recipe, RecipeError, Training

AVERAGE_EVERY = 4
FOREIGN_WEIGHT = 0.5
STATISTICS_BATCHES = 4


class Outputs(NamedTuple):
    """Logits (n, 4), embeddings (n, k) and, of networks that outline, masks (n, m, m) in [0, 1]."""

    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    masks: NDArray[np.float32] | None


class Validation(NamedTuple):
    """Prepared slices (n, size, size), their classes, and masks (n, size, size) as in ``Examples``."""

    pictures: NDArray[np.uint8]
    targets: NDArray[np.int64]
    masks: NDArray[np.uint8]


@dataclass
class State:
    """How far a run has come."""

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf

    @classmethod
    def of(cls, run: Path) -> "State | None":
        """That of the last checkpoint in the folder of a run, if there is one."""
        path = run / "state.json"
        return cls(**json.loads(path.read_text())) if path.is_file() else None

    def is_over(self, training: Training) -> bool:
        waited = self.epoch - self.best_epoch
        return self.epoch >= training.epochs or 0 < training.patience <= waited


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
    """Train, or go on where ``out`` stopped; returns the weights to export.

    Raises RecipeError where ``out`` is another recipe's run; only its epochs may have changed.
    """
    _claim(recipe, out)
    state = State.of(out)
    if state is None or not state.is_over(recipe.training):
        rows, held = learnt_and_held(recipe, data)
        run = Run(recipe, out, examples.load(recipe, data, rows), validation(recipe, data, held))
        run.resume()
        run.go()
    return out / starting.RUN_WEIGHTS


def _claim(recipe: Recipe, out: Path) -> None:
    """Say in ``out`` what is trained there, which is what a bundle's card will tell."""
    path = out / "recipe.json"
    if path.is_file():
        known = starting.read_recipe(out)
        training = replace(known.training, epochs=recipe.training.epochs)
        if replace(known, name=recipe.name, training=training) != recipe:
            raise RecipeError(f"{out} is a run of another recipe than {recipe.name}.")
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(recipe.as_dict(), indent=1) + "\n")


def learnt_and_held(recipe: Recipe, data: Path) -> tuple[list[Row], list[Row]]:
    """The rows to learn from and those to judge by; for close-ups those with an outlined tumour."""
    parts = datasets.training_and_validation(datasets.records(data, recipe.data.tables), recipe.data)
    learnt, held = ([row for row in part if row.outlined or not recipe.close_up] for part in parts)
    return learnt, held


def validation(recipe: Recipe, data: Path, held: Sequence[Row]) -> Validation:
    size = recipe.network.size
    if recipe.close_up and held:
        near = examples.from_near(recipe, data, held)
        pictures, masks = (examples.close_ups_of(near, of, size) for of in (near.pictures, near.masks))
        return Validation(pictures, np.array([row.target for row in held]), masks)
    return Validation(
        datasets.pixels(data, held, size),
        np.array([row.target for row in held]),
        examples.masks(data, held, size),
    )


class Run:
    """One training in one folder."""

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        learnt: Examples,
        held: Validation,
    ) -> None:
        self.recipe, self.out, self.examples, self.validation = recipe, out, learnt, held
        self.state = State()
        self.average = Average(recipe.training.ema)
        policy = precision.supported(recipe.training.precision)
        self.teachers = teachers.load(recipe.training.teachers, recipe.data, policy)
        learner = self._network(recipe.seed)
        if recipe.network.start and State.of(out) is None:
            starting.start(learner, recipe.network, self._first_pictures())
        self.trainee = networks.trainee(learner)
        self.judged = self._network(recipe.seed)
        self.judged_trainee = networks.trainee(self.judged)
        _compile(self.trainee, recipe.training)
        # Variables that a first step had to make would have Keras trace that step twice.
        self.trainee.optimizer.build(self.trainee.trainable_variables)

    def _network(self, seed: int) -> Any:
        training = self.recipe.training
        return networks.build(
            self.recipe.network,
            precision=precision.supported(training.precision),
            seed=seed,
            any_size=bool(training.sizes),
        )

    @property
    def size(self) -> int:
        """The side of the pictures of the present epoch."""
        sizes = self.recipe.training.sizes or (self.recipe.network.size,)
        part = self.state.epoch * len(sizes) // max(1, self.recipe.training.epochs)
        return sizes[min(part, len(sizes) - 1)]

    @property
    def steps(self) -> int:
        images = self.recipe.training.images_per_epoch or len(self.examples.rows)
        return max(1, images // self.recipe.training.batch)

    def _first_pictures(self) -> NDArray[np.float32]:
        first = examples.batches(self.recipe, self.examples, 0, STATISTICS_BATCHES, self.size)
        return np.concatenate([batch.x for batch in first])

    def resume(self) -> None:
        """Take up the last finished epoch, if there is one."""
        state = State.of(self.out)
        if state is None:
            return
        self.state = state
        kept = keras.saving.load_model(self.out / "last.keras", custom_objects=CUSTOM)
        _assign(self.trainee.variables, kept.variables)
        _assign(self.trainee.optimizer.variables, kept.optimizer.variables)
        if self.average.momentum:
            self.average.load(self.out / "average.npz")

    def go(self) -> None:
        if not self.recipe.training.epochs and State.of(self.out) is None:
            self._judge(math.nan, self.size)
            self._checkpoint()
        while not self.state.is_over(self.recipe.training):
            loss, size = self._epoch(), self.size
            self.state.epoch += 1
            self._judge(loss, size)
            self._checkpoint()

    def _epoch(self) -> float:
        self._reseed()
        losses = []
        title = f"epoch {self.state.epoch + 1}/{self.recipe.training.epochs}"
        bar = tqdm(self._batches(), total=self.steps, desc=title, unit="batch", mininterval=5)
        for step, batch in enumerate(bar):
            self.trainee.optimizer.learning_rate = self._learning_rate(step)
            self.trainee.reset_metrics()
            losses.append(float(_loss_of(self.trainee.train_on_batch(batch.x, self._truth(batch)))))
            if self.average.momentum and step % AVERAGE_EVERY == 0:
                self.average.add(self.trainee.get_weights())
            bar.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", refresh=False)
        return float(np.mean(losses))

    def _truth(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        classes = teachers.truth(self.teachers, self.recipe.training.taught, batch)
        truths = {"logits": classes, "foreign": batch.foreign, "mask": batch.masks}
        return {name: truths[name] for name in self.trainee.output}

    def _reseed(self) -> None:
        """Dropout draws from the seed and the epoch: checkpoints do not keep its generator."""
        for variable in self.trainee.variables:
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
        return ahead(examples.batches(self.recipe, self.examples, self.state.epoch, self.steps, self.size))

    def _judge(self, loss: float, size: int) -> None:
        """Validate the averaged weights where there are any; keep them if they are the best.

        Without patience the latest are kept, so nothing need be held out.
        """
        self.judged_trainee.set_weights(self.average.weights or self.trainee.get_weights())
        figures = validate(self.judged, self.validation, size) if len(self.validation.targets) else {}
        last = not self.recipe.training.patience
        if last or figures["val_loss"] < self.state.best_loss:
            self.state.best_loss = figures.get("val_loss", math.inf)
            self.state.best_epoch = self.state.epoch
            self.judged.save_weights(self.out / starting.RUN_WEIGHTS)
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
        self.trainee.save(partial)
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
    classes = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=training.label_smoothing)
    losses = {
        "logits": classes,
        "foreign": keras.losses.BinaryCrossentropy(from_logits=True),
        "mask": outline_loss,
    }
    weights = {"logits": 1.0, "foreign": FOREIGN_WEIGHT, "mask": training.mask_weight}
    model.compile(
        optimizer,
        {name: losses[name] for name in model.output},
        loss_weights={name: weights[name] for name in model.output},
    )


def _loss_of(result: Any) -> float:
    """The total: Keras gives it alone, or first in a list with those of the outputs."""
    return float(result[0]) if isinstance(result, list | tuple) else float(result)


def outline_loss(truth: Any, found: Any) -> Any:
    """Per slice (n,): cross-entropy of every point, and one minus soft Dice where there is a tumour.

    ``truth`` (n, m, m, 1) is -1 where nobody outlined the tumour: such a slice teaches nothing.
    """
    axes = (1, 2, 3)
    known = ops.cast(ops.max(truth, axis=axes) >= 0, "float32")
    sick = ops.cast(ops.max(truth, axis=axes) > 0, "float32")
    drawn = ops.maximum(truth, 0.0)
    likely = ops.clip(found, 1e-6, 1 - 1e-6)
    entropy = -ops.mean(drawn * ops.log(likely) + (1 - drawn) * ops.log(1 - likely), axis=axes)
    common = 2 * ops.sum(drawn * found, axis=axes) + 1
    dice = common / (ops.sum(drawn, axis=axes) + ops.sum(found, axis=axes) + 1)
    return known * (4 * entropy + sick * (1 - dice))


CUSTOM = {"outline_loss": outline_loss, "BatchNormalization": BatchNormalization}


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


def validate(model: Any, held: Validation, size: int) -> dict[str, float]:
    """Loss, accuracy, macro recall, tumours called ``notumor`` and Dice, with pictures of this size."""
    same = held.pictures.shape[1] == size
    found = outputs(model, held.pictures if same else calibrate.reduced(held.pictures, size))
    logits, targets = found.logits, held.targets
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
        **_mean_dice(held.masks, found.masks),
    }


def _mean_dice(truths: NDArray[np.uint8], masks: NDArray[np.float32] | None) -> dict[str, float]:
    """Over the slices with an outlined tumour, at the resolution of the network's mask."""
    drawn = (truths.max(axis=(1, 2)) > examples.UNKNOWN) if len(truths) else np.zeros(0, np.bool_)
    if masks is None or not drawn.any():
        return {}
    truth = calibrate.reduced(truths[drawn], masks.shape[1]) >= examples.UNKNOWN
    return {"val_dice": round(calibrate.mean_dice(masks[drawn] >= 0.5, truth), 4)}


def outputs(model: Any, pictures: NDArray[np.uint8]) -> Outputs:
    """What a network says of prepared pictures (n, size, size)."""
    parts = []
    for start in range(0, len(pictures), 64):
        x = pictures[start : start + 64, ..., np.newaxis].astype(np.float32) / 255
        parts.append([np.asarray(part) for part in model.predict_on_batch(x)])
    logits, embeddings, *masks = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Outputs(logits, embeddings, masks[0][..., 0] if masks else None)
