"""The worker's part, played in the test's own process with an answer of the test's choice."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from classifier import inference
from classifier.models import Analysis, ModelVersion, Scan
from classifier.services.analyses import run_analysis
from ml import findings

SQUARE = (slice(10, 30), slice(12, 28))
PROBABILITIES = {"glioma": 0.9, "meningioma": 0.05, "notumor": 0.03, "pituitary": 0.02}


def prediction(outcome: str = "glioma", **changes: Any) -> dict[str, Any]:
    """What a model says, as `classifier.inference.analyse` returns it."""
    return {
        "outcome": outcome,
        "label": "glioma",
        "probabilities": PROBABILITIES,
        "tumour_probability": 0.97,
        "reason": None,
        "reason_text": None,
        "slice_index": 0,
        "slices": [],
        "finding": None,
        "masks": b"",
        "timings": {"decode": 1.0},
        **changes,
    }


def outlined(*slices: int, height: int = 160, width: int = 128, **changes: Any) -> dict[str, Any]:
    """The same with a square outlined in each of ``slices``, the first one where none is named."""
    masks = {}
    for index in slices or (0,):
        masks[index] = np.zeros((height, width), np.bool_)
        masks[index][SQUARE] = True
    finding = {
        "slice_index": min(masks),
        "box": [12, 10, 28, 30],
        "area_px": 320,
        "area_mm2": None,
        "diameter_px": 25.6,
        "diameter_mm": None,
        "centre": [20.0, 20.0],
        "side": None,
        "components": 1,
        "slices": sorted(masks),
    }
    return prediction(finding=finding, masks=findings.encode(masks), **changes)


class Worker:
    """Takes one analysis after another; the model it holds is only a row."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.model = ModelVersion.objects.create(version="test-1", sha256="0" * 64, is_active=True)
        monkeypatch.setattr("classifier.services.analyses.prepare_model", lambda: self.model)

    def finish(
        self, scan: Scan, answer: dict[str, Any] | Exception | Callable[..., Any] | None = None
    ) -> Analysis:
        """The latest analysis of ``scan`` after the worker got, raised or called ``answer``."""
        return self.take(scan.analyses.latest("created_at").pk, answer)

    def take(
        self, analysis_id: Any, answer: dict[str, Any] | Exception | Callable[..., Any] | None = None
    ) -> Analysis:
        """The same for one analysis by its key, as a message names it."""

        def analyse(*_: Any, **__: Any) -> dict[str, Any]:
            if isinstance(answer, Exception):
                raise answer
            return answer() if callable(answer) else answer or prediction()

        self._monkeypatch.setattr(inference, "analyse", analyse)
        run_analysis(analysis_id=analysis_id)
        return Analysis.objects.get(pk=analysis_id)


@pytest.fixture
def worker(db: None, monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(monkeypatch)


def lose(analysis: Analysis, attempts: int = 1) -> None:
    """The worker that claimed it is gone and its lease is over."""
    past = timezone.now() - timedelta(hours=1)
    Analysis.objects.filter(pk=analysis.pk).update(
        status=Analysis.Status.RUNNING, attempts=attempts, started_at=past, lease_until=past
    )
