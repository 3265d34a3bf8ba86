"""One answer per patient: the mean probability over all slices of the patient that were looked at."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.decision import HEALTHY
from ml.evaluate import Answers
from ml.labels import CLASSES
from ml.statistics import Bootstrap


def known(found: Answers) -> NDArray[np.bool_]:
    """Whether a slice's group is a person, rather than one picture of an unknown one and its copies."""
    people = [
        group.startswith("P:") or source.startswith("lgg") or source == "healthy"
        for group, source in zip(found.groups, found.sources, strict=True)
    ]
    return np.array(people, np.bool_)


def vote(found: Answers) -> Answers:
    """One row per patient: the mean probabilities, and as outcome the likeliest class.

    Of patients who have a tumour only the slices that show it vote; a patient's source is that of
    the first of them. Patients whose tumours are of two classes are left out.
    """
    groups = np.array(found.groups)
    chosen = [
        np.flatnonzero((groups == name) & _telling(found, groups == name)) for name in np.unique(groups)
    ]
    single = [index for index in chosen if len(np.unique(found.targets[index])) == 1]
    means = np.array([found.probabilities[index].mean(axis=0) for index in single]).reshape(-1, len(CLASSES))
    first = [int(index[0]) for index in single]
    return Answers(
        found.targets[first],
        means,
        tuple(CLASSES[int(mean.argmax())] for mean in means),
        tuple(found.groups[index] for index in first),
        tuple(found.sources[index] for index in first),
    )


def _telling(found: Answers, mine: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return found.sick if (found.sick & mine).any() else np.ones(len(mine), np.bool_)


def figures(votes: Answers) -> dict[str, Any]:
    """Of one row per patient: the share that is right, and tumours whose likeliest class is none."""
    bootstrap = Bootstrap(votes.groups)
    right = votes.called == votes.targets
    return {
        "accuracy": bootstrap.share(right),
        "patients": len(right),
        "right": int(right.sum()),
        "tumours_called_notumor": int(np.sum(votes.sick & (votes.called == HEALTHY))),
    }
