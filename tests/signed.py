"""Rows as they stand after two reads that differ, a third person's decision and a signature."""

from dataclasses import dataclass

import pytest

from classifier.audit import Actor
from classifier.models import Adjudication, Analysis, Report, Review, Scan, User
from classifier.services.reports import sign_report
from classifier.services.reviews import submit_review
from tests.worker import Worker, outlined


@dataclass(frozen=True)
class Signed:
    analysis: Analysis
    first: Review
    adjudication: Adjudication
    report: Report


def read_and_signed(analysis: Analysis, reader: User, **verdict: str) -> Signed:
    """``reader`` reads first and signs; without ``verdict`` they agree."""
    actor = Actor(user=reader, via="page")
    first = submit_review(actor=actor, analysis=analysis, **(verdict or {"verdict": "agree"}))
    second, third = (User.objects.get_or_create(username=name)[0] for name in ("second", "third"))
    adjudication = Adjudication.objects.create(
        analysis=analysis,
        first_read=first,
        second_read=Review.objects.create(analysis=analysis, reviewer=second, verdict="cannot_tell"),
        first_reader=reader,
        second_reader=second,
        adjudicator=third,
        answer="glioma",
    )
    return Signed(analysis, first, adjudication, sign_report(actor=actor, case=analysis.scan.case))


@pytest.fixture
def signed(scan: Scan, rita: User, worker: Worker) -> Signed:
    """What stands behind every address of a scan: outlined, read twice, decided and signed."""
    return read_and_signed(worker.finish(scan, outlined()), rita)
