"""Reviews of two persons that differ where a department wants no second read: the pages say so."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from classifier.audit import Actor
from classifier.models import Analysis, Role, Scan, User
from classifier.services.reports import sign_report
from tests.conftest import NEURO, Reads
from tests.pages.conftest import SignedIn
from tests.pages.reading import review, words
from tests.worker import Worker


@pytest.fixture
def analysis(scan: Scan, worker: Worker) -> Analysis:
    return worker.finish(scan)


def test_an_earlier_review_of_another_person_that_differs_is_told_before_the_signature(
    browser: Client, analysis: Analysis, signed_in: SignedIn, rita: User, as_alice: Actor
) -> None:
    def told() -> list[bool]:
        """On the page of the case, and beside the signature."""
        pages = [browser.get(reverse(name, args=[analysis.scan.case_id])) for name in ("case", "report")]
        return ["An earlier review, by another person, says otherwise" in words(one) for one in pages]

    review(signed_in(rita), analysis, verdict="correct", label="glioma")
    review(browser, analysis, verdict="correct", label="meningioma")
    assert told() == [True, True]
    review(signed_in(rita), analysis, verdict="correct", label="meningioma")
    assert told() == [False, False], "who has come round does not differ"
    review(browser, analysis, verdict="cannot_tell")
    assert told() == [True, True]
    sign_report(actor=as_alice, case=analysis.scan.case)
    assert told() == [False, False]


def test_who_has_corrected_themselves_differs_from_nobody(browser: Client, analysis: Analysis) -> None:
    for label in ("glioma", "meningioma"):
        review(browser, analysis, verdict="correct", label=label)
    assert "says otherwise;" not in words(browser.get(reverse("report", args=[analysis.scan.case_id])))


def test_that_reads_differ_is_told_after_one_s_own_where_reading_is_blind(
    browser: Client,
    analysis: Analysis,
    signed_in: SignedIn,
    make_user: Callable[..., User],
    rita: User,
    reads: Reads,
) -> None:
    reads(blind=True)
    carl = make_user("carl", Role.REVIEWER, NEURO)
    review(browser, analysis, verdict="correct", label="glioma")
    review(signed_in(rita), analysis, verdict="correct", label="meningioma")
    for who, told in ((carl, False), (rita, True)):
        shown = words(signed_in(who).get(reverse("case", args=[analysis.scan.case_id])))
        assert ("An earlier review, by another person" in shown) is told
