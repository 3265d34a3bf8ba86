"""A case with everything that can hang on one, and a browser for each who may enter the admin site."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.test import Client

from classifier.audit import Actor
from classifier.models import Analysis, ApiToken, AuditEvent, Case, Patient, Review, Scan, User
from classifier.services.reviews import submit_review
from classifier.services.tokens import issue_token
from tests.signed import Signed, read_and_signed
from tests.worker import Worker, worker  # noqa: F401


@dataclass(frozen=True)
class History:
    patient: Patient
    case: Case
    scan: Scan
    analysis: Analysis
    review: Review
    token: ApiToken

    @property
    def event(self) -> AuditEvent:
        return AuditEvent.objects.latest("pk")


@pytest.fixture
def history(case: Case, scan: Scan, rita: User, worker: Worker) -> History:  # noqa: F811
    analysis = worker.finish(scan)
    review = submit_review(
        actor=Actor(user=rita, via="page"), analysis=analysis, verdict="correct", label="meningioma"
    )
    token, _ = issue_token(actor=Actor.command(), user=rita, name="PACS", scopes=["scans:read"])
    return History(case.patient, case, scan, analysis, review, token)


@pytest.fixture
def signed(history: History, rita: User) -> Signed:
    """What follows two reads: a decision between them and a report."""
    return read_and_signed(history.analysis, rita)


@pytest.fixture
def root(make_user: Callable[..., User]) -> User:
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def browser() -> Callable[[User], Client]:
    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in
