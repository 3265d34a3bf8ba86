"""A client for each token, and a worker's part played without a broker."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from classifier.audit import Actor
from classifier.models import Analysis, ModelVersion, User
from classifier.models.tokens import Scope
from classifier.services.analyses import run_analysis
from classifier.services.tokens import issue_token

MakeClient = Callable[..., APIClient]
Work = Callable[..., Analysis]
PROBABILITIES = {"glioma": 0.9, "meningioma": 0.05, "notumor": 0.03, "pituitary": 0.02}


@pytest.fixture
def client_of() -> MakeClient:
    """``client_of(user, *scopes)`` sends a new token of ``user``, of every scope when none is named."""

    def make(user: User, *scopes: str) -> APIClient:
        _, secret = issue_token(actor=Actor.command(), user=user, name="test", scopes=scopes or Scope.values)
        client = APIClient()
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


def prediction(outcome: str = "glioma", **changes: Any) -> dict[str, Any]:
    """What a worker's model says, as `classifier.inference.analyse` returns it."""
    return {
        "outcome": outcome,
        "label": "glioma",
        "probabilities": PROBABILITIES,
        "tumour_probability": 0.97,
        "reason": None,
        "reason_text": None,
        "slice_index": 0,
        "slices": [],
        "timings": {"decode": 1.0},
        **changes,
    }


@pytest.fixture
def work(db: None, monkeypatch: pytest.MonkeyPatch) -> Work:
    """``work(analysis_id, answer)``: a worker takes the analysis and answers, or raises, ``answer``."""
    loaded = ModelVersion.objects.create(version="test-1", sha256="0" * 64, is_active=True)
    monkeypatch.setattr("classifier.services.analyses.prepare_model", lambda: loaded)

    def run(analysis_id: Any, answer: Any = None) -> Analysis:
        def analyse(*_: Any, **__: Any) -> dict[str, Any]:
            if isinstance(answer, Exception):
                raise answer
            return answer or prediction()

        monkeypatch.setattr("classifier.inference.analyse", analyse)
        run_analysis(analysis_id=analysis_id)
        return Analysis.objects.get(pk=analysis_id)

    return run
