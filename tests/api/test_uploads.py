"""`POST /api/v1/scans/` and `/cases/`: into a case or a new one, all or none."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from classifier.models import Analysis, Case, Patient, Scan, User
from classifier.storage import LocalScanStorage
from tests.api.checks import actions, assert_problem, rows, stored_files
from tests.api.conftest import MakeClient
from tests.conftest import ORTHO, upload
from tests.ml.pictures import brain_dicom, brain_jpeg, brain_png

SCANS = "/api/v1/scans/"


def test_an_upload_opens_a_case_and_answers_202_with_its_location(api: APIClient, rung: list[str]) -> None:
    sent = {
        "file": upload(brain_png()),
        "patient": " MRN  7 ",
        "question": "Headache",
        "study_date": "2026-01-31",
    }
    response = api.post(SCANS, sent)
    assert response.status_code == 202
    body = response.json()
    scan = Scan.objects.get(pk=body["id"])
    assert response["Location"] == body["url"] == f"http://testserver{SCANS}{scan.pk}/"
    assert body["case"] == str(scan.case_id)
    assert body["analysis"]["status"] == "queued"
    assert body["patient"] == "MRN 7"
    assert (scan.case.question, str(scan.case.study_date)) == ("Headache", "2026-01-31")
    assert api.get(response["Location"]).status_code == 200


def test_the_worker_is_told_of_an_upload_once_it_is_committed(
    api: APIClient, rung: list[str], django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        body = api.post(SCANS, {"file": upload(brain_png()), "patient": "MRN-7"}).json()
    assert rung == [body["analysis"]["id"]]


def test_an_upload_is_recorded_as_done_through_the_api(api: APIClient, alice: User) -> None:
    api.post(SCANS, {"file": upload(brain_png()), "patient": "MRN-7"})
    done = alice.audit_events.order_by("pk")
    assert [event.action for event in done] == ["case_opened", "scan_uploaded", "analysis_requested"]
    assert {event.via for event in done} == {"api"}


def test_several_files_become_several_scans_in_their_order(api: APIClient) -> None:
    files = [upload(brain_png()), upload(brain_jpeg(seed=1), "b.jpg"), upload(brain_dicom(seed=2), "c")]
    body = api.post(SCANS, {"file": files, "patient": "MRN-7"}).json()
    assert [scan["files"][0]["kind"] for scan in body["scans"]] == ["png", "jpeg", "dicom"]
    assert body["id"] == body["scans"][0]["id"]
    assert len({scan["case"] for scan in body["scans"]}) == 1
    assert len(stored_files()) == 3


def test_a_scan_can_be_added_to_a_case_by_its_id_alone(api: APIClient, case: Case) -> None:
    response = api.post(SCANS, {"file": upload(brain_png()), "case": str(case.pk)})
    assert response.status_code == 202
    assert response.json()["case"] == str(case.pk)


def test_the_same_bytes_in_a_case_are_the_same_scan(api: APIClient, case: Case) -> None:
    first = api.post(SCANS, {"file": upload(brain_png()), "case": str(case.pk), "patient": "MRN-1"})
    again = api.post(SCANS, {"file": upload(brain_png(), "other.png"), "case": str(case.pk)})
    assert (first.status_code, again.status_code) == (202, 200)
    assert again["Location"] == first["Location"]
    assert rows()["Scan"] == rows()["Analysis"] == len(stored_files()) == 1


def test_a_file_sent_twice_in_one_upload_is_one_scan(api: APIClient) -> None:
    body = api.post(SCANS, {"file": [upload(brain_png()), upload(brain_png())], "patient": "P"}).json()
    assert body["scans"][0]["id"] == body["scans"][1]["id"]
    assert rows()["Scan"] == len(stored_files()) == 1


def test_an_upload_of_old_and_new_files_adds_the_new_ones(api: APIClient, case: Case) -> None:
    api.post(SCANS, {"file": upload(brain_png()), "case": str(case.pk)})
    both = api.post(SCANS, {"file": [upload(brain_png()), upload(brain_png(1))], "case": str(case.pk)})
    assert both.status_code == 202
    assert rows()["Scan"] == len(stored_files()) == 2


def test_a_case_of_another_patient_than_the_one_named_is_a_conflict(api: APIClient, case: Case) -> None:
    response = api.post(SCANS, {"file": upload(brain_png()), "case": str(case.pk), "patient": "MRN-2"})
    assert_problem(response, 409, "patient_mismatch")
    assert not stored_files()


@pytest.mark.parametrize(
    "told", [{"question": "something"}, {"department": "something"}, {"study_date": "2024-02-29"}]
)
def test_what_belongs_to_a_new_case_is_refused_for_an_existing_one(
    api: APIClient, case: Case, told: dict[str, str]
) -> None:
    response = api.post(SCANS, {"file": upload(brain_png()), "case": str(case.pk), **told})
    assert_problem(response, 400, "case_exists")


def test_a_stranger_cannot_upload_into_a_case_nor_learn_of_it(strangers_api: APIClient, case: Case) -> None:
    response = strangers_api.post(SCANS, {"file": upload(brain_png()), "case": str(case.pk)})
    assert_problem(response, 404, "not_found")
    assert not stored_files()


def test_a_reviewer_cannot_upload(client_of: MakeClient, rita: User, case: Case) -> None:
    for where in ({"case": str(case.pk)}, {"patient": "MRN-7"}):
        before = rows()
        response = client_of(rita).post(SCANS, {"file": upload(brain_png()), **where})
        assert_problem(response, 403, "not_allowed")
        assert rows() == before
        assert not stored_files()


def test_a_member_of_two_departments_names_the_one_that_is_meant(
    make_user, client_of: MakeClient, rung: list[str]
) -> None:
    dora = client_of(make_user("dora", "clinician", "Neuroradiology", ORTHO))
    unnamed = dora.post(SCANS, {"file": upload(brain_png()), "patient": "P"})
    assert_problem(unnamed, 400, "department_required")
    named = dora.post(SCANS, {"file": upload(brain_png()), "patient": "P", "department": ORTHO})
    assert named.status_code == 202
    assert Case.objects.get().department.name == ORTHO


def test_a_program_may_ask_for_the_patient_to_be_removed(api: APIClient, settings: Settings) -> None:
    body = api.post(SCANS, {"file": upload(brain_dicom(1)), "patient": "P", "identity": "remove"}).json()
    assert body["facts"]["identity_removed"] is True
    settings.REMOVE_IDENTITY = True
    for fields, removed in (({}, True), ({"identity": "keep"}, False)):
        body = api.post(SCANS, {"file": upload(brain_dicom(2)), "patient": "P", **fields}).json()
        assert body["facts"].get("identity_removed", False) is removed
    refused = api.post(SCANS, {"file": upload(brain_dicom()), "patient": "P", "identity": "perhaps"})
    assert_problem(refused, 400, "invalid")


def test_a_large_file_that_was_spooled_to_disk_arrives_whole(api: APIClient, settings: Settings) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 100
    data = brain_png()
    response = api.post(SCANS, {"file": upload(data), "patient": "P"})
    assert response.status_code == 202
    assert [path.read_bytes() for path in stored_files()] == [data]


def test_a_storage_that_is_away_is_503_and_leaves_nothing(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, names = LocalScanStorage.save, []

    def fills_up(self: LocalScanStorage, name: str, content: object) -> str:
        names.append(save(self, name, content))
        if len(names) > 1:
            raise OSError(28, "No space left on device")
        return names[0]

    before = rows()
    monkeypatch.setattr(LocalScanStorage, "save", fills_up)
    response = api.post(SCANS, {"file": [upload(brain_png()), upload(brain_png(1))], "patient": "P"})
    assert_problem(response, 503, "storage_unavailable")
    assert rows() == before
    assert not stored_files()


def test_a_failure_after_the_rows_leaves_neither_row_nor_file(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("classifier.services.scans.raise_triage_to_waiting", broken)
    before, said = rows(), actions()
    api.raise_request_exception = False
    response = api.post(SCANS, {"file": upload(brain_png()), "patient": "P"})
    assert_problem(response, 500, "internal_error")
    assert (rows(), actions()) == (before, said)
    assert not stored_files()


@pytest.mark.django_db(transaction=True)
def test_files_of_committed_rows_stay_when_what_follows_the_commit_fails(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> None:
        raise RuntimeError("the doorbell fell off")

    monkeypatch.setattr("classifier.tasks.run_analysis.delay", broken)
    api.raise_request_exception = False
    api.post(SCANS, {"file": upload(brain_png()), "patient": "P"})
    assert Scan.objects.count() == len(stored_files()) == 1


def test_a_case_tells_that_its_files_name_two_patients(api: APIClient, case: Case) -> None:
    told = []
    for number, patient in enumerate(("4711", "4712")):
        file = upload(brain_dicom(number, PatientID=patient, SeriesInstanceUID=f"1.2.{number}"), "a.dcm")
        assert api.post(SCANS, {"file": file, "case": str(case.pk)}).status_code == 202
        told.append(api.get(f"/api/v1/cases/{case.pk}/").json()["names_several_patients"])
    assert told == [False, True]


def test_a_case_can_be_opened_with_its_patients_details(api: APIClient) -> None:
    sent = {"patient": "MRN-9", "name": "Ann Example", "birth_year": 1961, "sex": "F", "question": "Why?"}
    response = api.post("/api/v1/cases/", sent, format="json")
    assert response.status_code == 201
    body = response.json()
    assert response["Location"] == body["url"]
    assert (body["question"], body["triage"], body["patient"]["reference"]) == ("Why?", "empty", "MRN-9")
    patient = Patient.objects.get(reference="MRN-9")
    assert (patient.name, patient.birth_year, patient.sex) == ("Ann Example", 1961, "F")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("birth_year", 1849),
        ("birth_year", 3000),
        ("sex", "X"),
        ("patient", ""),
        ("study_date", "soon"),
        ("study_date", "2999-01-01"),
        ("patients", "MRN-9"),
    ],
)
def test_a_case_with_a_wrong_field_is_not_opened(api: APIClient, field: str, value: object) -> None:
    response = api.post("/api/v1/cases/", {"patient": "MRN-9", field: value}, format="json")
    assert list(assert_problem(response, 400, "invalid")["errors"]) == [field]
    assert not Case.objects.exists()


def test_a_study_of_today_is_taken_wherever_the_day_has_begun(api: APIClient, settings: Settings) -> None:
    settings.TIME_ZONE = "Pacific/Pago_Pago"
    today = timezone.localdate(timezone=ZoneInfo("Pacific/Kiritimati"))
    for day, status in ((today, 201), (today + timedelta(days=2), 400)):
        sent = {"patient": "MRN-9", "study_date": day.isoformat()}
        assert api.post("/api/v1/cases/", sent, format="json").status_code == status


def test_a_scan_is_analysed_anew_when_its_analysis_is_finished(api: APIClient, scan: Scan, work) -> None:
    first = scan.analyses.get()
    under_way = api.post(f"{SCANS}{scan.pk}/analyses/")
    assert_problem(under_way, 409, "analysis_under_way")
    work(first.pk)
    anew = api.post(f"{SCANS}{scan.pk}/analyses/")
    assert anew.status_code == 202
    assert anew.json()["status"] == "queued"
    assert anew["Location"].endswith(f"/analyses/{anew.json()['id']}/")
    listed = api.get(f"{SCANS}{scan.pk}/analyses/").json()["results"]
    assert [row["status"] for row in listed] == ["queued", "succeeded"]
    assert api.get(f"{SCANS}{scan.pk}/").json()["analysis"]["id"] == anew.json()["id"]
    assert Analysis.objects.count() == 2
