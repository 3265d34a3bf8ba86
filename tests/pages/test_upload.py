"""Uploading in a page: each file on its own, in words, within limits; nothing is left of what is refused."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from classifier.models import Analysis, AuditEvent, Case, Scan, ScanFile
from classifier.services.originals import open_stored
from tests.conftest import upload
from tests.full_disk import leave_room
from tests.ml.pictures import UPLOADED, brain_dicom, brain_png
from tests.ml.volumes import dicom_slices
from tests.pages.reading import actions, words

JSON = {"Accept": "application/json"}


def send(client: Client, case: Case, *files: Any, **more: Any) -> HttpResponse:
    response: HttpResponse = client.post(reverse("upload", args=[case.pk]), {"file": list(files)}, **more)
    return response


def result_of(response: HttpResponse) -> dict[str, str]:
    [result] = response.json()["results"]  # type: ignore[attr-defined]
    return dict(result)


def test_an_accepted_image_is_a_scan_whose_analysis_has_been_asked_for(
    browser: Client, case: Case, rung: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = send(browser, case, upload(brain_png(), "axial.png"), headers=JSON)
    scan = Scan.objects.get()
    assert response.status_code == 200
    assert result_of(response) == {
        "name": "axial.png",
        "state": "accepted",
        "code": "",
        "words": "Accepted; the analysis has been asked for.",
        "url": reverse("scan", args=[scan.pk]),
    }
    assert rung == [str(scan.analyses.get().pk)]


def test_the_same_image_again_is_said_to_be_there_already(browser: Client, case: Case) -> None:
    send(browser, case, upload(brain_png()))
    response = send(browser, case, upload(brain_png(), "copy.png"), headers=JSON)
    assert (response.status_code, result_of(response)["state"]) == (200, "already_there")
    assert Scan.objects.count() == 1


@pytest.mark.parametrize("kind", UPLOADED)
def test_a_bad_file_is_refused_with_its_reason_and_leaves_nothing(
    kind: str, browser: Client, case: Case
) -> None:
    data, code = UPLOADED[kind]
    response = send(browser, case, upload(data, "scan.png"), headers=JSON)
    result = result_of(response)
    assert 400 <= response.status_code < 500
    assert (result["state"], result["code"], result["url"]) == ("refused", code, "")
    assert result["words"].endswith(".")
    assert not Scan.objects.exists()
    assert not [path for path in Path(django_settings.SCANS_DIR).rglob("*") if path.is_file()]


def test_one_bad_file_does_not_keep_the_others_out(browser: Client, case: Case) -> None:
    response = send(browser, case, upload(brain_png(1), "good.png"), upload(b"no image", "bad.png"))
    page = words(response)
    assert response.status_code == 200
    assert "good.png Accepted" in page
    assert "bad.png This is a text file, not an image. image_unsupported" in page
    assert Scan.objects.count() == 1


def test_a_form_without_a_file_is_told_to_choose_one(browser: Client, case: Case) -> None:
    response = send(browser, case)
    assert response.status_code == 400
    assert "Choose at least one image." in words(response)


def test_too_many_files_are_refused_before_any_is_kept(
    browser: Client, case: Case, settings: Settings
) -> None:
    settings.MAX_UPLOAD_FILES = settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2
    response = send(browser, case, *(upload(brain_png(seed)) for seed in range(3)), headers=JSON)
    assert (response.status_code, response.json()["code"]) == (413, "too_many_files")  # type: ignore[attr-defined]
    assert not Scan.objects.exists()


def test_a_file_over_the_limit_is_refused_with_the_limit(
    browser: Client, case: Case, settings: Settings
) -> None:
    settings.MAX_UPLOAD_BYTES = 2**20
    response = send(browser, case, upload(b"\x89PNG" + bytes(2**20), "large.png"))
    assert response.status_code == 413
    assert "at most 1 MB" in words(response)
    assert "image_too_many_bytes" in words(response)


def test_a_full_spool_is_told_once_the_form_has_arrived(
    browser: Client, case: Case, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 0
    leave_room(monkeypatch, 150_000)
    browser.raise_request_exception = False
    large = b"\x89PNG" + bytes(2_000_000)
    page = send(browser, case, upload(large))
    problem = send(browser, case, upload(large), headers=JSON)
    assert (page.status_code, problem.status_code) == (503, 503)
    assert "storage_unavailable" in words(page)
    assert problem.json()["code"] == "storage_unavailable"  # type: ignore[attr-defined]
    assert page.wsgi_request.environ["wsgi.input"].read() == b""  # type: ignore[attr-defined]


def test_a_body_over_every_limit_is_refused_before_it_is_read(
    browser: Client, case: Case, settings: Settings
) -> None:
    settings.MAX_UPLOAD_TOTAL_BYTES = 2**20
    response = browser.generic(
        "POST",
        reverse("upload", args=[case.pk]),
        b"short",
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(2**30),
    )
    assert response.status_code == 413
    assert "request_too_large" in words(response)


def test_no_other_form_takes_a_large_body(client: Client, db: None) -> None:
    size = django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1
    response = client.post("/sign-in/", {"file": SimpleUploadedFile("x", bytes(size))})
    assert response.status_code == 413


def test_the_patient_is_removed_where_the_form_says_so(browser: Client, case: Case) -> None:
    url = reverse("upload", args=[case.pk])
    for choice, removed in (("remove", True), ("keep", False)):
        browser.post(url, {"file": upload(brain_dicom(removed), "GARCIA.dcm"), "identity": choice})
        scan = Scan.objects.order_by("created_at").last()
        assert scan and scan.facts.get("identity_removed", False) is removed
        with open_stored(scan.files.get()) as stored:
            assert (b"Secret" in stored.read()) is not removed


def test_a_form_that_does_not_say_does_what_the_installation_does(
    browser: Client, case: Case, settings: Settings
) -> None:
    settings.REMOVE_IDENTITY = True
    page = browser.get(reverse("upload", args=[case.pk])).content.decode()
    assert 'value="remove" checked' in page
    send(browser, case, upload(brain_dicom(), "GARCIA.dcm"))
    assert Scan.objects.get().facts["identity_removed"] is True


def test_an_unknown_choice_is_refused_and_nothing_is_stored(browser: Client, case: Case) -> None:
    response = browser.post(
        reverse("upload", args=[case.pk]), {"file": upload(brain_dicom()), "identity": "perhaps"}
    )
    assert response.status_code == 400
    assert "identity_unknown" in words(response)
    assert not Scan.objects.exists()


def test_after_a_reload_the_page_says_what_has_arrived(browser: Client, case: Case) -> None:
    send(browser, case, *(upload(data, f"IM{number}") for number, data in enumerate(dicom_slices(3))))
    url = reverse("upload", args=[case.pk])
    page = browser.get(url)
    assert re.search(r"What you have added to this case IM0 files: 3 · \d{4}-", words(page))
    assert reverse("scan", args=[Scan.objects.get().pk]) in page.content.decode()


def test_each_file_of_a_series_leads_to_the_one_scan_it_became(browser: Client, case: Case) -> None:
    files = [upload(data, f"IM{number}") for number, data in enumerate(dicom_slices(3))]
    results = send(browser, case, *files, headers=JSON).json()["results"]  # type: ignore[attr-defined]
    assert {result["url"] for result in results} == {reverse("scan", args=[Scan.objects.get().pk])}


def test_a_hostile_name_is_shown_inert_and_without_its_folders(browser: Client, case: Case) -> None:
    name = "../../<script>alert(1)</script>\u202egnp.exe"
    send(browser, case, upload(brain_png(), name))
    stored = ScanFile.objects.get()
    assert "/" not in stored.original_name
    assert "\u202e" not in stored.original_name
    for url in (reverse("case", args=[case.pk]), reverse("scan", args=[stored.scan_id])):
        assert "<script>alert" not in browser.get(url).content.decode()


@pytest.mark.parametrize(
    "name", ["a\x00b.png", "x" * 5000 + ".png", "", "..", "/", '"; x="', "\u202egnp.exe"]
)
def test_no_name_breaks_an_upload(name: str, browser: Client, case: Case) -> None:
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    response = browser.generic(
        "POST",
        reverse("upload", args=[case.pk]),
        head + brain_png() + b"\r\n--x--\r\n",
        content_type="multipart/form-data; boundary=x",
    )
    assert response.status_code in {200, 400}
    assert all(file.original_name.isprintable() for file in ScanFile.objects.all())


def test_the_trail_holds_no_file_name(browser: Client, case: Case) -> None:
    send(browser, case, upload(brain_png(), "Maria-Secreta.png"))
    assert AuditEvent.Action.SCAN_UPLOADED in actions()
    assert "Secreta" not in str(list(AuditEvent.objects.values()))


def test_a_clinician_may_ask_for_the_analysis_again(browser: Client, scan: Scan, worker: Any) -> None:
    worker.finish(scan)
    response = browser.post(reverse("analyse", args=[scan.pk]))
    assert response["Location"] == f"{reverse('case', args=[scan.case_id])}#scan-{scan.pk}"
    assert [a.status for a in scan.analyses.order_by("created_at")] == ["succeeded", "queued"]


def test_asking_again_while_one_is_under_way_says_so(browser: Client, scan: Scan) -> None:
    response = browser.post(reverse("analyse", args=[scan.pk]))
    assert response.status_code == 409
    assert "already under way" in words(response)
    assert Analysis.objects.count() == 1
