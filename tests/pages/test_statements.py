"""What a page asks of the database grows neither with its case nor with the patient's other cases."""

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from classifier.audit import Actor
from classifier.models import Case, Scan
from classifier.services.cases import open_case
from classifier.services.reviews import submit_review
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.worker import Worker

ADDRESSES: dict[str, Callable[[Scan], str]] = {
    "case": lambda scan: reverse("case", args=[scan.case_id]),
    "its history": lambda scan: reverse("case_history", args=[scan.case_id]),
    "uploading": lambda scan: reverse("upload", args=[scan.case_id]),
    "viewer": lambda scan: reverse("scan", args=[scan.pk]),
    "result": lambda scan: reverse("result", args=[scan.analyses.get().pk]),
    "reviewing": lambda scan: reverse("review", args=[scan.analyses.get().pk]),
    "signing": lambda scan: reverse("report", args=[scan.case_id]),
    "next case": lambda scan: reverse("next_case", args=[scan.case_id]),
    "figures": lambda scan: reverse("figures"),
}


@pytest.fixture
def read_scan(as_alice: Actor, worker: Worker, rung: list[str]) -> Callable[[Case, int], Scan]:
    def make(case: Case, seed: int) -> Scan:
        [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed))])
        worker.finish(result.scan)
        analysis = result.scan.analyses.get()
        submit_review(actor=as_alice, analysis=analysis, verdict="agree", label=analysis.label)
        return result.scan

    return make


@pytest.mark.parametrize("name", ADDRESSES)
def test_more_scans_reads_priors_and_cases_take_no_more_statements(
    name: str, browser: Client, case: Case, as_alice: Actor, read_scan: Callable[[Case, int], Scan]
) -> None:
    def statements() -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(address).status_code in {200, 302}
        return len(asked)

    def prior() -> Case:
        return open_case(actor=as_alice, patient_reference="MRN-1")

    scan = read_scan(case, 0)
    read_scan(prior(), 1)
    address = ADDRESSES[name](scan)
    statements()
    few = statements()
    for seed in range(2, 5):
        read_scan(case, 2 * seed)
        read_scan(prior(), 2 * seed + 1)
    assert statements() == few
