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


def load(places: Sequence[str], policy: str) -> list[Any]:
    """Finished runs, or bundles whole, in this precision; RecipeError where there is none."""
    return [starting.finished(Path(place), policy) for place in places]


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
