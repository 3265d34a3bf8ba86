"""A client for each token, and a worker's part played without a broker."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from classifier.audit import Actor
from classifier.models import Analysis, User
from classifier.models.tokens import Scope
from classifier.services.tokens import issue_token
from tests.api.described import DescribedClient
from tests.worker import Worker, worker  # noqa: F401

MakeClient = Callable[..., APIClient]
Work = Callable[..., Analysis]


@pytest.fixture
def client_of() -> MakeClient:
    """``client_of(user, *scopes)`` sends a new token of ``user``, of every scope when none is named."""

    def make(user: User, *scopes: str) -> APIClient:
        _, secret = issue_token(actor=Actor.command(), user=user, name="test", scopes=scopes or Scope.values)
        client = DescribedClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return client

    return make


@pytest.fixture
def api(client_of: MakeClient, alice: User, rung: list[str]) -> APIClient:
    """Alice's program."""
    return client_of(alice)


@pytest.fixture
def strangers_api(client_of: MakeClient, bob: User) -> APIClient:
    return client_of(bob)


@pytest.fixture
def work(worker: Worker) -> Work:  # noqa: F811
    """``work(analysis_id, answer)``: a worker takes the analysis and answers, or raises, ``answer``."""
    return worker.take
