"""Networks whose answer another one learns beside the truth (Hinton et al., 2015).

Several together err less than each of them, and of a slice whose tumour can hardly be seen they are less
certain than its label: a network that is taught so is less sure where it cannot know.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml import decision, starting
from ml.examples import Batch
from ml.recipe import Data, RecipeError


def load(places: Sequence[str], data: Data, policy: str) -> list[Any]:
    """Finished runs, or bundles whole, in this precision.

    Raises RecipeError where there is none, or where it has learnt what ``data`` holds out.
    """
    return [_load(Path(place), data, policy) for place in places]


def _load(place: Path, data: Data, policy: str) -> Any:
    recipe = starting.recipe_of(place)
    nothing_held = data.fold < 0
    if recipe.data.split != data.split or not (nothing_held or recipe.data.fold == data.fold):
        raise RecipeError(f"{place} has learnt what it must not teach: its split or fold is another one.")
    return starting.finished(place, recipe.network, policy)


def probabilities(teachers: Sequence[Any], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 4), of the mean of their logits of pictures (n, side, side, 1)."""
    logits = np.mean([np.asarray(teacher.predict_on_batch(x)[0]) for teacher in teachers], axis=0)
    return np.asarray(decision.softmax(logits, 1.0), np.float32)


def truth(teachers: Sequence[Any], share: float, batch: Batch) -> NDArray[np.float32]:
    """The batch's classes (n, 4), of which ``share`` has given way to what the teachers say of its pictures.

    Pictures that are not brain MRI belong to no class, whatever the teachers say.
    """
    if not teachers:
        return batch.classes
    given = share * (1 - batch.foreign)
    return (1 - given) * batch.classes + given * probabilities(teachers, batch.x)
