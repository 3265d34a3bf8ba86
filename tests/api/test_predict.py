"""`POST /api/v1/predict/`: one image in, one answer out."""

import threading

import pytest
from django.db import connection
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from classifier.errors import UserFacingError
from classifier.models import Analysis, Case, Patient, Scan, User
from classifier.services import waiting
from tests.api.checks import actions, assert_problem, rows, stored_files
from tests.api.conftest import MakeClient, Work
from tests.conftest import NEURO, Reads, upload
from tests.ml.pictures import brain_png
from tests.ml.volumes import dicom_slices, zipped
from tests.worker import PROBABILITIES, prediction

PREDICT = "/api/v1/predict/"


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch, work: Work):
    """``answered(answer)``: while the program waits, a worker answers."""

    def worker_that(answer: object = None) -> None:
        poll = waiting._is_finished

        def after_work(analysis_id: object) -> bool:
            if not poll(analysis_id):  # type: ignore[arg-type]
                work(analysis_id, answer)
            return poll(analysis_id)  # type: ignore[arg-type]

        monkeypatch.setattr(waiting, "_is_finished", after_work)

    return worker_that


def predict(api: APIClient, seed: int = 0, **sent: object):
    return api.post(PREDICT, {"file": upload(brain_png(seed)), **sent})


def test_the_answer_is_the_class_with_probabilities_and_the_scans_address(api: APIClient, answered) -> None:
    answered()
    response = predict(api)
    assert response.status_code == 200
    body = response.json()
    assert body["prediction"] == "glioma"
    assert body["probabilities"] == PROBABILITIES
    assert body["scan"] == f"http://testserver/api/v1/scans/{Scan.objects.get().pk}/"
    assert body["research_use_only"] is True
    assert "not a medical device" in body["notice"]
    assert api.get(body["scan"]).json()["analysis"]["outcome"] == "glioma"


def test_who_reads_blind_gets_no_answer_but_the_scans_address(api: APIClient, answered, reads: Reads) -> None:
    reads(blind=True)
    answered()
    response = predict(api)
    assert_problem(response, 409, "answer_hidden")
    assert response.json()["scan"] == f"http://testserver/api/v1/scans/{Scan.objects.get().pk}/"


@pytest.mark.parametrize("outcome", ["uncertain", "refused"])
def test_an_answer_that_is_no_class_says_so_in_place_of_the_class(
    api: APIClient, answered, outcome: str
) -> None:
    answered(prediction(outcome, label="notumor", reason="low_confidence", reason_text="Too close to call."))
    body = predict(api).json()
    assert body["prediction"] == outcome
    assert body["reason"] == "low_confidence"
    assert "notumor" not in (body["prediction"], body.get("label"))


def test_the_case_is_opened_on_the_unassigned_patient_of_the_department(api: APIClient, answered) -> None:
    answered()
    predict(api)
    predict(api, seed=1)
    assert Patient.objects.get().reference == "UNASSIGNED"
    assert {case.department.name for case in Case.objects.all()} == {NEURO}
    assert Case.objects.count() == 2


def test_seeing_the_answer_is_recorded(api: APIClient, answered) -> None:
    answered()
    predict(api)
    assert actions()[-1] == "analysis_viewed"


def test_what_takes_longer_is_202_with_the_scans_location(api: APIClient, settings: Settings) -> None:
    settings.PREDICT_WAIT_S = 0.05
    response = predict(api)
    assert response.status_code == 202
    assert response["Location"] == response.json()["url"]
    assert response.json()["analysis"]["status"] == "queued"


@pytest.mark.parametrize(
    ("code", "status"), [("time_limit", 504), ("file_altered", 500), ("image_truncated", 422)]
)
def test_an_analysis_that_failed_is_a_problem_with_its_code(
    api: APIClient, answered, code: str, status: int
) -> None:
    answered(UserFacingError(code, "It did not work."))
    body = assert_problem(predict(api), status, code)
    assert body["scan"].endswith(f"/scans/{Scan.objects.get().pk}/")


def test_a_retry_with_the_key_returns_the_first_answer(api: APIClient, answered) -> None:
    answered()
    key = {"HTTP_IDEMPOTENCY_KEY": "order-1"}
    first = api.post(PREDICT, {"file": upload(brain_png())}, **key)
    before = rows()
    again = api.post(PREDICT, {"file": upload(brain_png())}, **key)
    assert again.json() == first.json()
    assert rows() == before


def test_one_scan_at_a_time(api: APIClient) -> None:
    response = api.post(PREDICT, {"file": [upload(brain_png()), upload(brain_png(1))]})
    assert_problem(response, 400, "one_scan_only")
    assert not stored_files()


def test_a_series_and_an_archive_of_one_are_one_scan(api: APIClient, answered) -> None:
    answered()
    slices = dicom_slices(3)
    packed = zipped({str(number): data for number, data in enumerate(slices)})
    for files in ([upload(data) for data in slices], [upload(packed)]):
        assert api.post(PREDICT, {"file": files}).status_code == 200
    assert [scan.files.count() for scan in Scan.objects.all()] == [3, 3]


def test_no_image_at_all_is_refused(api: APIClient) -> None:
    assert_problem(api.post(PREDICT, {}), 400, "file_missing")


def test_a_reviewer_gets_no_prediction(client_of: MakeClient, rita: User) -> None:
    assert_problem(predict(client_of(rita)), 403, "not_allowed")


def test_waiting_programs_leave_threads_free_for_everybody_else(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = threading.BoundedSemaphore(1)
    taken.acquire()
    monkeypatch.setattr(waiting, "_seats", taken)
    assert predict(api).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_while_a_program_waits(api: APIClient, work: Work) -> None:
    asked = threading.Event()
    poll = waiting._is_finished

    def worker() -> None:
        asked.wait(10)
        work(Analysis.objects.get().pk)
        connection.close()

    def tell(analysis_id: object) -> bool:
        asked.set()
        assert not connection.in_atomic_block
        return poll(analysis_id)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiting, "_is_finished", tell)
        thread = threading.Thread(target=worker)
        thread.start()
        response = predict(api)
        thread.join()
    assert response.json()["prediction"] == "glioma"
