"""The bootstrap over patients, on examples worked out by hand and on any data at all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import statistics
from ml.statistics import Bootstrap

SLICES = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30)


def test_a_share_is_its_part_over_its_whole() -> None:
    found = Bootstrap(["a", "b", "c", "d"]).share(np.array([1, 0, 0, 1]), np.array([1, 1, 0, 1]))
    assert found["value"] == pytest.approx(2 / 3, abs=1e-4) and found["n"] == 3


def test_the_interval_of_a_coin_is_that_of_a_coin() -> None:
    heads = np.arange(400) % 2
    low, high = Bootstrap([str(i) for i in range(400)]).share(heads)["interval"]
    assert low == pytest.approx(0.5 - 1.96 * 0.5 / 20, abs=0.006)
    assert high == pytest.approx(0.5 + 1.96 * 0.5 / 20, abs=0.006)


def test_patients_who_all_agree_still_leave_room_for_others() -> None:
    seven = Bootstrap([str(i % 7) for i in range(70)])
    assert seven.share(np.ones(70))["interval"] == [pytest.approx(0.025 ** (1 / 7), abs=1e-4), 1.0]
    assert seven.share(np.zeros(70))["interval"] == [0.0, pytest.approx(1 - 0.025 ** (1 / 7), abs=1e-4)]


def test_only_patients_who_count_narrow_the_bound() -> None:
    whole = np.array([1, 1, 0, 0, 0])
    found = Bootstrap(["a", "b", "c", "d", "e"]).share(whole, whole)
    assert found["interval"][0] == pytest.approx(0.025**0.5, abs=1e-4)


def test_a_share_of_nothing_is_undefined() -> None:
    found = Bootstrap(["a", "b"]).share(np.zeros(2), np.zeros(2))
    assert found == {"value": None, "interval": [None, None], "n": 0}


def test_weights_repeat_what_the_sums_say() -> None:
    bootstrap = Bootstrap(["a", "a", "b", "c"])
    values = np.array([1.0, 2.0, 3.0, 4.0])
    sums = bootstrap.resampled(bootstrap.by_group(values))
    assert np.allclose(bootstrap.weights() @ values, sums)


@pytest.mark.parametrize(("share", "expected"), [(0.25, 1.0), (0.5, 2.0), (0.51, 3.0), (1.0, 9.0)])
def test_a_quantile_is_one_of_the_values(share: float, expected: float) -> None:
    statistic = statistics.quantile(np.array([3.0, 9.0, 1.0, 2.0]), share)
    assert statistic(np.ones((1, 4)))[0] == expected


def test_a_quantile_follows_the_weights() -> None:
    statistic = statistics.quantile(np.array([1.0, 2.0, 3.0]), 0.5)
    assert statistic(np.array([[5, 1, 1], [0, 0, 2], [1, 1, 1]])).tolist() == [1.0, 3.0, 2.0]


@given(SLICES)
def test_the_interval_holds_the_value_and_the_order_does_not_matter(slices: list[tuple[bool, int]]) -> None:
    hits = np.array([hit for hit, _ in slices], float)
    groups = [str(group) for _, group in slices]
    found = Bootstrap(groups).share(hits)
    low, high = found["interval"]
    assert low <= found["value"] <= high
    order = np.random.default_rng(1).permutation(len(slices))
    assert Bootstrap([groups[i] for i in order]).share(hits[order]) == found
