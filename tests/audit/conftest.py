from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from classifier.models import Case, Scan, User
from tests.audit.world import FILE, PATIENT, QUESTION, REFERENCE, World
from tests.conftest import upload
from tests.ml.pictures import brain_png
from tests.worker import Worker, worker  # noqa: F401


@pytest.fixture
def world(
    alice: User,
    ada: User,
    worker: Worker,  # noqa: F811
    rung: list[str],
    settings: Settings,
    tmp_path: Path,
) -> World:
    cache.clear()
    settings.BUNDLES_DIR = tmp_path / "bundles"
    hers = Client()
    hers.force_login(alice)
    hers.post(reverse("new_case"), {"patient": REFERENCE, "name": PATIENT, "question": QUESTION, "sex": "F"})
    case = Case.objects.get()
    hers.post(reverse("upload", args=[case.pk]), {"file": upload(brain_png(), FILE)})
    scan = Scan.objects.get()
    analysis = worker.finish(scan)
    return World(alice, ada, case, scan, analysis, worker, settings.BUNDLES_DIR)
