"""Calibration and selective answers, worked out by hand."""

import numpy as np
import pytest

from ml import confidence, plots
from ml.decision import softmax
from ml.evaluate import Answers


def found(sure: list[float], right: list[bool], outcomes: list[str] | None = None) -> Answers:
    n = len(sure)
    rest = (1 - np.array(sure)) / 3
    probabilities = np.stack([np.array(sure), rest, rest, rest], axis=1)
    return Answers(
        np.where(right, 0, 1),
        probabilities,
        tuple(outcomes or ["glioma"] * n),
        tuple(str(i) for i in range(n)),
        ("a",) * n,
    )


def test_the_calibration_error_is_the_gap_of_every_bin() -> None:
    seen = confidence.calibration(
        found([0.95] * 4 + [0.55] * 4, [True] * 3 + [False] + [True] * 2 + [False] * 2), 1
    )
    gaps = (4 * (0.95 - 0.75) + 4 * (0.55 - 0.5)) / 8
    assert seen["after"]["calibration_error"]["value"] == pytest.approx(gaps, abs=1e-4)
    assert [one["slices"] for one in seen["bins"]] == [4, 4]
    assert seen["bins"][1] == {
        "from": 0.9333,
        "to": 1.0,
        "slices": 4,
        "confidence": 0.95,
        "accuracy": 0.75,
    }


def test_before_scaling_is_what_the_logits_said() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (50, 4)).astype(np.float32)
    assert np.allclose(confidence.unscaled(softmax(logits, 1.7), 1.7), softmax(logits, 1.0))


def test_a_temperature_that_is_too_low_shows_as_a_larger_error_after_scaling() -> None:
    seen = confidence.calibration(found([0.99] * 10, [True] * 6 + [False] * 4), 0.5)
    assert seen["after"]["calibration_error"]["value"] > seen["before"]["calibration_error"]["value"]


def test_the_surest_are_answered_first() -> None:
    sure = [0.9] * 9 + [0.4]
    seen = confidence.selective(found(sure, [True] * 9 + [False]))
    assert seen["accuracy_at_90"]["value"] == 1 and seen["accuracy_at_90"]["n"] == 9
    assert seen["curve"][-1] == [1.0, 0.9]


def test_a_refused_slice_is_left_out_before_an_unsure_one() -> None:
    outcomes = ["refused"] + ["glioma"] * 9
    seen = confidence.selective(found([0.99] + [0.5] * 9, [False] + [True] * 9, outcomes))
    assert seen["accuracy_at_90"]["value"] == 1


def test_a_part_of_a_slice_counts_in_part() -> None:
    answered = confidence.answered(np.array([0.9, 0.8]), np.array([True, False]), 0.75)
    assert answered(np.ones((1, 2)))[0] == pytest.approx(1 / 1.5)


def test_the_order_of_the_slices_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    sure, right = list(rng.uniform(0.3, 1, 60)), list(rng.random(60) < 0.7)
    order = rng.permutation(60)
    plain = confidence.selective(found(sure, right))
    mixed = confidence.selective(found([sure[i] for i in order], [right[i] for i in order]))
    assert plain["curve"] == mixed["curve"]


def test_charts_are_drawn_for_every_set() -> None:
    one = found([0.95] * 4 + [0.55] * 4, [True] * 6 + [False] * 2)
    metrics = {
        "calibration": {"holdout": confidence.calibration(one, 1.0)},
        "selective": {"holdout": confidence.selective(one)},
    }
    drawn = plots.of(metrics)
    assert sorted(drawn) == ["coverage_holdout.png", "reliability_holdout.png"]
    assert all(content.startswith(b"\x89PNG") for content in drawn.values())


def test_a_bar_reaches_its_height() -> None:
    chart = plots.Chart("a", "b", "c")
    assert chart.place((0, 0)) == (plots.EDGE, plots.SIDE - plots.EDGE)
    assert chart.place((1, 1)) == (plots.SIDE - plots.EDGE, plots.EDGE)
