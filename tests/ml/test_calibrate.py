"""Temperature, thresholds and distances chosen from held-out slices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import calibrate, decision
from ml.labels import CLASSES

RNG = np.random.default_rng(0)
TARGETS = RNG.integers(0, 4, 2000)
CHANCES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def drawn(temperature: float) -> np.ndarray:
    """Logits whose probabilities are right after division by ``temperature``."""
    logits = RNG.normal(0, 2, (2000, 4)).astype(np.float32)
    chances = decision.softmax(logits, 1.0)
    TARGETS[:] = [RNG.choice(4, p=row) for row in chances]
    return logits * np.float32(temperature)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    logits = drawn(temperature)
    found = calibrate.temperature(logits, TARGETS)
    assert found == pytest.approx(temperature, rel=0.1)
    before = calibrate.calibration_error(decision.softmax(logits, 1.0), TARGETS)
    after = calibrate.calibration_error(decision.softmax(logits, found), TARGETS)
    assert after < 0.04 and (temperature == 1.0 or after < before)


def test_the_threshold_is_the_lowest_that_leaves_enough_healthy_slices_alone() -> None:
    healthy = np.arange(1, 21) / 100
    limit = calibrate.threshold(healthy, 0.95)
    assert 0.19 < limit < 0.1901
    assert np.mean(healthy < limit) == 0.95


@given(CHANCES, st.floats(0.01, 1))
def test_the_specificity_that_was_asked_for_is_reached_and_no_lower_threshold_does(
    chances: list[float], specificity: float
) -> None:
    healthy = np.array(chances)
    limit = calibrate.threshold(healthy, specificity)
    assert np.mean(healthy < limit) >= specificity - 1e-9
    lower = np.nextafter(limit, -np.inf)
    assert np.mean(healthy < lower) < specificity + 1e-9


def test_the_tumour_threshold_is_the_lowest_that_keeps_the_specificity() -> None:
    healthy = np.arange(100) / 250
    tumour = np.concatenate([healthy, np.full(50, 0.9)])
    probabilities = np.stack([tumour, 0 * tumour, 1 - tumour, 0 * tumour], axis=1)
    targets = np.array([2] * 100 + [0] * 50)
    threshold = calibrate.tumour_threshold(probabilities, targets)
    assert np.mean(healthy < threshold) == pytest.approx(calibrate.SPECIFICITY)
    assert np.mean(healthy < threshold - 2e-4) < calibrate.SPECIFICITY


@pytest.mark.parametrize("healthy", [[0.01] * 60 + [0.25] * 40, [0.1, 0.2, 0.3, 0.04, 0.3456]])
def test_the_tumour_threshold_keeps_the_specificity_with_ties_and_with_few_slices(
    healthy: list[float],
) -> None:
    tumour = np.array(healthy)
    probabilities = np.stack([tumour, 0 * tumour, 1 - tumour, 0 * tumour], axis=1)
    threshold = calibrate.tumour_threshold(probabilities, np.full(len(tumour), 2))
    assert np.mean(1 - probabilities[:, 2] < threshold) >= calibrate.SPECIFICITY


def test_the_tumour_threshold_never_exceeds_one_half() -> None:
    sure = np.array([[0.9, 0.0, 0.1, 0.0]] * 20)
    assert calibrate.tumour_threshold(sure, np.full(20, 2)) == 0.5


def test_the_tumour_threshold_is_above_nothing_however_clear_the_healthy_slices_are() -> None:
    clear = np.array([[0.0, 0.0, 1.0, 0.0]] * 20)
    assert calibrate.tumour_threshold(clear, np.full(20, 2)) == 0.02


def leading(leads: list[float]) -> np.ndarray:
    """Probabilities whose first class leads the second by so much."""
    return np.array([[(1 + lead) / 2, (1 - lead) / 2, 0.0, 0.0] for lead in leads])


def test_the_margin_reaches_as_far_as_nearly_half_of_the_answers_under_it_are_wrong() -> None:
    leads = [*np.linspace(0.01, 0.13, 8), *np.linspace(0.4, 1.0, 400)]
    targets = np.array([0, 1] * 4 + [0] * 400)
    assert calibrate.margin(leading(leads), targets) == calibrate.WIDEST_MARGIN
    wrong_only_in_near_ties = np.array([1, 1, 0, 0, 0, 0, 0, 0] + [0] * 400)
    margin = calibrate.margin(leading(leads), wrong_only_in_near_ties)
    assert 0.07 < margin < 0.11


def test_the_thresholds_are_those_of_the_probabilities_at_the_temperature_that_is_given() -> None:
    logits = drawn(2.5)
    logits[np.arange(len(TARGETS)), TARGETS] += 4
    divisor, found = calibrate.answering(logits, TARGETS)
    assert divisor == calibrate.temperature(logits, TARGETS)
    probabilities = decision.softmax(logits, divisor)
    assert found == {
        "tumour": calibrate.tumour_threshold(probabilities, TARGETS),
        "margin": calibrate.margin(probabilities, TARGETS),
    }
    assert found["tumour"] != calibrate.tumour_threshold(decision.softmax(logits, 1.0), TARGETS)


def test_the_margin_leaves_most_slices_answered() -> None:
    probabilities = decision.softmax(drawn(1.0) * 4, 1.0)
    margin = calibrate.margin(probabilities, TARGETS)
    ranked = np.sort(probabilities, axis=1)
    assert 0.05 <= margin <= 0.3
    assert np.mean(ranked[:, -1] - ranked[:, -2] < margin) <= calibrate.COVERAGE_LOSS + 0.01


def heads(count: int) -> np.ndarray:
    return np.abs(RNG.normal([20, 40, 9], [2, 4, 0.5], (count, 3))).astype(np.float32)


def test_embeddings_like_those_known_are_near_and_others_far() -> None:
    known, cells = heads(600), np.array(["a", "b"] * 300)
    familiar = calibrate.familiar(known, cells, np.empty((0, 3), np.float32))
    limits = calibrate.limits(familiar, known)
    assert np.mean(familiar.distance(heads(600)) > limits["distance"]) < 0.03
    assert (familiar.distance(np.array([[20, 40, 30], [80, 40, 9]], np.float32)) > limits["distance"]).all()
    assert not (familiar.foreignness(known) > limits["foreignness"]).any()


def test_strangers_teach_the_direction_in_which_they_lie() -> None:
    known, cells = heads(600), np.array(["a"] * 600)
    strangers = heads(40) + np.array([0, 0, 3], np.float32)
    familiar = calibrate.familiar(known, cells, strangers)
    limits = calibrate.limits(familiar, known)
    unseen = heads(100) + np.array([0, 0, 3], np.float32)
    assert np.mean(familiar.foreignness(unseen) > limits["foreignness"]) > 0.95
    assert np.mean(familiar.foreignness(heads(600)) > limits["foreignness"]) < 0.03


def test_brier_runs_from_nothing_to_two() -> None:
    right = np.eye(4)[[0, 1]]
    assert calibrate.brier(right, np.array([0, 1])) == 0
    assert calibrate.brier(right, np.array([1, 0])) == 2


def test_the_level_of_an_outline_is_the_one_that_agrees_best_with_the_experts() -> None:
    truths = np.zeros((3, 16, 16), np.uint8)
    truths[0, 4:12, 4:12] = 255
    truths[1] = 128
    masks = np.zeros((3, 4, 4), np.float32)
    masks[0, 1:3, 1:3], masks[0, 0] = 0.42, 0.22
    masks[1], masks[2, 0, 0] = 0.15, 0.9
    targets = np.array([CLASSES.index("glioma"), CLASSES.index("glioma"), CLASSES.index("notumor")])
    found = calibrate.outline(masks, truths, targets)
    assert 0.22 <= found["mask"] < 0.42
    assert found["mask_area"] == pytest.approx(1 / 16)


def test_an_expert_has_drawn_what_is_more_than_half_his() -> None:
    truths = np.zeros((1, 8, 8), np.uint8)
    truths[0, :4, :4], truths[0, 4:6, :1] = 255, 255
    masks = np.zeros((1, 2, 2), np.float32)
    masks[0, 0, 0], masks[0, 1, 0] = 0.6, 0.4
    found = calibrate.outline(masks, truths, np.array([CLASSES.index("glioma")]))
    assert 0.4 <= found["mask"] < 0.6


def test_an_outline_contradicts_where_all_but_a_few_healthy_slices_have_a_smaller_one() -> None:
    masks = np.zeros((200, 10, 10), np.float32)
    masks[:10, 0, :5] = masks[:2] = 0.9
    truths, healthy = np.zeros((200, 4, 4), np.uint8), np.full(200, CLASSES.index("notumor"))
    assert calibrate.outline(masks, truths, healthy)["mask_area"] == pytest.approx(0.05)
    assert calibrate.outline(0 * masks, truths, healthy)["mask_area"] == calibrate.LEAST_AREA


def test_dice_of_two_stacks_is_one_where_they_agree_and_half_where_half_is_found() -> None:
    truth = np.zeros((2, 4, 4), np.bool_)
    truth[:, :2] = True
    half = truth.copy()
    half[1] = False
    assert calibrate.mean_dice(truth, truth) == 1.0
    assert calibrate.mean_dice(half, truth) == 0.5


def test_what_is_refused_lies_half_as_far_out_again_as_what_one_in_a_hundred_exceeds() -> None:
    known = heads(300)
    familiar = calibrate.familiar(known, np.array(["a"] * 300), np.zeros((0, 3), np.float32))
    usual = np.quantile(familiar.distance(known), 0.99)
    assert calibrate.limits(familiar, known)["distance"] == pytest.approx(1.5 * usual, abs=1e-5)
    taught = calibrate.familiar(known, np.array(["a"] * 300), known[:9] + np.float32(3))
    usual = np.quantile(taught.foreignness(known), 0.99)
    assert calibrate.limits(taught, known)["foreignness"] == pytest.approx(1.5 * usual, abs=1e-5)
