"""Refusal judged on pictures that it has not learnt from."""

from typing import Any

import numpy as np
import pytest

from ml import calibrate, refusal
from ml.refusal import Evidence

RNG = np.random.default_rng(0)
SIZE = 8


def heads(count: int, shift: float = 0.0, axis: int = 0) -> np.ndarray:
    drawn = RNG.normal(30, 3, (count, SIZE))
    drawn[:, axis] += shift
    return np.abs(drawn).astype(np.float32)


def learnt(strangers: np.ndarray, spread: float = 2.0) -> calibrate.Familiar:
    known = np.concatenate([heads(300), heads(200, spread, 1), heads(100, -spread, 2)])
    return calibrate.familiar(known, np.array(["a"] * 300 + ["b"] * 200 + ["c"] * 100), strangers)


def evidence(others: np.ndarray, kinds: list[str], brains: np.ndarray | None = None) -> Evidence:
    brains = heads(60) if brains is None else brains
    groups = tuple(str(i // 3) for i in range(len(brains)))
    return Evidence(brains, groups, others, tuple(kinds))


def anew(one: Evidence) -> dict[str, Any]:
    return refusal.learnt_anew(one, learnt(one.others), heads(200))


def test_a_direction_learnt_anew_from_the_same_pictures_is_the_same() -> None:
    strangers = heads(30, 14, 3)
    familiar = learnt(strangers)
    again = calibrate.relearnt(familiar, strangers)
    assert np.allclose(again.direction, familiar.direction, atol=1e-3 * np.abs(familiar.direction).max())


def test_a_direction_learnt_from_nothing_points_nowhere() -> None:
    assert not calibrate.relearnt(learnt(heads(9, 9)), np.empty((0, SIZE), np.float32)).direction.any()


def test_strangeness_passes_one_where_a_limit_is_passed() -> None:
    familiar = learnt(heads(30, 14, 3))
    limits = calibrate.limits(familiar, heads(300))
    mixed = np.concatenate([heads(50), heads(50, 14, 3)])
    expected = (familiar.distance(mixed) > limits["distance"]) | (
        familiar.foreignness(mixed) > limits["foreignness"]
    )
    assert np.array_equal(calibrate.strangeness(familiar, limits, mixed) > 1, expected) and expected.any()


def test_pictures_of_a_kind_that_was_learnt_are_told_apart() -> None:
    found = anew(evidence(heads(40, 16, 3), ["ct"] * 40))
    assert found["unseen"]["auroc"]["value"] > 0.95
    low, high = found["unseen"]["auroc"]["interval"]
    assert low <= found["unseen"]["auroc"]["value"] <= high
    assert found["kinds"]["ct"]["pictures"] == 40 == found["pictures"]


def test_pictures_like_brains_are_not_told_apart_however_well_they_were_learnt() -> None:
    found = anew(evidence(heads(60), ["odd"] * 60, heads(200)))
    assert 0.3 < found["unseen"]["auroc"]["value"] < 0.7


def test_a_kind_that_was_never_seen_is_harder_than_one_that_was() -> None:
    others = np.concatenate([heads(30, 12, 3), heads(30, -12, 4)])
    found = anew(evidence(others, ["ct"] * 30 + ["knee"] * 30))
    assert found["kind_never_learnt"]["auroc"]["value"] < found["unseen"]["auroc"]["value"]


def test_the_wins_are_those_counted_by_hand() -> None:
    one = evidence(heads(10, 16, 3), ["ct"] * 10, heads(7))
    place, whole, held = np.arange(10) % 5, learnt(one.others), heads(200)
    wins, refused = refusal._crossed(one, whole, held, place)
    for part in range(5):
        familiar = calibrate.relearnt(whole, one.others[place != part])
        limits = calibrate.limits(familiar, held)
        scores = calibrate.strangeness(familiar, limits, one.others[place == part])
        brains = calibrate.strangeness(familiar, limits, one.brains)
        assert wins[place == part].tolist() == [[float(s > b) for b in brains] for s in scores]
        assert refused[place == part].tolist() == [s > 1 for s in scores]


def test_what_is_judged_is_a_fifth_of_every_kind_and_then_a_whole_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places: list[list[int]] = []
    crossed = refusal._crossed

    def noted(*given: Any) -> Any:
        places.append(given[3].tolist())
        return crossed(*given)

    monkeypatch.setattr(refusal, "_crossed", noted)
    anew(evidence(heads(11, 16, 3), ["ct", "knee"] * 5 + ["ct"]))
    assert places == [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0], [0, 1] * 5 + [0]]


def test_a_picture_that_scores_as_a_brain_slice_does_wins_half() -> None:
    familiar, same = learnt(heads(30, 16, 3)), heads(9)
    limits = calibrate.limits(familiar, heads(300))
    found = refusal.as_shipped(evidence(same, ["odd"] * 9, same), familiar, limits, np.zeros(9, np.bool_))
    assert found["unseen"]["auroc"]["value"] == 0.5


def test_as_many_pictures_as_patients_are_still_drawn_independently() -> None:
    """Each picture wins against the slices of one patient: drawn as those, it would win twice as often."""
    one = evidence(heads(20), ["ct"] * 20, heads(60))
    wins = np.repeat(np.eye(20), 3, axis=1)
    low, high = refusal._figures(one, wins, np.ones(20, np.bool_))["auroc"]["interval"]
    assert low < 0.05 < high


def test_patients_and_not_their_slices_are_drawn() -> None:
    familiar = learnt(heads(30, 16, 3))
    limits = calibrate.limits(familiar, heads(300))
    brains = np.repeat(heads(6, 6, 3), 10, axis=0) + heads(60) / 30
    one = evidence(heads(40, 6, 3), ["ct"] * 40, brains)
    widths = []
    for groups in ([str(i) for i in range(60)], [str(i // 10) for i in range(60)]):
        grouped = Evidence(one.brains, tuple(groups), one.others, one.kinds)
        found = refusal.as_shipped(grouped, familiar, limits, np.zeros(40, np.bool_))
        widths.append(np.ptp(found["unseen"]["auroc"]["interval"]))
    assert widths[1] > 1.2 * widths[0]


def test_a_bundle_that_has_learnt_from_others_is_judged_as_it_is() -> None:
    familiar = learnt(heads(30, 16, 3))
    limits = calibrate.limits(familiar, heads(300))
    one = evidence(heads(4, 16, 3), ["ct", "ct", "knee", "knee"], heads(50))
    refused = np.array([True, True, False, True])
    found = refusal.as_shipped(one, familiar, limits, refused)
    scores = calibrate.strangeness(familiar, limits, one.others)
    brains = calibrate.strangeness(familiar, limits, one.brains)
    assert found["unseen"]["auroc"]["value"] == pytest.approx(np.mean(scores[:, None] > brains), abs=1e-4)
    assert found["unseen"]["refused"]["value"] == 0.75
    assert [found["kinds"][kind]["refused"] for kind in ("ct", "knee")] == [2, 1]
    assert "kind_never_learnt" not in found
