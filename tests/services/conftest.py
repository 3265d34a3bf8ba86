"""Everybody's actor, and a worker to finish what they ask for."""

import pytest

from classifier.audit import Actor
from classifier.models import User
from tests.worker import worker  # noqa: F401


@pytest.fixture
def as_bob(bob: User) -> Actor:
    return Actor(user=bob, via="page")


@pytest.fixture
def as_rita(rita: User) -> Actor:
    return Actor(user=rita, via="page")


@pytest.fixture
def as_otto(otto: User) -> Actor:
    return Actor(user=otto, via="admin")


@pytest.fixture
def as_ada(ada: User) -> Actor:
    return Actor(user=ada, via="admin", address="10.0.0.9")
