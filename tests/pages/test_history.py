"""The history of a case: who did what, in words, and which looks are told."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from classifier.audit import Actor
from classifier.models import AuditEvent, Case, Scan, User
from classifier.services import cases
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_dicom
from tests.pages.conftest import SignedIn
from tests.pages.reading import actions, page_of, review, words
from tests.worker import Worker

Action = AuditEvent.Action


def history(client: Client, scan: Scan, **query: Any) -> str:
    return words(client.get(reverse("case_history", args=[scan.case_id]), query))


def test_the_history_tells_who_did_what_in_words(browser: Client, scan: Scan, worker: Worker) -> None:
    analysis = worker.finish(scan)
    page_of(browser, scan)
    browser.get(reverse("picture", args=[scan.pk, 0]))
    review(browser, analysis, verdict="agree")
    told = history(browser, scan, looks="yes")
    for sentence in (
        "alice opened the case",
        f"alice uploaded scan {str(scan.pk)[:8]}",
        "alice asked for analysis",
        f"The portal finished analysis {str(analysis.pk)[:8]}: Glioma suspected",
        "alice looked at the case",
        "alice looked at an image, slice 1",
        "alice reviewed: agree, Glioma",
    ):
        assert sentence in told
    assert told.index("reviewed: agree") < told.index("opened the case")


def test_looks_stand_in_the_history_for_whoever_audits_and_for_others_on_demand(
    browser: Client, scan: Scan, signed_in: SignedIn, otto: User
) -> None:
    page_of(browser, scan)
    for client, other in ((browser, "yes"), (signed_in(otto), "no")):
        page = client.get(reverse("case_history", args=[scan.case_id])).content.decode()
        assert f'href="?looks={other}"' in page
    assert "looked at the case" in history(signed_in(otto), scan)
    assert "looked at the case" not in history(browser, scan)
    assert "opened the case" in history(browser, scan)
    assert "looked at the case" in history(browser, scan, looks="yes")


def test_what_is_left_out_of_the_history_is_every_look_and_every_download(
    browser: Client, scan: Scan
) -> None:
    looks = {action for action in Action.values if action.endswith(("_viewed", "_downloaded"))}
    looks -= {Action.WORKLIST_VIEWED, Action.PATIENT_VIEWED}  # which are of no case
    for action in sorted(looks):
        AuditEvent.objects.create(action=action, case_id=scan.case_id, object_id=str(scan.pk))
    page = browser.get(reverse("case_history", args=[scan.case_id]), {"looks": "no"})
    assert looks.isdisjoint(event.action for event in page.context["events"])


def test_a_long_history_comes_in_pages(browser: Client, scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.services.history.PAGE", 2)
    response = browser.get(reverse("case_history", args=[scan.case_id]), {"looks": "yes"})
    events = AuditEvent.objects.filter(case_id=scan.case_id).order_by("-pk")
    happened = list(events.values_list("pk", flat=True))
    seen = [event.pk for event in response.context["events"]]
    while following := response.context["following"]:
        older = {"before": following, "looks": "yes"}
        response = browser.get(reverse("case_history", args=[scan.case_id]), older)
        seen += [event.pk for event in response.context["events"]]
    assert seen == happened
    assert events.first().action == Action.CASE_VIEWED


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"PatientID": "4711"}, False),
        ({"PatientID": " 4711 "}, False),
        ({"PatientID": "4712"}, True),
        ({"PatientID": "4711", "IssuerOfPatientID": "Elsewhere"}, True),
        ({"PatientID": ""}, False),
    ],
)
def test_files_that_name_two_patients_are_told_of_on_every_page_of_their_case(
    second: dict[str, str], told: bool, browser: Client, case: Case, as_alice: Actor, rung: list[str]
) -> None:
    for number, named in enumerate(({"PatientID": "4711"}, second)):
        data = brain_dicom(number, SeriesInstanceUID=f"1.2.{number}", **named)
        upload_scans(actor=as_alice, case=case, files=[upload(data, f"{number}.dcm")])
    for name in ("case", "upload", "report", "case_history"):
        page = words(browser.get(reverse(name, args=[case.pk])))
        assert ("name more than one patient" in page) == told
    assert "4711" not in str(Scan.objects.values_list("patient_digest", "facts"))


def test_the_digest_of_a_patient_tells_nothing_across_cases(as_alice: Actor, rung: list[str]) -> None:
    for number in range(2):
        case = cases.open_case(actor=as_alice, patient_reference=f"P-{number}")
        data = brain_dicom(PatientID="4711")
        upload_scans(actor=as_alice, case=case, files=[upload(data, "a.dcm")])
    first, second = Scan.objects.values_list("patient_digest", flat=True)
    assert "" not in (first, second) and first != second


def test_every_word_of_the_trail_has_a_sentence(browser: Client, scan: Scan) -> None:
    for action in Action.values:
        AuditEvent.objects.create(action=action, case_id=scan.case_id, object_id=str(scan.pk))
    assert browser.get(reverse("case_history", args=[scan.case_id])).status_code == 200


def test_asking_again_is_part_of_the_history(browser: Client, scan: Scan, worker: Worker) -> None:
    worker.finish(scan)
    browser.post(reverse("analyse", args=[scan.pk]))
    assert actions().count(Action.ANALYSIS_REQUESTED) == 2
