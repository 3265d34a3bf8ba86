"""Where a case stands in the worklist. The worst error is a tumour at the bottom of it."""

import pytest

from classifier.audit import Actor
from classifier.models import Case, Scan
from classifier.services.analyses import request_analysis
from classifier.services.reviews import submit_review
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.worker import Worker, prediction

Triage = Case.Triage


def standing() -> int:
    return Case.objects.get().triage


@pytest.fixture
def two_scans(as_alice: Actor, case: Case, scan: Scan) -> list[Scan]:
    [second] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=1))])
    return [scan, second.scan]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (prediction("glioma"), Triage.SUSPECTED),
        (prediction("meningioma"), Triage.SUSPECTED),
        (prediction("pituitary"), Triage.SUSPECTED),
        (prediction("notumor"), Triage.NO_TUMOUR),
        (prediction("uncertain"), Triage.UNCERTAIN),
        (prediction("refused"), Triage.FAILED),
    ],
    ids=lambda value: value["outcome"] if isinstance(value, dict) else "",
)
def test_the_answer_places_the_case(
    answer: dict[str, object], expected: int, scan: Scan, worker: Worker
) -> None:
    assert standing() == Triage.WAITING
    worker.finish(scan, answer)
    assert standing() == expected


def test_a_suspected_tumour_outweighs_every_other_scan_of_the_case(
    two_scans: list[Scan], worker: Worker
) -> None:
    worker.finish(two_scans[0], prediction("glioma"))
    worker.finish(two_scans[1], prediction("notumor"))
    assert standing() == Triage.SUSPECTED


def test_a_review_of_one_scan_does_not_hide_the_tumour_in_another(
    two_scans: list[Scan], worker: Worker, as_alice: Actor
) -> None:
    first = worker.finish(two_scans[0], prediction("glioma"))
    worker.finish(two_scans[1], prediction("pituitary"))
    submit_review(actor=as_alice, analysis=first, verdict="agree")
    assert standing() == Triage.SUSPECTED


def test_a_new_analysis_brings_a_reviewed_case_back(scan: Scan, worker: Worker, as_alice: Actor) -> None:
    submit_review(actor=as_alice, analysis=worker.finish(scan), verdict="agree")
    assert standing() == Triage.REVIEWED
    request_analysis(actor=as_alice, scan=scan)
    assert standing() == Triage.WAITING
    worker.finish(scan, prediction("meningioma"))
    assert standing() == Triage.SUSPECTED


def test_the_same_bytes_again_leave_a_case_where_it_stands_and_a_new_scan_makes_it_wait(
    scan: Scan, worker: Worker, as_alice: Actor, case: Case
) -> None:
    submit_review(actor=as_alice, analysis=worker.finish(scan, prediction("notumor")), verdict="agree")
    upload_scans(actor=as_alice, case=case, files=[upload(brain_png())])
    assert standing() == Triage.REVIEWED
    upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=5))])
    assert standing() == Triage.WAITING


def test_no_tumour_is_said_of_no_case_with_a_scan_that_is_not_yet_analysed(
    scan: Scan, worker: Worker, as_alice: Actor, case: Case
) -> None:
    worker.finish(scan, prediction("notumor"))
    assert Case.objects.get().outcome == "notumor"
    upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=5))])
    assert Case.objects.get().outcome == ""


def test_a_new_scan_does_not_push_a_suspected_tumour_down_the_worklist(
    scan: Scan, worker: Worker, as_alice: Actor, case: Case
) -> None:
    worker.finish(scan, prediction("glioma"))
    upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=5))])
    assert (standing(), Case.objects.get().outcome) == (Triage.SUSPECTED, "glioma")
