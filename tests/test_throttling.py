"""Counters are a courtesy: without Redis everything goes on, uncounted."""

import pytest

from classifier.throttling import ForgivingRedisCache


@pytest.fixture
def unreachable() -> ForgivingRedisCache:
    return ForgivingRedisCache("redis://127.0.0.1:1/0", {"OPTIONS": {"socket_connect_timeout": 1}})


def test_a_cache_that_is_away_gives_the_default(unreachable: ForgivingRedisCache) -> None:
    assert unreachable.get("key", "default") == "default"


def test_a_cache_that_is_away_takes_what_is_set_and_forgets_it(unreachable: ForgivingRedisCache) -> None:
    unreachable.set("key", 1, 60)
    assert unreachable.add("key", 1, 60) is True
