"""Dice, boxes and false outlines by slice, class and source."""

import numpy as np
import pytest

from ml import localisation
from ml.evaluate import Answers, Marks

NAN = np.nan


def found(
    dice: list[float],
    area: list[float],
    truth: list[float],
    overlap: list[float] | None = None,
    targets: list[int] | None = None,
    groups: list[str] | None = None,
) -> Answers:
    n = len(dice)
    wanted = np.array(targets or [0] * n)
    marks = Marks(
        np.array(truth, float),
        np.array(area, float),
        np.full(n, 1000.0),
        np.array(dice, float),
        np.array(overlap or dice, float),
    )
    return Answers(
        wanted,
        np.eye(4)[wanted],
        ("glioma",) * n,
        tuple(groups or [str(i) for i in range(n)]),
        tuple("figshare" if t != 2 else "br35h" for t in wanted),
        marks,
    )


def test_a_tumour_without_an_outline_counts_with_nothing() -> None:
    seen = localisation.figures(found([0.9, 0.8, 0.0, 0.7], [50, 50, 0, 50], [60, 60, 60, 60]))
    assert seen is not None
    assert seen["dice"]["value"] == pytest.approx(0.6) and seen["dice"]["n"] == 4
    assert seen["outlined"]["value"] == 0.75
    assert seen["dice_where_outlined"]["value"] == 0.8 and seen["dice_where_outlined"]["n"] == 3


def test_the_median_is_the_slice_in_the_middle() -> None:
    seen = localisation.figures(found([0.9, 0.1, 0.7], [9, 9, 9], [9, 9, 9]))
    assert seen is not None and seen["dice_median"]["value"] == 0.7


def test_boxes_count_from_half_an_overlap_on() -> None:
    seen = localisation.figures(found([0.9] * 4, [9] * 4, [9] * 4, overlap=[0.5, 0.49, 0.9, 0.0]))
    assert seen is not None and seen["boxes"]["value"] == 0.5


def test_outlines_on_healthy_slices_are_counted_and_measured() -> None:
    one = found([NAN, NAN, 0.5], [0, 100, 30], [0, 0, 30], targets=[2, 2, 0])
    seen = localisation.figures(one)
    assert seen is not None and seen["dice"]["n"] == 1
    assert seen["healthy"]["outlined"]["value"] == 0.5 and seen["healthy"]["area"]["value"] == 0.05


def test_a_tumour_that_nobody_outlined_is_not_measured() -> None:
    seen = localisation.figures(found([0.8, NAN], [9, 9], [9, NAN]))
    assert seen is not None and seen["dice"] == {"value": 0.8, "interval": [0.8, 0.8], "n": 1}
    assert "healthy" not in seen


def test_a_model_without_outlines_has_no_figures() -> None:
    one = found([0.8], [9], [9])
    bare = Answers(one.targets, one.probabilities, one.outcomes, one.groups, one.sources)
    assert localisation.figures(bare) is None and localisation.by_source(bare) == {}


def test_every_class_and_source_has_its_own_dice() -> None:
    one = found([0.8, 0.6, 0.4, NAN], [9] * 4, [9, 9, 9, 0], targets=[0, 0, 1, 2])
    seen = localisation.by_source(one)
    assert list(seen) == ["glioma/figshare", "meningioma/figshare"]
    assert seen["glioma/figshare"]["dice"]["value"] == pytest.approx(0.7)


def test_patients_not_slices_are_drawn() -> None:
    dice = [0.9] * 50 + [0.3] * 50
    alone = localisation.figures(found(dice, [9] * 100, [9] * 100))
    two = localisation.figures(found(dice, [9] * 100, [9] * 100, groups=["a"] * 50 + ["b"] * 50))
    assert alone is not None and two is not None
    assert two["dice"]["interval"] == [0.3, 0.9] and alone["dice"]["interval"][0] > 0.5
