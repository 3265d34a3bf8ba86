"""Thresholds, ROC areas and predictive values, worked out by hand."""

import numpy as np
import pytest

from ml import operating
from ml.evaluate import Answers


def found(tumour: list[float], sick: list[bool], groups: list[str] | None = None) -> Answers:
    chance = np.array(tumour)
    nothing = np.zeros(len(chance))
    return Answers(
        np.where(sick, 0, 2),
        np.stack([chance, nothing, 1 - chance, nothing], axis=1),
        ("uncertain",) * len(chance),
        tuple(groups or [str(i) for i in range(len(chance))]),
        ("a",) * len(chance),
    )


def test_tumours_below_the_threshold_are_missed() -> None:
    one = operating.at(found([0.1, 0.4, 0.9, 0.05, 0.6], [True, True, True, False, False]), 0.5)
    assert (one["tumours"], one["tumours_called_notumor"]) == (3, 2)
    assert one["missed"]["value"] == pytest.approx(2 / 3, abs=1e-4) and one["missed"]["n"] == 3
    assert one["specificity"]["value"] == 0.5 and one["specificity"]["n"] == 2


def test_a_tumour_at_the_threshold_is_not_missed() -> None:
    assert operating.at(found([0.5], [True]), 0.5)["tumours_called_notumor"] == 0


def test_no_miss_among_many_patients_still_has_an_upper_end() -> None:
    low, high = operating.at(found([0.9] * 60, [True] * 60), 0.5)["missed"]["interval"]
    assert low == 0 and high == pytest.approx(1 - 0.025 ** (1 / 60), abs=1e-4)


def test_the_roc_area_counts_pairs_and_halves_ties() -> None:
    area = operating.roc_area(found([0.9, 0.5, 0.2, 0.5], [True, True, False, False]))
    assert area is not None and area["value"] == (4 - 0.5) / 4
    assert operating.roc_area(found([0.9], [True])) is None


def test_the_area_under_the_curve_follows_weights() -> None:
    statistic = operating.area(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    assert statistic(np.array([[1, 1, 1, 1], [1, 0, 1, 1]])).tolist() == [0.75, 1.0]
    assert np.isnan(statistic(np.array([[1, 1, 0, 0]]))[0])


def test_predictive_values_follow_bayes() -> None:
    chances = [0.9] * 9 + [0.1] + [0.1] * 8 + [0.9] * 2
    shares = operating.at_prevalence(found(chances, [True] * 10 + [False] * 10), 0.5)
    assert list(shares) == ["0.01", "0.05", "0.2"]
    for prevalence, figures in shares.items():
        p = float(prevalence)
        assert figures["ppv"]["value"] == pytest.approx(0.9 * p / (0.9 * p + 0.2 * (1 - p)), abs=1e-4)
        assert figures["npv"]["value"] == pytest.approx(0.8 * (1 - p) / (0.8 * (1 - p) + 0.1 * p), abs=1e-4)
        for figure in figures.values():
            assert figure["interval"][0] <= figure["value"] <= figure["interval"][1]


def test_at_a_threshold_an_answer_is_an_alarm() -> None:
    shares = operating.at_prevalence(found([0.5, 0.9, 0.5, 0.1], [True, True, False, False]), 0.5)
    assert shares["0.2"]["ppv"]["value"] == pytest.approx(0.2 / (0.2 + 0.5 * 0.8), abs=1e-4)
    assert shares["0.2"]["npv"]["value"] == 1


def test_no_false_alarm_among_few_patients_is_no_proof_that_alarms_are_right() -> None:
    shares = operating.at_prevalence(found([0.9] * 10 + [0.1] * 10, [True] * 10 + [False] * 10), 0.5)
    bound = 0.025 ** (1 / 10)
    ppv, npv = shares["0.01"]["ppv"], shares["0.01"]["npv"]
    assert ppv["value"] == npv["value"] == 1 == ppv["interval"][1]
    assert ppv["interval"][0] == pytest.approx(0.01 / (0.01 + 0.99 * (1 - bound)), abs=1e-3)
    assert npv["interval"][0] == pytest.approx(0.99 / (0.99 + 0.01 * (1 - bound)), abs=1e-3)


def test_rarer_tumours_make_an_alarm_worth_less() -> None:
    shares = operating.at_prevalence(found([0.9, 0.1, 0.9, 0.1], [True, True, False, False]), 0.5)
    ppv = [figures["ppv"]["value"] for figures in shares.values()]
    assert ppv == sorted(ppv) and ppv[0] < ppv[-1]
