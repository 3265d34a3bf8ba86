"""Everybody's actor, and a worker to finish what they ask for."""

from collections.abc import Callable

import pytest

from classifier.audit import Actor
from classifier.models import Analysis, Case, Report, Role, Scan, User
from classifier.services.reports import sign_report
from classifier.services.reviews import submit_review
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


@pytest.fixture
def reviewed(analysis: Analysis, as_alice: Actor) -> Analysis:
    submit_review(actor=as_alice, analysis=analysis, verdict="agree")
    return analysis


@pytest.fixture
def signed(reviewed: Analysis, as_alice: Actor, case: Case) -> Report:
    return sign_report(actor=as_alice, case=case, impression="A mass of the left temporal lobe.")
