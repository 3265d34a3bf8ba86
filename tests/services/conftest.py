"""Everybody's actor, and a worker to finish what they ask for."""

from collections.abc import Callable

import pytest

from classifier.audit import Actor
from classifier.models import Analysis, Role, Scan, User
from tests.conftest import NEURO
from tests.worker import Worker, worker  # noqa: F401


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


@pytest.fixture
def analysis(scan: Scan, worker: Worker) -> Analysis:  # noqa: F811
    return worker.finish(scan)


@pytest.fixture
def carl(make_user: Callable[..., User]) -> Actor:
    """A third reader of the department."""
    return Actor(user=make_user("carl", Role.REVIEWER, NEURO), via="page")
