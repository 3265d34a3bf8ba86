"""Labelled slices with everything that the figures need of them, from one pass over the files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml import bundle, evaluate, images, recipe
from ml.datasets import Row
from ml.decision import Familiar
from ml.engine import Outputs
from ml.errors import ImageError
from ml.evaluate import Answers, Vary
from ml.labels import REFUSED, TUMOUR_CLASSES
from ml.predictor import Predictor


class Observed(Predictor):
    """A predictor that keeps the embeddings of the slices it has judged, which answers do not carry."""

    embeddings: list[NDArray[np.float32]]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.embeddings = []

    @property
    def familiar(self) -> Familiar:
        return self._familiar

    @property
    def temperature(self) -> float:
        return self._temperature

    @property
    def learnt_from(self) -> recipe.Data:
        return recipe.parse("of the card", self.card["recipe"]).data

    def _run(self, x: NDArray[np.float32]) -> Outputs:
        outputs = super()._run(x)
        self.embeddings.append(outputs.embeddings)
        return outputs


@dataclass(frozen=True)
class Reading:
    """Rows, what was answered to them and their embeddings (n, k), all in the same order."""

    rows: tuple[Row, ...]
    answers: Answers
    embeddings: NDArray[np.float32]

    def only(self, chosen: NDArray[np.bool_]) -> "Reading":
        rows = tuple(row for row, keep in zip(self.rows, chosen, strict=True) if keep)
        return Reading(rows, self.answers.only(chosen), self.embeddings[chosen])


def read(predictor: Observed, data: Path, rows: Sequence[Row], vary: Vary | None = None) -> Reading:
    """Of rows and variants of one slice each. Raises ImageError where a file cannot be judged."""
    predictor.embeddings.clear()
    found = answers(predictor, data, rows, vary)
    return Reading(tuple(rows), found, np.concatenate(predictor.embeddings))


def answers(predictor: Predictor, data: Path, rows: Sequence[Row], vary: Vary | None = None) -> Answers:
    """Raises ImageError where a file cannot be judged."""
    found, failed = evaluate.answers(predictor, data, rows, vary)
    if failed:
        raise ImageError(f"{failed[0].path}: {failed[0].detail}", code=failed[0].code)
    return found


@dataclass(frozen=True)
class Pictures:
    """Outcomes and embeddings (m, k) of pictures without a label."""

    outcomes: tuple[str, ...]
    embeddings: NDArray[np.float32] = field(repr=False)

    @property
    def refused(self) -> NDArray[np.bool_]:
        return np.array([outcome == REFUSED for outcome in self.outcomes], np.bool_)

    @property
    def called_tumour(self) -> int:
        return sum(outcome in TUMOUR_CLASSES for outcome in self.outcomes)


def look(predictor: Observed, paths: Sequence[Path]) -> Pictures:
    """Every file through the serving path; the embedding is that of its first slice."""
    outcomes, firsts = [], []
    for path in paths:
        predictor.embeddings.clear()
        outcomes.append(predictor.predict(images.read(path)).outcome)
        firsts.append(predictor.embeddings[0][:1])
    return Pictures(tuple(outcomes), np.concatenate(firsts))


def observed(predictor: Predictor) -> Observed:
    return Observed(bundle.verify(predictor.directory))
