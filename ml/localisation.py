"""Where the tumour is said to be: agreement of the outlines shown with those of experts.

A tumour slice whose answer shows no outline counts with a Dice of 0, whatever the reason.
"""

from typing import Any, Final

import numpy as np

from ml import statistics
from ml.evaluate import Answers, Marks
from ml.labels import CLASSES
from ml.statistics import Bootstrap

ENOUGH: Final = 0.5


def figures(found: Answers) -> dict[str, Any] | None:
    """Figures of one set of slices; None where the model outlines nothing."""
    if found.marks is None:
        return None
    drawn = ~np.isnan(found.marks.dice)
    healthy = found.marks.truth == 0
    return {
        **(_tumours(found.only(drawn)) if drawn.any() else {}),
        **({"healthy": _healthy(found.only(healthy))} if healthy.any() else {}),
    }


def by_source(found: Answers) -> dict[str, dict[str, Any]]:
    """``figures`` of every class and source of which experts outlined tumours."""
    if found.marks is None:
        return {}
    cells = np.array([f"{CLASSES[t]}/{s}" for t, s in zip(found.targets, found.sources, strict=True)])
    drawn = ~np.isnan(found.marks.dice)
    return {str(cell): _tumours(found.only(drawn & (cells == cell))) for cell in np.unique(cells[drawn])}


def _tumours(found: Answers) -> dict[str, Any]:
    marks, bootstrap = _marks(found), Bootstrap(found.groups)
    shown = marks.found > 0
    return {
        "dice": bootstrap.share(marks.dice),
        "dice_median": bootstrap.weighted(statistics.quantile(marks.dice, 0.5), len(marks.dice)),
        "outlined": bootstrap.share(shown),
        "dice_where_outlined": bootstrap.share(marks.dice, shown),
        "boxes": bootstrap.share(marks.overlap >= ENOUGH),
    }


def _healthy(found: Answers) -> dict[str, Any]:
    """``area`` is the share of the picture that is outlined, over all slices."""
    marks, bootstrap = _marks(found), Bootstrap(found.groups)
    return {
        "outlined": bootstrap.share(marks.found > 0),
        "area": bootstrap.share(marks.found / marks.picture),
    }


def _marks(found: Answers) -> Marks:
    if found.marks is None:
        raise ValueError("these answers have no outlines")
    return found.marks
