"""Held-out LGG patients by sequence: healthy slices beside a tumour, tumour slices, and tumours by size."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml.decision import HEALTHY
from ml.evaluate import Answers
from ml.labels import NO_TUMOUR
from ml.statistics import Bootstrap

PREFIX: Final = "lgg_"
SIZES: Final = ("small", "middle", "large")


def figures(found: Answers, areas: NDArray[np.float64]) -> dict[str, Any]:
    """``areas`` (n,) are the experts' in pixels, 0 for healthy slices.

    "Called" is the likeliest class, "answered" the outcome. Sizes are thirds of the tumour slices.
    """
    sequences = {name: np.array(found.sources) == name for name in sorted(set(found.sources))}
    edges = np.quantile(areas[found.sick], (1 / 3, 2 / 3)) if found.sick.any() else np.zeros(2)
    return {
        "sequences": {
            name.removeprefix(PREFIX): _sequence(found.only(chosen)) for name, chosen in sequences.items()
        },
        "sizes": _sizes(found, areas, edges),
    }


def _sequence(found: Answers) -> dict[str, Any]:
    bootstrap, sick = Bootstrap(found.groups), found.sick
    left = found.called == HEALTHY
    answered = np.array([outcome == NO_TUMOUR for outcome in found.outcomes])
    return {
        "healthy_called_notumor": bootstrap.share(left & ~sick, ~sick),
        "tumours_called_tumour": bootstrap.share(~left & sick, sick),
        "healthy_answered_notumor": bootstrap.share(answered & ~sick, ~sick),
        "tumours_answered_notumor": bootstrap.share(answered & sick, sick),
    }


def _sizes(found: Answers, areas: NDArray[np.float64], edges: NDArray[np.float64]) -> dict[str, Any]:
    place = np.searchsorted(edges, areas, side="left")
    sized = {name: found.sick & (place == index) for index, name in enumerate(SIZES)}
    return {
        name: {
            "pixels": [int(areas[chosen].min()), int(areas[chosen].max())],
            "tumours_called_tumour": Bootstrap(found.groups).share(
                (found.called != HEALTHY) & chosen, chosen
            ),
        }
        for name, chosen in sized.items()
        if chosen.any()
    }
