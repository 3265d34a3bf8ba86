"""The other cases of a patient on the page of a case: which, how they ended, and what is not told yet."""

from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from classifier.audit import Actor
from classifier.models import Analysis, AuditEvent, Case, Patient, User
from classifier.services import priors
from classifier.services.analyses import request_analysis
from classifier.services.cases import open_case
from classifier.services.reports import amend_report, sign_report
from tests.conftest import Reads, upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.pages.conftest import SignedIn
from tests.pages.reading import words
from tests.services.readers import read
from tests.worker import Worker, prediction

HEADING = "Other cases of this patient"


def another(
    actor: Actor, question: str = "Follow-up", study: date | None = None, patient: str = "MRN-1"
) -> Case:
    return open_case(actor=actor, patient_reference=patient, question=question, study_date=study)


def analysed(actor: Actor, case: Case, worker: Worker, answer: Any = None, seed: int = 7) -> Analysis:
    [result] = upload_scans(actor=actor, case=case, files=[upload(brain_png(seed))])
    return worker.finish(result.scan, answer)


def told(client: Client, case: Case) -> str:
    """What the list says; empty without one."""
    page = client.get(reverse("case", args=[case.pk])).content.decode()
    section = page.partition('<section class="others"')[2].partition("</section>")[0]
    return words(HttpResponse(f"<section{section}")).removeprefix(f"{HEADING} ")


@pytest.fixture
def as_rita(rita: User) -> Actor:
    return Actor(user=rita, via="page")


@pytest.fixture
def rita_s(signed_in: SignedIn, rita: User) -> Client:
    return signed_in(rita)


def test_the_latest_study_comes_first_with_its_question_and_a_link(
    browser: Client, case: Case, as_alice: Actor
) -> None:
    undated = another(as_alice, "Undated")
    old = another(as_alice, "First seizure", date(2024, 5, 1))
    another(as_alice, "Follow-up", date(2025, 6, 2))
    opened = date_format(timezone.localtime(undated.created_at), "SHORT_DATETIME_FORMAT")
    assert told(browser, case) == (
        "2025-06-02 Follow-up No images yet 2024-05-01 First seizure No images yet "
        f"study date unknown, opened {opened} Undated No images yet"
    )
    link = f'<a href="{reverse("case", args=[old.pk])}">2024-05-01'
    assert link in browser.get(reverse("case", args=[case.pk])).content.decode()


def test_a_signed_case_tells_the_answer_of_its_report(
    browser: Client, case: Case, as_alice: Actor, worker: Worker, rung: list[str]
) -> None:
    other = another(as_alice)
    read(as_alice, analysed(as_alice, other, worker), "meningioma")
    assert "Reads: Meningioma Read, not signed" in told(browser, case)
    sign_report(actor=as_alice, case=other)
    assert "Report: Meningioma Signed" in told(browser, case)
    amend_report(actor=as_alice, case=other, amends=1, reason="Histology", answer="glioma")
    assert "Report: Glioma Signed" in told(browser, case)


def test_what_has_come_after_the_signature_is_told_beside_the_report(
    browser: Client, case: Case, as_alice: Actor, worker: Worker, rung: list[str]
) -> None:
    other = another(as_alice)
    analysis = analysed(as_alice, other, worker, prediction("notumor", label="notumor"))
    read(as_alice, analysis, "notumor")
    sign_report(actor=as_alice, case=other)
    newer = request_analysis(actor=as_alice, scan=analysis.scan)
    worker.take(newer.pk)
    later = "Something has come to this case that the report does not speak of."
    assert f"Report: No tumour The model: Tumour suspected To be read {later}" in told(browser, case)
    read(as_alice, newer, "glioma")
    assert f"Report: No tumour Reads: Glioma Read {later}" in told(browser, case)


def test_of_several_scans_that_are_read_the_gravest_answer_is_told(
    browser: Client, case: Case, as_alice: Actor, worker: Worker, rung: list[str]
) -> None:
    other = another(as_alice)
    for seed, label in enumerate(("glioma", "notumor")):
        read(as_alice, analysed(as_alice, other, worker, seed=seed), label)
    assert "Reads: Glioma Read, not signed" in told(browser, case)


def test_an_unread_case_tells_what_the_model_suspects(
    browser: Client, case: Case, as_alice: Actor, worker: Worker, rung: list[str]
) -> None:
    analysed(as_alice, another(as_alice), worker)
    assert "The model: Tumour suspected To be read" in told(browser, case)


def test_read_blind_neither_the_model_nor_a_reader_is_told_before_one_s_own_read(
    browser: Client, rita_s: Client, case: Case, as_alice: Actor, as_rita: Actor, worker: Worker,
    reads: Reads, rung: list[str],
) -> None:  # fmt: skip
    reads(blind=True)
    other = another(as_alice)
    analysis = analysed(as_alice, other, worker)
    assert "The model:" not in told(browser, case)
    read(as_alice, analysis, "meningioma")
    assert "Reads: Meningioma" in told(browser, case)
    hidden = told(rita_s, case)
    assert "Read, not signed" in hidden
    assert "Meningioma" not in hidden and "suspected" not in hidden
    read(as_rita, analysis, "meningioma")
    assert "Reads: Meningioma" in told(rita_s, case)


def test_the_first_of_two_independent_reads_is_told_to_nobody(
    rita_s: Client, case: Case, as_alice: Actor, as_rita: Actor, worker: Worker, reads: Reads, rung: list[str]
) -> None:
    reads(second_reader=True)
    analysis = analysed(as_alice, another(as_alice), worker)
    read(as_alice, analysis, "meningioma")
    assert "Second read needed" in told(rita_s, case)
    assert "Meningioma" not in told(rita_s, case)
    read(as_rita, analysis, "meningioma")
    assert "Reads: Meningioma Read, not signed" in told(rita_s, case)


def test_that_its_readers_differ_is_told(
    browser: Client, case: Case, as_alice: Actor, as_rita: Actor, worker: Worker, rung: list[str]
) -> None:
    analysis = analysed(as_alice, another(as_alice), worker)
    read(as_alice, analysis, "glioma")
    read(as_rita, analysis, "notumor")
    assert "Reads: No tumour (readers differ) Read, not signed" in told(browser, case)


def test_the_patient_of_the_same_reference_in_another_department_is_another(
    browser: Client, case: Case, as_alice: Actor, bob: User, otto: User, signed_in: SignedIn
) -> None:
    another(Actor(user=bob, via="page"))
    for client in (browser, signed_in(otto)):
        assert HEADING not in words(client.get(reverse("case", args=[case.pk])))


def test_what_came_without_a_patient_has_no_other_cases(browser: Client, as_alice: Actor) -> None:
    cases = [another(as_alice, patient=Patient.UNASSIGNED) for _ in range(2)]
    assert HEADING not in words(browser.get(reverse("case", args=[cases[0].pk])))


def test_many_cases_are_cut_with_a_way_to_the_rest(
    browser: Client, as_alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(priors, "MOST_CASES", 2)
    cases = [another(as_alice, f"Question {number}", patient="MRN 1&2") for number in range(4)]
    rest = f'<a href="{reverse("worklist")}?q=MRN%201%262">More of them in the worklist</a>'
    page = browser.get(reverse("case", args=[cases[0].pk]))
    assert rest in page.content.decode()
    assert [f"Question {number}" in words(page) for number in (3, 2, 1)] == [True, True, False]
    found = words(browser.get(reverse("worklist"), {"q": "MRN 1&2"}))
    assert all(case.question in found for case in cases)
    cases[3].delete()
    assert "More of them" not in words(browser.get(reverse("case", args=[cases[0].pk])))


def test_the_look_at_a_case_names_the_others_that_were_told_of(
    browser: Client, case: Case, as_alice: Actor
) -> None:
    def looks() -> list[Any]:
        browser.get(reverse("case", args=[case.pk]))
        viewed = AuditEvent.objects.filter(action=AuditEvent.Action.CASE_VIEWED).order_by("pk")
        return list(viewed.values_list("case_id", "detail"))

    assert looks() == [(case.pk, {})]
    other = another(as_alice)
    assert looks()[1:] == [(case.pk, {"cases": [other.pk.hex]})]


def test_more_cases_of_every_ending_take_no_more_statements(
    browser: Client, case: Case, as_alice: Actor, worker: Worker, rung: list[str]
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as asked:
            browser.get(reverse("case", args=[case.pk]))
        return len(asked)

    def one_of_each() -> None:
        unread, unsigned, signed = (another(as_alice) for _ in range(3))
        for other in (unread, unsigned, signed):
            analysis = analysed(as_alice, other, worker)
            if other != unread:
                read(as_alice, analysis)
        sign_report(actor=as_alice, case=signed)

    one_of_each()
    statements()
    few = statements()
    one_of_each()
    assert statements() == few
