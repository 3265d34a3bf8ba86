"""Browsers of the cast, and a worker to finish what they upload."""

from collections.abc import Callable

import numpy as np
import pytest
from django.core.cache import cache
from django.test import Client

from classifier.audit import Actor
from classifier.models import Case, Scan, User
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain, brain_dicom
from tests.worker import worker  # noqa: F401

SignedIn = Callable[[User], Client]


@pytest.fixture(autouse=True)
def empty_counters() -> None:
    cache.clear()


@pytest.fixture
def signed_in() -> SignedIn:
    def make(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def series(as_alice: Actor, case: Case, rung: list[str]) -> Scan:
    """A DICOM file of 20 frames."""
    frames = np.stack([np.rint(brain(seed) * 1200).astype(np.uint16) for seed in range(20)])
    file = upload(brain_dicom(pixels=frames, NumberOfFrames=20), "series.dcm")
    [result] = upload_scans(actor=as_alice, case=case, files=[file])
    return result.scan


@pytest.fixture
def browser(signed_in: SignedIn, alice: User, rung: list[str]) -> Client:
    """Alice's."""
    return signed_in(alice)
