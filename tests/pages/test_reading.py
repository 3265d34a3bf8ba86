"""Reading as a department wants it, and signing off, on the pages."""

import io
from collections.abc import Callable
from typing import Any

import pypdf
import pytest
from django.test import Client
from django.urls import reverse

from classifier.audit import Actor
from classifier.models import Adjudication, Analysis, Answer, Case, Report, Role, Scan, User
from classifier.services.cases import open_case
from tests.conftest import NEURO, Reads, upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.pages.conftest import SignedIn
from tests.pages.reading import words
from tests.worker import Worker, prediction

HOSTILE = "<script>alert(1)</script> {{ settings.SECRET_KEY }}"


@pytest.fixture
def analysis(scan: Scan, worker: Worker) -> Analysis:
    return worker.finish(scan)


def page(client: Client, name: str, key: Any) -> Any:
    return client.get(reverse(name, args=[key]))


def review(client: Client, analysis: Analysis, **form: str) -> Any:
    return client.post(reverse("review", args=[analysis.pk]), form)


def report_form(client: Client, analysis: Analysis, **form: str) -> dict[str, str]:
    """What the page's own form would send, with ``form`` over it."""
    shown = page(client, "report", analysis.scan.case_id).context["form"]
    sent = {name: shown[name].value() for name in shown.fields}
    return {name: value for name, value in (sent | form).items() if value is not None}


def sign(client: Client, analysis: Analysis, **form: str) -> Any:
    return client.post(reverse("report", args=[analysis.scan.case_id]), report_form(client, analysis, **form))


# --- Blind and second reader -------------------------------------------------------------------------


def test_a_blind_reader_finds_no_trace_of_the_answer_before_their_own(
    signed_in: SignedIn, rita: User, analysis: Analysis, reads: Reads
) -> None:
    reads(blind=True)
    client = signed_in(rita)
    addresses = [
        reverse("worklist"),
        reverse("case", args=[analysis.scan.case_id]),
        reverse("case_history", args=[analysis.scan.case_id]),
        reverse("scan", args=[analysis.scan_id]),
        reverse("review", args=[analysis.pk]),
        reverse("report", args=[analysis.scan.case_id]),
    ]
    for address in addresses:
        told = words(client.get(address))
        assert "suspected" not in told.replace("Tumour suspected", "", 1) or address == reverse("worklist")
        assert "97%" not in told
        assert "90%" not in told
    case = words(client.get(addresses[1]))
    assert "Your department reads blind." in case
    assert "To be read" in case
    form = page(client, "review", analysis.pk).content.decode()
    assert 'value="agree"' not in form
    assert "wrong_region" not in form
    assert review(client, analysis, verdict="correct", label="glioma").status_code == 302
    case = words(client.get(addresses[1]))
    assert "Glioma suspected" in case
    assert "97%" in case
    assert "rita agrees: Glioma blind" in case


def test_a_signature_is_no_way_to_ask_what_others_have_read(
    browser: Client, signed_in: SignedIn, rita: User, analysis: Analysis, reads: Reads
) -> None:
    reads(blind=True)
    review(browser, analysis, verdict="correct", label="meningioma")
    second = signed_in(rita)
    address = reverse("report", args=[analysis.scan.case_id])
    pages = [second.post(address, {"answer": answer, "state": "x"}) for answer in Answer.values]
    assert {page.status_code for page in pages} == {409}
    assert len({words(page) for page in pages}) == 1
    assert "who signs has read or decided every scan themselves" in words(pages[0])
    assert pages[0].context["sign_off"].answers == []


def test_the_first_read_is_shown_to_the_second_reader_afterwards(
    browser: Client, signed_in: SignedIn, rita: User, analysis: Analysis, reads: Reads
) -> None:
    reads(second_reader=True)
    review(browser, analysis, verdict="agree", comment="Ring of contrast.")
    second = signed_in(rita)
    case = words(page(second, "case", analysis.scan.case_id))
    assert "A first read is recorded." in case
    assert "Ring of contrast." not in case
    review(second, analysis, verdict="agree")
    assert "Ring of contrast." in words(page(second, "case", analysis.scan.case_id))


# --- Adjudication ------------------------------------------------------------------------------------


def test_a_third_person_sees_both_reads_and_decides(
    browser: Client,
    signed_in: SignedIn,
    rita: User,
    make_user: Callable[..., User],
    analysis: Analysis,
    reads: Reads,
) -> None:
    reads(second_reader=True, blind=True)
    review(browser, analysis, verdict="correct", label="glioma", comment="Ring of contrast.")
    review(signed_in(rita), analysis, verdict="correct", label="notumor", comment=HOSTILE)
    third = signed_in(make_user("carl", Role.REVIEWER, NEURO))
    case = page(third, "case", analysis.scan.case_id)
    assert reverse("adjudication", args=[analysis.pk]) in case.content.decode()
    shown = page(third, "adjudication", analysis.pk)
    assert "Ring of contrast." in words(shown)
    assert "<script>alert" not in shown.content.decode()
    own = words(page(browser, "adjudication", analysis.pk))
    assert "You have read this yourself; a third person decides." in own
    assert browser.post(reverse("adjudication", args=[analysis.pk]), {"answer": "glioma"}).status_code == 403
    done = third.post(
        reverse("adjudication", args=[analysis.pk]), {"answer": "glioma", "comment": "Two slices."}
    )
    assert done.status_code == 302
    assert Adjudication.objects.get().adjudicator.username == "carl"
    case = words(page(browser, "case", analysis.scan.case_id))
    assert "carl decided between the reads: Glioma" in case
    assert "Add a review" not in case


# --- Report ------------------------------------------------------------------------------------------


def test_what_is_missing_stands_where_the_signature_would(browser: Client, analysis: Analysis) -> None:
    shown = page(browser, "report", analysis.scan.case_id)
    assert "One scan is still to be read." in words(shown)
    assert "Sign the report" not in words(shown)
    assert "One scan is still to be read." in words(page(browser, "case", analysis.scan.case_id))


def test_after_each_review_is_told_what_is_next(
    browser: Client, case: Case, as_alice: Actor, rung: list[str], worker: Worker
) -> None:
    scans = [upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed))])[0] for seed in range(3)]
    analyses = [worker.finish(result.scan) for result in scans]
    address = reverse("case", args=[case.pk])
    assert "3 of 3 scans are still to be read." in words(page(browser, "case", case.pk))
    for analysis, left in zip(analyses, ("2 of 3 scans are", "One scan is"), strict=False):
        response = review(browser, analysis, verdict="agree")
        assert response["Location"] == f"{address}#scan-{analysis.scan_id}"
        told = words(page(browser, "case", case.pk))
        assert f"Your review is recorded. {left} still to be read." in told
    response = review(browser, analyses[-1], verdict="agree")
    assert response["Location"] == address
    told = page(browser, "case", case.pk)
    assert "All scans are read: the report can be signed. To the report" in words(told)
    link = f'signed. <a href="{reverse("report", args=[case.pk])}">To the report</a>'
    assert link in told.content.decode()


def test_what_a_second_reader_still_has_to_do_is_told_after_the_first_review(
    browser: Client, analysis: Analysis, reads: Reads
) -> None:
    reads(second_reader=True)
    review(browser, analysis, verdict="agree")
    told = words(page(browser, "case", analysis.scan.case_id))
    assert "Your review is recorded. A scan still needs its second, independent read." in told


def test_a_review_after_the_signature_leads_to_the_amendment(
    browser: Client, analysis: Analysis, worker: Worker
) -> None:
    review(browser, analysis, verdict="agree")
    sign(browser, analysis)
    browser.post(reverse("analyse", args=[analysis.scan_id]))
    review(browser, worker.finish(analysis.scan), verdict="agree")
    told = words(page(browser, "case", analysis.scan.case_id))
    assert "All scans are read: the report can be amended." in told


def test_a_case_is_signed_off_and_its_report_downloaded(browser: Client, analysis: Analysis) -> None:
    review(browser, analysis, verdict="agree")
    assert "Sign off" in words(page(browser, "case", analysis.scan.case_id))
    response = sign(browser, analysis, impression=HOSTILE)
    assert response["Location"] == reverse("report", args=[analysis.scan.case_id])
    shown = browser.get(response["Location"])
    assert "Version 1, which holds" in words(shown)
    assert "<script>alert" not in shown.content.decode()
    report = Report.objects.get()
    assert report.answer == "glioma"
    pdf = browser.get(reverse("report_pdf", args=[report.pk]), {"language": "es"})
    assert pdf["Content-Type"] == "application/pdf"
    assert pdf["Content-Disposition"].startswith("attachment")
    assert "sandbox" in pdf["Content-Security-Policy"]
    reader = pypdf.PdfReader(io.BytesIO(pdf.content))
    assert reader.trailer["/Root"]["/Lang"] == "es"
    case = words(page(browser, "case", analysis.scan.case_id))
    assert "Report, version 1: Glioma" in case
    assert "Add a review" not in case
    assert review(browser, analysis, verdict="agree").status_code == 409


def test_what_is_said_of_a_signature_on_the_next_patient_s_page_names_the_first(
    browser: Client, analysis: Analysis, as_alice: Actor
) -> None:
    case, following = analysis.scan.case, open_case(actor=as_alice, patient_reference="MRN-2")
    for address in (reverse("worklist"), reverse("case", args=[case.pk])):
        browser.get(address)
    review(browser, analysis, verdict="agree")
    form = report_form(browser, analysis) | {"then": "next"}
    landed = browser.post(reverse("report", args=[case.pk]), form, follow=True)
    assert landed.context["case"] == following
    assert f"The report of {case.patient.reference} is signed." in words(landed)


@pytest.mark.parametrize("name", ["case", "case_history", "upload", "report"])
def test_a_window_s_title_says_whose_case_it_is(name: str, browser: Client, case: Case) -> None:
    text = page(browser, name, case.pk).content.decode()
    assert f"<title>{case.patient.reference}" in text


@pytest.mark.parametrize("name", ["review", "adjudication"])
def test_a_window_s_title_says_whose_read_it_is(name: str, browser: Client, analysis: Analysis) -> None:
    text = page(browser, name, analysis.pk).content.decode()
    assert f"<title>{analysis.scan.case.patient.reference} " in text


@pytest.mark.parametrize(
    ("read", "tone"),
    [
        ({"verdict": "correct", "label": "meningioma"}, "suspected"),
        ({"verdict": "correct", "label": "notumor"}, "clear"),
        ({"verdict": "cannot_tell"}, "uncertain"),
    ],
)
def test_the_mark_before_a_signed_answer_is_that_of_the_answer(
    read: dict[str, str], tone: str, browser: Client, analysis: Analysis
) -> None:
    review(browser, analysis, **read)
    sign(browser, analysis)
    assert (
        f'<p class="outcome tag-{tone}">' in page(browser, "report", analysis.scan.case_id).content.decode()
    )


def test_who_signs_sees_what_is_signed(browser: Client, analysis: Analysis) -> None:
    """Picture, answer and reads stand beside the signature, and not before there can be one."""
    assert "What you sign" not in words(page(browser, "report", analysis.scan.case_id))
    review(browser, analysis, verdict="correct", label="meningioma", comment="Broad base on the dura.")
    shown = page(browser, "report", analysis.scan.case_id)
    for told in (
        "What you sign",
        "Glioma suspected",
        "alice says otherwise: Meningioma",
        "Broad base on the dura.",
    ):
        assert told in words(shown)
    assert reverse("picture", args=[analysis.scan_id, 0]) in shown.content.decode()


def test_page_and_report_number_the_scans_alike(
    browser: Client, case: Case, as_alice: Actor, rung: list[str], worker: Worker
) -> None:
    """In the order of their files' names, whenever each came."""
    for name, seed, answer in (("b.png", 0, "glioma"), ("a.png", 1, "notumor"), ("c.png", 2, "notumor")):
        [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed), name)])
        analysis = worker.finish(result.scan, prediction(answer))
        review(browser, analysis, verdict="agree")
    shown = words(page(browser, "case", case.pk))
    places = [shown.index(told) for told in ("Scan 1 of 3 a.png", "Scan 2 of 3 b.png", "Scan 3 of 3 c.png")]
    assert places == sorted(places)
    assert "Scan 2 of 3 b.png The model: Glioma suspected" in words(page(browser, "report", case.pk))
    sign(browser, analysis)
    pdf = browser.get(reverse("report_pdf", args=[Report.objects.get().pk])).content
    told = " ".join(pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split())
    assert "Scan 2 of 3. Slice 1 of 1." in told
    assert [scan["answer"] for scan in Report.objects.get().content["scans"]] == [
        "notumor",
        "glioma",
        "notumor",
    ]


def test_an_amendment_needs_its_reason_and_keeps_the_first_version(
    browser: Client, analysis: Analysis
) -> None:
    review(browser, analysis, verdict="agree")
    sign(browser, analysis)
    assert sign(browser, analysis, reason="").status_code == 400
    assert sign(browser, analysis, reason="Wrong side.", answer="meningioma").status_code == 302
    shown = words(page(browser, "report", analysis.scan.case_id))
    assert "Version 2, which holds" in shown
    assert "Wrong side." in shown
    assert "All versions" in shown
    assert [report.answer for report in Report.objects.order_by("version")] == ["glioma", "meningioma"]


def test_two_who_sign_at_once_do_not_sign_unseen(
    browser: Client, signed_in: SignedIn, rita: User, analysis: Analysis
) -> None:
    review(browser, analysis, verdict="agree")
    seen = report_form(browser, analysis)
    review(signed_in(rita), analysis, verdict="correct", label="meningioma")
    response = browser.post(reverse("report", args=[analysis.scan.case_id]), seen)
    assert response.status_code in {400, 409}
    assert not Report.objects.exists()


def test_who_may_not_sign_sees_the_report_without_a_form(
    browser: Client, signed_in: SignedIn, otto: User, analysis: Analysis
) -> None:
    review(browser, analysis, verdict="agree")
    assert "Not signed yet" in words(page(signed_in(otto), "report", analysis.scan.case_id))
    sign(browser, analysis)
    shown = words(page(signed_in(otto), "report", analysis.scan.case_id))
    assert "Version 1, which holds" in shown
    assert "Amend the report" not in shown


def test_the_timeline_tells_reading_and_signing_in_words(browser: Client, analysis: Analysis) -> None:
    review(browser, analysis, verdict="agree", wrong_region="on")
    sign(browser, analysis)
    sign(browser, analysis, reason="A slip.")
    browser.get(reverse("report_pdf", args=[Report.objects.latest("version").pk]))
    history = reverse("case_history", args=[analysis.scan.case_id])
    told = words(browser.get(history, {"looks": "yes"}))
    for sentence in (
        "alice reviewed: agree, Glioma, wrong region",
        "alice signed the report: Glioma",
        "alice amended the report, version 2: Glioma",
        "alice downloaded the report",
    ):
        assert sentence in told
