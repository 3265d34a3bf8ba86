"""From probabilities to an outcome: recall first, and no answer where two are plausible."""

import numpy as np
import pytest

from ml import decision
from ml.decision import REASONS, Familiar, Thresholds

THRESHOLDS = Thresholds(tumour=0.2, margin=0.1, distance=2.0, foreignness=5.0)


@pytest.mark.parametrize(
    ("probabilities", "outcome", "reason"),
    [
        ([0.90, 0.05, 0.03, 0.02], "glioma", None),
        ([0.05, 0.05, 0.85, 0.05], "notumor", None),
        ([0.10, 0.10, 0.75, 0.05], "uncertain", "near_threshold"),
        ([0.45, 0.05, 0.42, 0.08], "uncertain", "near_threshold"),
        ([0.45, 0.42, 0.08, 0.05], "uncertain", "two_plausible"),
        ([0.02, 0.10, 0.30, 0.58], "pituitary", None),
    ],
)
def test_probabilities_become_an_outcome(
    probabilities: list[float], outcome: str, reason: str | None
) -> None:
    assert decision.decide(np.array(probabilities), THRESHOLDS) == (outcome, reason)


def test_a_tumour_above_the_threshold_is_never_called_healthy() -> None:
    rng = np.random.default_rng(0)
    for probabilities in rng.dirichlet(np.full(4, 0.5), 500):
        outcome, reason = decision.decide(probabilities, THRESHOLDS)
        assert (outcome == "notumor") == (1 - probabilities[2] < THRESHOLDS.tumour)
        assert (outcome == "uncertain") == (reason is not None)


def test_at_the_threshold_a_tumour_is_not_excluded_and_at_the_margin_a_class_is_named() -> None:
    exact = Thresholds(tumour=0.25, margin=0.125, distance=1.0, foreignness=1.0)
    at_threshold, at_margin = np.array([0.25, 0, 0.75, 0]), np.array([0.5, 0.375, 0.125, 0])
    assert decision.decide(at_threshold, exact) == ("uncertain", "near_threshold")
    assert decision.decide(at_margin, exact) == ("glioma", None)


def test_every_reason_has_a_sentence() -> None:
    uncertain = {"near_threshold", "two_plausible", "mask_disagrees", "few_slices"}
    assert uncertain | {"not_brain_mri", "no_brain", "image_blank"} == set(REASONS)
    assert all(text.endswith(".") for text in REASONS.values())


FAMILIAR = Familiar(
    centres=np.array([[0, 0], [10, 0]], np.float32),
    whitening=np.diag([2.0, 1.0]).astype(np.float32),
    origin=np.array([5, 0], np.float32),
    direction=np.array([0, 1], np.float32),
)


def test_far_or_foreign_embeddings_are_refused_and_a_blank_slice_says_so() -> None:
    embeddings = np.array([[0, 0.01], [25, 1], [0, 16], [0, 0]], np.float32)
    found = decision.refusals([None, None, None, "image_blank"], embeddings, FAMILIAR, THRESHOLDS)
    assert found == [None, None, "not_brain_mri", "image_blank"]
    wide = Thresholds(tumour=0.2, margin=0.1, distance=9.0, foreignness=1.5)
    assert decision.refusals([None], embeddings[2:3], FAMILIAR, wide) == ["not_brain_mri"]


def test_an_even_surface_with_a_speck_is_even_all_the_same() -> None:
    surface = np.full((100, 100), 0.5, np.float32)
    surface[50, 50] = 1.0
    assert decision.unusable(surface) == "image_blank"
    surface[:10] = 1.0
    assert decision.unusable(surface) is None


def test_noise_on_an_even_surface_is_even_and_a_dim_picture_is_not() -> None:
    ramp = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(100, 100)
    assert decision.unusable(0.5 + 0.015 * ramp) == "image_blank"
    assert decision.unusable(0.03 * ramp) is None


def test_what_cannot_be_judged_at_all_says_so_however_strange_it_looks() -> None:
    foreign = np.array([[0, 400]] * 2, np.float32)
    found = decision.refusals(["image_blank", "no_brain"], foreign, FAMILIAR, THRESHOLDS)
    assert found == ["image_blank", "no_brain"]


def test_what_lies_at_a_limit_is_not_refused() -> None:
    at = np.array([[4, 9]], np.float32)
    far, foreign = float(FAMILIAR.distance(at)[0]), float(FAMILIAR.foreignness(at)[0])
    limits = Thresholds(tumour=0.2, margin=0.1, distance=far, foreignness=foreign)
    assert decision.refusals([None], at, FAMILIAR, limits) == [None]


def test_distance_is_to_the_nearest_centre_in_whitened_units() -> None:
    distances = FAMILIAR.distance(np.array([[4, 0], [25, 9]], np.float32))
    assert distances == pytest.approx([np.sqrt(16 / 2), np.sqrt(9 / 2)])
    assert FAMILIAR.foreignness(np.array([[4, 9]], np.float32)) == pytest.approx([3])


def test_a_higher_temperature_is_less_sure_of_the_same_class() -> None:
    logits = np.array([[3.0, 1.0, 0.0, -1.0]], np.float32)
    cold, warm = decision.softmax(logits, 1.0), decision.softmax(logits, 3.0)
    assert cold.argmax() == warm.argmax() == 0 and cold.max() > warm.max()
    assert warm.sum() == pytest.approx(1)
