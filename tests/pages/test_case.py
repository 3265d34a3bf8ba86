"""The case page: every scan with its result in words, live until finished, reviewed."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import AuditEvent, Case, Review, Scan, User
from classifier.services import results
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.pages.conftest import SignedIn
from tests.pages.reading import last_event, page_of, polled_url, review, words
from tests.worker import Worker, outlined, prediction

Action = AuditEvent.Action


def test_a_result_is_told_in_words_with_four_numbers_its_model_and_its_limits(
    browser: Client, scan: Scan, worker: Worker
) -> None:
    shares = {"glioma": 0.9, "meningioma": 0.05, "notumor": 0.046, "pituitary": 0.004}
    worker.finish(scan, prediction(probabilities=shares, tumour_probability=0.954))
    page = page_of(browser, scan)
    assert "Glioma suspected" in words(page)
    assert "95% tumour probability" in words(page)
    assert "Glioma 90% Meningioma 5% No tumour 5% Pituitary tumour <1%" in words(page)
    assert "Research use only" in words(page)
    assert reverse("model_card", args=["test-1"]) in page.content.decode()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            prediction("uncertain", reason="low_margin", reason_text="Two answers are nearly as likely."),
            "Uncertain 97% tumour probability Two answers are nearly as likely.",
        ),
        (
            prediction("refused", reason="unlike_training", reason_text="This is no brain MRI."),
            "Refused This is no brain MRI. Model test-1",
        ),
        (
            UserFacingError("image_truncated", "The file is incomplete."),
            "Failed The file is incomplete. Code image_truncated",
        ),
    ],
)
def test_why_there_is_no_answer_is_told(
    answer: Any, expected: str, browser: Client, scan: Scan, worker: Worker
) -> None:
    worker.finish(scan, answer)
    assert expected in words(page_of(browser, scan))


def test_the_slice_that_decided_is_shown_and_named(browser: Client, series: Scan, worker: Worker) -> None:
    worker.finish(series, prediction(slice_index=11))
    page = page_of(browser, series)
    assert "Slice 12 of 20 decided." in words(page)
    assert reverse("picture", args=[series.pk, 11]) in page.content.decode()


def test_what_the_model_has_outlined_lies_over_the_picture_of_its_slice(
    browser: Client, series: Scan, worker: Worker
) -> None:
    analysis = worker.finish(series, outlined(11, 12, slice_index=11))
    page = page_of(browser, series).content.decode()
    assert f'src="{reverse("border", args=[analysis.pk, 11])}?side=512"' in page
    for form in ("review", "adjudication"):
        page = browser.get(reverse(form, args=[analysis.pk])).content.decode()
        assert f'src="{reverse("border", args=[analysis.pk, 11])}?side=1024"' in page


def test_the_measures_say_first_of_which_slice_they_are(
    browser: Client, series: Scan, worker: Worker
) -> None:
    """The picture beside them is that of the slice that decided, which may be another one."""
    answer = outlined(4, 11, slice_index=11)
    answer["finding"] |= {"side": "left"}
    worker.finish(series, answer)
    page = page_of(browser, series)
    assert "On slice 5, where it is largest: Largest diameter 26 px" in words(page)
    assert f"{reverse('scan', args=[series.pk])}?slice=5" in page.content.decode()


def test_a_picture_of_its_own_names_no_slice(browser: Client, scan: Scan, worker: Worker) -> None:
    worker.finish(scan, outlined(0))
    assert "where it is largest" not in words(page_of(browser, scan))


def test_a_slice_without_an_outline_has_no_border(browser: Client, series: Scan, worker: Worker) -> None:
    worker.finish(series, outlined(4, slice_index=11))
    assert "picture-border" not in page_of(browser, series).content.decode()


def test_a_result_that_arrives_brings_the_picture_of_its_slice_with_its_outline(
    browser: Client, series: Scan, worker: Worker
) -> None:
    page, viewer = page_of(browser, series), browser.get(reverse("scan", args=[series.pk]))
    assert reverse("picture", args=[series.pk, 10]) in page.content.decode()
    analysis = worker.finish(series, outlined(3, slice_index=3))
    news = browser.get(polled_url(page)).content.decode()
    assert f'id="picture-{series.pk}" hx-swap-oob="true"' in news
    assert reverse("picture", args=[series.pk, 3]) in news
    assert reverse("border", args=[analysis.pk, 3]) in news
    assert "picture-" not in browser.get(polled_url(viewer)).content.decode()


def test_a_waiting_result_asks_for_itself_until_it_is_finished(
    browser: Client, scan: Scan, worker: Worker
) -> None:
    page = page_of(browser, scan)
    assert "Waiting for analysis" in words(page)
    news = polled_url(page)
    assert browser.get(news).status_code == 204
    worker.finish(scan)
    finished = browser.get(news)
    assert "Glioma suspected" in words(finished)
    assert f'id="result-{scan.pk}" hx-swap-oob="true"' in finished.content.decode()
    assert "hx-trigger" not in finished.content.decode()
    assert last_event().action == Action.ANALYSIS_VIEWED
    assert "hx-trigger" not in page_of(browser, scan).content.decode()


def test_what_is_missing_for_the_signature_moves_on_with_the_results(
    browser: Client, scan: Scan, worker: Worker
) -> None:
    page, viewer = page_of(browser, scan), browser.get(reverse("scan", args=[scan.pk]))
    assert "The analysis is not finished yet." in words(page)
    worker.finish(scan)
    news = browser.get(polled_url(page))
    assert 'id="sign-off" hx-swap-oob="true"' in news.content.decode()
    assert "One scan is still to be read." in words(news)
    assert "sign-off" not in browser.get(polled_url(viewer)).content.decode()


def test_news_comes_for_the_scans_that_have_moved_on_alone(
    browser: Client, scan: Scan, worker: Worker, as_alice: Actor
) -> None:
    [other] = upload_scans(actor=as_alice, case=scan.case, files=[upload(brain_png(7))])
    news = polled_url(page_of(browser, scan))
    worker.finish(scan)
    answer = browser.get(news)
    assert f"result-{scan.pk}" in answer.content.decode()
    assert f"result-{other.scan.pk}" not in answer.content.decode()
    assert polled_url(answer).endswith(f"open={other.scan.analyses.get().pk}.queued")


def test_news_of_another_case_are_not_given(browser: Client, scan: Scan, bob: User, worker: Worker) -> None:
    worker.finish(scan)
    [foreign] = [scan.analyses.get()]
    other = Case.objects.create(
        department=scan.case.department, patient=scan.case.patient, opened_by=scan.uploaded_by
    )
    url = reverse("progress", args=[other.pk])
    assert browser.get(url, {"open": f"{foreign.pk}.queued"}).status_code == 204


@pytest.mark.parametrize("word", ["", "x", "x.queued", "None.None"])
def test_a_senseless_question_for_news_gets_none(word: str, browser: Client, case: Case) -> None:
    assert browser.get(reverse("progress", args=[case.pk]), {"open": word}).status_code == 204


def test_looking_at_a_case_is_recorded(browser: Client, case: Case, alice: User) -> None:
    browser.get(reverse("case", args=[case.pk]))
    event = last_event()
    assert (event.action, event.actor, event.case_id) == (Action.CASE_VIEWED, alice, case.pk)


def test_a_case_without_scans_says_what_to_do(browser: Client, case: Case) -> None:
    assert "Drop files, folders or a ZIP anywhere on this page" in words(
        browser.get(reverse("case", args=[case.pk]))
    )


def test_an_earlier_analysis_stays_visible_with_its_version(
    browser: Client, scan: Scan, worker: Worker
) -> None:
    worker.finish(scan, prediction("notumor", tumour_probability=0.02))
    browser.post(reverse("analyse", args=[scan.pk]))
    worker.finish(scan)
    page = words(page_of(browser, scan))
    assert "Earlier analyses (1)" in page
    assert "No tumour seen, tumour 2%, model test-1" in page
    assert "came to another answer" not in page, "it has suspected nothing that the latest does not"


@pytest.mark.parametrize(
    "latest",
    [
        prediction("notumor", label="notumor"),
        prediction("uncertain", label=None),
        UserFacingError("image_unreadable", "The file is damaged."),
    ],
)
def test_a_suspicion_that_the_latest_analysis_does_not_share_is_told_in_view(
    latest: Any, browser: Client, scan: Scan, worker: Worker
) -> None:
    worker.finish(scan)
    browser.post(reverse("analyse", args=[scan.pk]))
    worker.finish(scan, latest)
    told = "An earlier analysis of this scan, by model test-1, came to another answer: Glioma suspected."
    assert told in words(page_of(browser, scan))
    assert told in words(browser.get(reverse("scan", args=[scan.pk])))
    browser.post(reverse("review", args=[scan.analyses.latest("created_at").pk]), {"verdict": "cannot_tell"})
    assert told in words(browser.get(reverse("report", args=[scan.case_id])))


def test_many_scans_come_in_pages_by_name(
    browser: Client, case: Case, as_alice: Actor, monkeypatch: pytest.MonkeyPatch, rung: list[str]
) -> None:
    monkeypatch.setattr(results, "PAGE", 2)
    for number in (3, 1, 2):
        upload_scans(actor=as_alice, case=case, files=[upload(brain_png(number), f"slice-{number}.png")])
    url = reverse("case", args=[case.pk])
    first, second = words(browser.get(url)), words(browser.get(url, {"start": 2}))
    assert first.index("slice-1.png") < first.index("slice-2.png")
    assert "slice-3.png" not in first
    assert "slice-3.png" in second
    assert browser.get(url, {"start": "9" * 30}).status_code == 200


def test_the_number_of_queries_does_not_grow_with_the_scans(
    browser: Client, scan: Scan, as_alice: Actor, worker: Worker
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert page_of(browser, scan).status_code == 200
        return len(captured)

    worker.finish(scan)
    page_of(browser, scan)
    few = queries()
    for seed in range(1, 6):
        [result] = upload_scans(actor=as_alice, case=scan.case, files=[upload(brain_png(seed))])
        worker.finish(result.scan)
    assert queries() == few <= 16


# --- Review ---------------------------------------------------------------------------------------


def test_a_review_is_recorded_and_shown(
    browser: Client, scan: Scan, worker: Worker, signed_in: SignedIn, rita: User
) -> None:
    analysis = worker.finish(scan)
    response = review(
        signed_in(rita), analysis, verdict="correct", label="meningioma", comment="Dural <b>tail</b>."
    )
    assert response.status_code == 302
    page = page_of(browser, scan)
    assert "rita says otherwise: Meningioma" in words(page)
    assert "Dural &lt;b&gt;tail&lt;/b&gt;." in page.content.decode()
    assert Review.objects.get().reviewer == rita


def test_agreeing_takes_the_machines_answer_over(browser: Client, scan: Scan, worker: Worker) -> None:
    review(browser, worker.finish(scan), verdict="agree")
    assert "alice agrees: Glioma" in words(page_of(browser, scan))


def test_a_review_can_say_that_nothing_can_be_told(browser: Client, scan: Scan, worker: Worker) -> None:
    review(browser, worker.finish(scan), verdict="cannot_tell", comment="Motion")
    assert "alice cannot tell" in words(page_of(browser, scan))


def test_another_answer_must_be_named(browser: Client, scan: Scan, worker: Worker) -> None:
    response = review(browser, worker.finish(scan), verdict="correct")
    assert response.status_code == 400
    assert response.context["form"].errors == {"label": ["Choose the right answer."]}
    assert "Choose the right answer." in words(response)
    assert not Review.objects.exists()


def test_there_is_no_agreeing_where_there_is_no_answer(browser: Client, scan: Scan, worker: Worker) -> None:
    analysis = worker.finish(scan, prediction("uncertain", reason="low_margin", reason_text="Close."))
    page = page_of(browser, scan)
    assert 'value="agree"' not in page.content.decode()
    assert "I see Cannot tell Your answer" in words(page)
    assert "Another answer" not in words(page)
    assert review(browser, analysis, verdict="agree").status_code == 400
    review(browser, analysis, verdict="correct", label="glioma")
    assert "alice says: Glioma" in words(page_of(browser, scan))


def test_an_unfinished_analysis_cannot_be_reviewed(browser: Client, scan: Scan) -> None:
    response = review(browser, scan.analyses.get(), verdict="cannot_tell")
    assert response.status_code == 409
    assert "not finished yet" in words(response)


def test_who_may_not_review_gets_no_form(scan: Scan, worker: Worker, signed_in: SignedIn, otto: User) -> None:
    worker.finish(scan)
    assert '<form class="review-form"' not in page_of(signed_in(otto), scan).content.decode()
