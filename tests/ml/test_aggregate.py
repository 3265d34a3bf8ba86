"""One answer for many slices: which count, which decides, and how each method weighs them."""

from dataclasses import replace

import numpy as np
import pytest

from ml import decision
from ml.aggregate import KINDS, METHODS, Aggregation, Slices, aggregate
from ml.decision import HEALTHY, Thresholds

THRESHOLDS = Thresholds(tumour=0.3, margin=0.1, distance=1.0, foreignness=1.0)
ALL = sorted(METHODS)


def slices(
    tumour: list[float],
    *,
    kind: int = 0,
    refused: tuple[int, ...] = (),
    without_brain: tuple[int, ...] = (),
    outlined: list[float] | None = None,
) -> Slices:
    """A scan of which every slice shows a tumour of one kind with these probabilities."""
    probabilities = np.zeros((len(tumour), 4))
    probabilities[:, kind] = tumour
    probabilities[:, HEALTHY] = 1 - np.array(tumour)
    places = np.arange(len(tumour))
    return Slices(
        probabilities,
        np.isin(places, refused),
        ~np.isin(places, without_brain),
        np.array(outlined or [0.0] * len(tumour)),
    )


def called(scan: Slices, how: Aggregation) -> str:
    return decision.decide(aggregate(scan, how).probabilities, THRESHOLDS)[0]


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("tumour", [0.0, 0.04, 0.5, 0.97, 1.0])
def test_a_single_slice_keeps_its_own_probabilities(method: str, tumour: float) -> None:
    found = aggregate(slices([tumour], kind=1), Aggregation(method))
    assert found.probabilities == pytest.approx([0, tumour, 1 - tumour, 0], abs=1e-5)
    assert (found.slice_index, found.refused) == (0, False)


@pytest.mark.parametrize("method", ALL)
def test_every_method_gives_probabilities_and_a_slice_that_was_judged(method: str) -> None:
    random = np.random.default_rng(0)
    for n in (2, 3, 5, 26, 180):
        curve = slices([0.5] * n, refused=tuple(random.integers(0, n, n // 3)), without_brain=(0,))
        curve.probabilities[:] = random.dirichlet(np.full(4, 0.4), n)
        curve.outlined[:] = random.uniform(0, 0.1, n)
        found = aggregate(curve, Aggregation(method))
        assert found.probabilities.sum() == pytest.approx(1) and found.probabilities.min() >= 0
        assert curve.brain[found.slice_index] and not curve.refused[found.slice_index]


@pytest.mark.parametrize("method", ALL)
def test_a_tumour_in_the_middle_third_is_found_and_a_healthy_scan_is_not_given_one(method: str) -> None:
    sick = [0.02] * 8 + [0.95] * 10 + [0.02] * 8
    how = Aggregation(method, slices=5, spread=0.15)
    outlined = [0.05 if value > 0.5 else 0.0 for value in sick]
    found = aggregate(slices(sick, kind=3, outlined=outlined), how)
    assert found.probabilities.argmax() == 3 and 8 <= found.slice_index < 18
    assert called(slices([0.03] * 9), how) == "notumor"


def test_one_suspicious_slice_decides_by_max_and_not_by_the_other_methods() -> None:
    curve = slices([0.01] * 12 + [0.9] + [0.01] * 12)
    assert called(curve, Aggregation("max")) == "glioma"
    for method in ("top", "run", "central"):
        assert aggregate(curve, Aggregation(method, slices=5)).probabilities[0] < 0.3


@pytest.mark.parametrize("method", ALL)
def test_slices_that_disagree_about_the_kind_do_not_speak_against_a_tumour(method: str) -> None:
    curve = slices([0.95] * 6)
    curve.probabilities[::2] = [0.0, 0.0, 0.05, 0.95]
    assert 1 - aggregate(curve, Aggregation(method)).probabilities[HEALTHY] > 0.9


def test_a_run_must_be_of_neighbours() -> None:
    scattered = slices([0.9, 0.02, 0.02] * 5)
    together = slices([0.02] * 5 + [0.9] * 5 + [0.02] * 5)
    how = Aggregation("run", slices=4)
    assert aggregate(together, how).probabilities[0] > 0.8 > 0.5 > aggregate(scattered, how).probabilities[0]


def test_the_largest_outlines_choose_the_slices_where_there_are_any() -> None:
    curve = slices([0.9, 0.6, 0.5, 0.1], outlined=[0.0, 0.02, 0.05, 0.0])
    for count in (2, 3):
        found = aggregate(curve, Aggregation("largest", slices=count))
        assert found.probabilities[0] == pytest.approx(0.55) and found.slice_index == 1


@pytest.mark.parametrize("method", ALL)
def test_a_scan_from_the_other_end_gets_the_same_answer(method: str) -> None:
    tumour, outlined = [0.02, 0.9, 0.3, 0.1, 0.6], [0.0, 0.02, 0.01, 0.0, 0.04]
    there = aggregate(slices(tumour, outlined=outlined), Aggregation(method))
    back = aggregate(slices(tumour[::-1], outlined=outlined[::-1]), Aggregation(method))
    assert back.probabilities == pytest.approx(there.probabilities)
    assert back.slice_index == 4 - there.slice_index


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("method", ALL)
def test_slices_without_brain_and_refused_ones_change_nothing(method: str, kinds: str) -> None:
    how = Aggregation(method, slices=2, kinds=kinds)
    plain = aggregate(slices([0.1, 0.6, 0.4]), how)
    disturbed = slices([1.0, 0.1, 0.6, 1.0, 0.4, 1.0], refused=(3,), without_brain=(0, 5))
    disturbed.probabilities[[0, 3, 5]] = [0.0, 0.0, 0.0, 1.0]
    found = aggregate(disturbed, how)
    assert found.probabilities == pytest.approx(plain.probabilities)
    assert found.slice_index == {0: 1, 1: 2, 2: 4}[plain.slice_index]


@pytest.mark.parametrize("method", ALL)
def test_all_slices_may_name_the_kind_of_a_tumour_that_a_few_found(method: str) -> None:
    curve = slices([0.7, 0.7, 0.95, 0.95, 0.7, 0.7, 0.7, 0.7])
    curve.probabilities[2:4] = [0.0, 0.0, 0.05, 0.95]
    plain, named = (aggregate(curve, Aggregation(method, kinds=kinds)) for kinds in ("chosen", "all"))
    assert named.probabilities[0] > named.probabilities[3]
    assert named.probabilities[HEALTHY] == pytest.approx(plain.probabilities[HEALTHY])
    assert named.probabilities.sum() == pytest.approx(1) and named.slice_index == plain.slice_index
    alone = aggregate(slices([0.4], kind=3), Aggregation(method, kinds="all"))
    assert alone.probabilities == pytest.approx([0, 0, 0.6, 0.4], abs=1e-4)


def test_a_scan_of_refused_slices_is_refused_and_slices_without_brain_do_not_save_it() -> None:
    found = aggregate(slices([0.2, 0.9, 0.3], refused=(1, 2), without_brain=(0,)), Aggregation())
    assert (found.refused, found.slice_index) == (True, 1)
    assert not aggregate(slices([0.2, 0.9, 0.3], refused=(1,)), Aggregation()).refused


def test_a_card_may_refuse_a_scan_by_the_share_of_its_refused_slices() -> None:
    curve = slices([0.9, 0.1, 0.2, 0.3], refused=(1, 2, 3))
    found = aggregate(curve, Aggregation(refused_share=0.75))
    assert (found.refused, found.slice_index) == (True, 3)
    assert not aggregate(curve, Aggregation(refused_share=0.8)).refused


def test_a_scan_where_no_slice_shows_brain_is_judged_whole() -> None:
    assert aggregate(slices([0.1, 0.8], without_brain=(0, 1)), Aggregation()).slice_index == 1


def test_large_outlines_warn_where_enough_neighbours_have_one() -> None:
    curve = slices([0.1] * 6, outlined=[0.05, 0.0, 0.02, 0.04, 0.0, 0.05])
    assert aggregate(curve, Aggregation(), large=None).outlined is None
    assert aggregate(curve, Aggregation(), large=0.1).outlined is None
    assert aggregate(curve, Aggregation(outlined=2), large=0.02).outlined == 3
    assert aggregate(curve, Aggregation(outlined=3), large=0.02).outlined is None
    assert aggregate(slices([0.1], outlined=[0.05]), Aggregation(outlined=3), large=0.02).outlined == 0


def test_the_outline_that_warns_is_of_a_slice_that_was_judged_and_is_counted_in_the_scan() -> None:
    outlined = [0.9, 0.0, 0.02, 0.04, 0.9]
    curve = slices([0.1] * 5, refused=(4,), without_brain=(0,), outlined=outlined)
    assert aggregate(curve, Aggregation(), large=0.02).outlined == 3


def test_a_card_without_aggregation_has_the_most_suspicious_slice_decide() -> None:
    assert Aggregation.from_card({}) == Aggregation(method="max")
    given = {"aggregation": {"method": "run", "slices": 5, "tumour": 0.4}}
    how = Aggregation.from_card(given)
    assert (how.method, how.slices) == ("run", 5)
    assert how.of(26).thresholds(THRESHOLDS).tumour == 0.4
    assert how.of(1).thresholds(THRESHOLDS) == how.of(11).thresholds(THRESHOLDS) == THRESHOLDS
    for unknown in ({"method": "vote"}, {"kinds": "most"}):
        with pytest.raises(ValueError, match=r"vote|most"):
            Aggregation.from_card({"aggregation": unknown})


@pytest.mark.parametrize("count", [3, 5, 11])
def test_of_few_slices_those_that_show_nothing_do_not_speak_against_the_one_through_a_tumour(
    count: int,
) -> None:
    how = Aggregation.from_card({"aggregation": {"method": "run", "slices": 5, "kinds": "all"}})
    curve = slices([0.9] + [0.02] * (count - 1), kind=1)
    assert called(curve, how) == "notumor"
    assert called(curve, how.of(count)) == "meningioma"
    assert how.of(12) == how


THIN = Aggregation.from_card({"aggregation": {"method": "run", "slices": 3, "kinds": "all", "thickness": 4}})


@pytest.mark.parametrize(("spacing", "layers"), [(1.0, 4), (0.9, 4), (1.5, 3), (2.0, 2), (3.0, 1), (6.0, 1)])
def test_so_many_thin_slices_count_as_one(spacing: float, layers: int) -> None:
    how = THIN.of(200, spacing)
    assert (how.slices, how.outlined) == (3 * layers, layers)
    assert THIN.of(12 * layers, spacing) == how
    few = THIN.of(12 * layers - 1, spacing)
    assert few == THIN.of(1) if layers == 1 else (few.method, few.slices) == ("run", layers)
    strict = replace(THIN, tumour=0.6)
    assert strict.of(12 * layers - 1, spacing).thresholds(THRESHOLDS) == THRESHOLDS


def test_where_the_spacing_or_the_thickness_is_not_known_every_slice_counts() -> None:
    assert THIN.of(200) == THIN.of(200, None) == THIN.of(200, 0.0) == THIN
    how = Aggregation("run")
    assert how.of(200, 0.5) == how


def test_two_millimetres_that_look_like_a_tumour_are_none_and_twelve_are() -> None:
    speck, tumour = ([0.03] * 90 + [0.95] * thin + [0.03] * 90 for thin in (2, 12))
    assert called(slices(speck), THIN.of(len(speck))) == "glioma"
    assert called(slices(speck), THIN.of(len(speck), 1.0)) == "notumor"
    assert called(slices(tumour), THIN.of(len(tumour), 1.0)) == "glioma"
    outlined = slices([0.1] * 180, outlined=[0.05 if i < 3 else 0.0 for i in range(180)])
    assert aggregate(outlined, THIN.of(180, 1.0), large=0.02).outlined is None
    assert aggregate(outlined, THIN.of(180), large=0.02).outlined == 0
