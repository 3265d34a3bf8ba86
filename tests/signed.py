"""Rows as they stand after two reads that differ, a third person's decision and a signature."""

from dataclasses import dataclass

from classifier.audit import Actor
from classifier.models import Adjudication, Analysis, Report, Review, User
from classifier.services.reports import sign_report
from classifier.services.reviews import submit_review


@dataclass(frozen=True)
class Signed:
    first: Review
    adjudication: Adjudication
    report: Report


def read_and_signed(analysis: Analysis, reader: User, **verdict: str) -> Signed:
    """``reader`` reads first and signs; without ``verdict`` they agree."""
    actor = Actor(user=reader, via="page")
    first = submit_review(actor=actor, analysis=analysis, **(verdict or {"verdict": "agree"}))
    second, third = (User.objects.create(username=name) for name in ("second", "third"))
    adjudication = Adjudication.objects.create(
        analysis=analysis,
        first_read=first,
        second_read=Review.objects.create(analysis=analysis, reviewer=second, verdict="cannot_tell"),
        first_reader=reader,
        second_reader=second,
        adjudicator=third,
        answer="glioma",
    )
    return Signed(first, adjudication, sign_report(actor=actor, case=analysis.scan.case))
