"""Where the tumour is, marked by a reader on the page of the review."""

import html

import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import Analysis, Review, Scan, User
from tests.conftest import Reads
from tests.pages.conftest import SignedIn
from tests.pages.reading import words
from tests.pages.test_reading import page, review
from tests.worker import Worker, outlined, prediction


@pytest.fixture
def analysis(scan: Scan, worker: Worker) -> Analysis:
    return worker.finish(scan)


def test_a_box_in_words_says_where_the_finding_is(browser: Client, analysis: Analysis) -> None:
    sent = {"verdict": "agree", "wrong_region": "on", "region": "1: 10, 20, 30, 40"}
    assert review(browser, analysis, **sent).status_code == 302
    assert Review.objects.get().region == {"slice": 0, "box": [10, 20, 30, 40]}
    case = page(browser, "case", analysis.scan.case_id)
    assert "wrong region seen elsewhere on slice 1" in words(case)
    address = f"{reverse('scan', args=[analysis.scan_id])}?analysis={analysis.pk}&amp;slice=1"
    assert address in case.content.decode()
    viewer = html.unescape(browser.get(html.unescape(address)).content.decode())
    assert '"regions": [{"box": [10, 20, 30, 40], "slice": 0, "reader": "alice"}]' in viewer


def test_an_outline_can_be_called_wrong_whatever_the_answer(
    browser: Client, scan: Scan, worker: Worker
) -> None:
    answer = outlined(0, outcome="uncertain", reason="low_margin", reason_text="Close.")
    analysis = worker.finish(scan, answer)
    assert "The marked region is wrong" in words(page(browser, "case", scan.case_id))
    review(browser, analysis, verdict="correct", label="glioma", wrong_region="on")
    assert Review.objects.get().wrong_region


def test_nothing_that_is_not_marked_can_be_called_wrong(browser: Client, scan: Scan, worker: Worker) -> None:
    worker.finish(scan, prediction("notumor"))
    assert "The marked region is wrong" not in words(page(browser, "case", scan.case_id))


@pytest.mark.parametrize("outcome", ["notumor", "uncertain", "refused"])
def test_a_missed_tumour_is_marked_where_its_reader_sees_it(
    outcome: str, browser: Client, scan: Scan, worker: Worker
) -> None:
    analysis = worker.finish(scan, prediction(outcome))
    form = page(browser, "review", analysis.pk).content.decode()
    assert "Where you see a tumour" in form
    assert "wrong_region" not in form
    case = page(browser, "case", scan.case_id).content.decode()
    assert f'<a href="{reverse("review", args=[analysis.pk])}">Say where you see a tumour</a>' in case
    sent = {"verdict": "correct", "label": "glioma", "region": "1: 10, 20, 30, 40"}
    assert review(browser, analysis, **sent).status_code == 302
    case = words(page(browser, "case", scan.case_id))
    assert "Glioma seen on slice 1" in case
    assert "wrong region" not in case
    viewer = html.unescape(page(browser, "scan", scan.pk).content.decode())
    assert '"regions": [{"box": [10, 20, 30, 40], "slice": 0, "reader": "alice"}]' in viewer
    history = words(page(browser, "case_history", scan.case_id))
    assert "alice reviewed: another answer, Glioma, seen on slice 1" in history


def test_a_blind_reader_marks_a_tumour_and_no_other_sees_where_before_their_own(
    browser: Client, signed_in: SignedIn, rita: User, analysis: Analysis, reads: Reads
) -> None:
    reads(blind=True, second_reader=True)
    assert "Where you see a tumour" in words(page(browser, "review", analysis.pk))
    sent = {"verdict": "correct", "label": "meningioma", "region": "1: 10, 20, 30, 40"}
    assert review(browser, analysis, **sent).status_code == 302
    second = signed_in(rita)
    viewer = html.unescape(page(second, "scan", analysis.scan_id).content.decode())
    assert '"regions": []' in viewer
    for name, key in (("case", analysis.scan.case_id), ("case_history", analysis.scan.case_id)):
        assert "seen on slice" in words(page(browser, name, key))
        assert "seen on slice" not in words(page(second, name, key))


def test_a_place_of_no_tumour_is_told_beside_the_place(browser: Client, scan: Scan, worker: Worker) -> None:
    analysis = worker.finish(scan, prediction("notumor"))
    refused = review(browser, analysis, verdict="agree", region="1: 10, 20, 30, 40")
    assert refused.status_code == 400
    assert "A place goes with a tumour" in refused.context["form"].errors["region"][0]
    assert not Review.objects.exists()


@pytest.mark.parametrize("region", ["left", "1: 10, 20", "1 2 3 4 5 6", "1: 30, 20, 10, 40", "9: 1, 2, 3, 4"])
def test_a_box_that_is_none_is_refused(region: str, browser: Client, analysis: Analysis) -> None:
    response = review(browser, analysis, verdict="agree", wrong_region="on", region=region)
    assert response.status_code == 400
    assert not Review.objects.exists()
