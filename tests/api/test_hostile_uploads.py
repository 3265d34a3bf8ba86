"""Bad input: 4xx with a stable code, and neither row nor file left behind."""

import gc
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.test import override_settings
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from classifier.models import Case
from tests.api.checks import actions, assert_problem, rows, stored_files
from tests.conftest import upload
from tests.full_disk import NO_SPACE, leave_room
from tests.ml.pictures import UPLOADED, brain_png
from tests.ml.volumes import zipped

SCANS, PREDICT = "/api/v1/scans/", "/api/v1/predict/"
BOUNDARY = "portalboundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    if "api" in request.fixturenames:
        request.getfixturevalue("api")
    if "case" in request.fixturenames:
        request.getfixturevalue("case")
    spool = tmp_path / "spool"
    spool.mkdir()
    before, said = rows(), actions()
    with override_settings(FILE_UPLOAD_TEMP_DIR=str(spool)):
        yield
    if list(spool.iterdir()):
        gc.collect()
    assert rows() == before
    assert actions() == said
    assert not stored_files()
    assert not list(spool.iterdir())


def part(head: str, body: bytes = b"") -> bytes:
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode("utf-8", "surrogateescape") + body + b"\r\n"


def file_part(name: str, data: bytes | None = None, field: str = "file") -> bytes:
    head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\nContent-Type: image/png'
    return part(head, brain_png() if data is None else data)


PATIENT = part('Content-Disposition: form-data; name="patient"', b"MRN-7")
END = f"--{BOUNDARY}--\r\n".encode()


def post_raw(api: APIClient, body: bytes, content_type: str = FORM) -> HttpResponse:
    return api.generic("POST", SCANS, body, content_type=content_type)


@pytest.mark.parametrize("name", UPLOADED)
def test_a_hostile_file_is_refused_with_its_code_and_opens_no_case(api: APIClient, name: str) -> None:
    data, code = UPLOADED[name]
    body = assert_problem(
        api.post(SCANS, {"file": upload(data, f"{name}.png"), "patient": "MRN-7"}), 422, code
    )
    assert "Traceback" not in body["detail"]


@pytest.mark.parametrize("name", UPLOADED)
def test_a_hostile_file_keeps_good_ones_of_the_same_upload_out(api: APIClient, case: Case, name: str) -> None:
    data, code = UPLOADED[name]
    files = [upload(brain_png()), upload(data, f"{name}.png")]
    body = assert_problem(api.post(SCANS, {"file": files, "case": str(case.pk)}), 422, code)
    assert body["detail"].startswith("File 2 of 2: ")


@pytest.mark.parametrize("name", ["empty", "text", "png bomb", "dicom report"])
def test_a_hostile_file_gets_no_prediction(api: APIClient, name: str) -> None:
    data, code = UPLOADED[name]
    assert_problem(api.post(PREDICT, {"file": upload(data)}), 422, code)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd.png",
        "..",
        "..\\..\\boot.png",
        "folder/../slice.png",
        "folder/",
        ".",
        "slice\0.png",
        "slice\x1b[2J.png",
        "a" * 300 + ".png",
    ],
)
def test_a_file_name_that_is_an_attack_is_refused(api: APIClient, name: str) -> None:
    assert_problem(post_raw(api, PATIENT + file_part(name) + END), 400, "file_name_invalid")


def test_a_file_name_of_5000_letters_is_refused(api: APIClient) -> None:
    assert_problem(post_raw(api, PATIENT + file_part("a" * 5000) + END), 400, "parse_error")


@pytest.mark.parametrize("fields", [{"image": True}, {"files": True}, {}])
def test_a_file_in_the_wrong_field_is_missed(api: APIClient, fields: dict[str, bool]) -> None:
    sent = {name: upload(brain_png()) for name in fields}
    assert_problem(api.post(SCANS, {**sent, "patient": "MRN-7"}), 400, "file_missing")


def test_a_second_file_in_the_wrong_field_is_not_dropped_in_silence(api: APIClient) -> None:
    sent = {"file": upload(brain_png()), "image": upload(brain_png(1)), "patient": "MRN-7"}
    assert_problem(api.post(SCANS, sent), 400, "file_field_unknown")


def test_text_in_place_of_the_file_is_refused(api: APIClient) -> None:
    body = assert_problem(api.post(SCANS, {"file": "slice.png", "patient": "MRN-7"}), 400, "invalid")
    assert list(body["errors"]) == ["file"]


def test_a_misspelt_field_does_not_open_another_case(api: APIClient, case: Case) -> None:
    sent = {"file": upload(brain_png()), "patient": "MRN-1", "caze": str(case.pk)}
    body = assert_problem(api.post(SCANS, sent), 400, "invalid")
    assert body["errors"]["caze"][0]["code"] == "unknown_field"


@pytest.mark.parametrize(
    ("patient", "code"),
    [("", "patient_required"), (" \t ", "patient_required"), ("a\u200bb", "patient_invalid")],
)
def test_an_upload_without_a_proper_patient_opens_no_case(api: APIClient, patient: str, code: str) -> None:
    assert_problem(api.post(SCANS, {"file": upload(brain_png()), "patient": patient}), 400, code)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("patient", "a\0b"),
        ("patient", "a" * 65),
        ("question", "a" * 501),
        ("question", "\0"),
        ("study_date", "31 January"),
        ("department", "a\0"),
        ("case", "not-a-uuid"),
        ("case", "\0"),
        ("case", ""),
    ],
)
def test_a_field_of_the_wrong_form_is_named_in_the_problem(api: APIClient, field: str, value: str) -> None:
    sent = {"file": upload(brain_png()), "patient": "MRN-7", field: value}
    assert list(assert_problem(api.post(SCANS, sent), 400, "invalid")["errors"]) == [field]


def test_a_file_over_the_limit_is_refused(api: APIClient, settings: Settings) -> None:
    settings.MAX_UPLOAD_BYTES = 5_000
    assert_problem(
        api.post(SCANS, {"file": upload(brain_png()), "patient": "MRN-7"}), 413, "image_too_many_bytes"
    )


def test_a_file_over_the_limit_never_fills_the_disk(
    api: APIClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MAX_UPLOAD_BYTES, settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 100_000, 0
    written = []
    make = tempfile.NamedTemporaryFile

    def spooled(*args: object, **kwargs: object):
        file = make(*args, **kwargs)
        write = file.write
        file.write = lambda data: written.append(len(data)) or write(data)
        return file

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", spooled)
    response = api.post(SCANS, {"file": upload(b"\x89PNG" + bytes(2_000_000)), "patient": "MRN-7"})
    assert_problem(response, 413, "image_too_many_bytes")
    assert sum(written) <= 100_000


@pytest.mark.parametrize("room", [0, 150_000])
def test_a_full_spool_is_told_once_the_sender_has_sent_everything(
    api: APIClient, settings: Settings, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 0
    leave_room(monkeypatch, room)
    files = [upload(brain_png(), "small.png"), upload(b"\x89PNG" + bytes(2_000_000), "large.png")]
    response = api.post(SCANS, {"file": files, "patient": "MRN-7"})
    assert_problem(response, 503, "storage_unavailable")
    assert response.wsgi_request.environ["wsgi.input"].read() == b""  # type: ignore[attr-defined]


def test_a_disk_that_is_full_for_what_an_archive_holds_is_told(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_room(*_: object) -> int:
        raise NO_SPACE

    monkeypatch.setattr(Path, "write_bytes", no_room)
    response = api.post(SCANS, {"file": upload(zipped({"a.png": brain_png()}), "a.zip"), "patient": "MRN-7"})
    assert_problem(response, 503, "storage_unavailable")
    assert "A disk is full" in caplog.messages


def test_too_many_files_are_refused(api: APIClient, settings: Settings) -> None:
    settings.MAX_UPLOAD_FILES = settings.DATA_UPLOAD_MAX_NUMBER_FILES = 3
    files = [upload(brain_png(seed)) for seed in range(4)]
    assert_problem(api.post(SCANS, {"file": files, "patient": "MRN-7"}), 413, "too_many_files")


def test_a_body_larger_than_all_files_together_is_refused_unread(api: APIClient, settings: Settings) -> None:
    settings.MAX_UPLOAD_TOTAL_BYTES = 1000
    response = api.post(SCANS, {"file": upload(bytes(2 * 2**20)), "patient": "MRN-7"})
    assert_problem(response, 413, "request_too_large")


def test_text_fields_cannot_fill_the_memory(api: APIClient, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000
    response = api.post(SCANS, {"file": upload(brain_png()), "patient": "a" * 20_000})
    assert_problem(response, 413, "request_too_large")


def test_thousands_of_fields_are_refused(api: APIClient) -> None:
    fields = {f"field{number}": "x" for number in range(1100)}
    assert_problem(api.post(SCANS, fields), 413, "request_too_large")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (PATIENT + file_part("a.png") + END, "multipart/form-data"),
        (
            PATIENT
            + part(
                'Content-Disposition: form-data; name="file"; filename="a.png"\r\n'
                "Content-Transfer-Encoding: base64",
                b"abc",
            )
            + END,
            FORM,
        ),
    ],
    ids=["no boundary", "broken base64"],
)
def test_a_malformed_form_is_a_problem(api: APIClient, body: bytes, content_type: str) -> None:
    assert_problem(post_raw(api, body, content_type), 400, "parse_error")


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
def test_a_form_that_breaks_off_is_refused(api: APIClient, cut: float) -> None:
    whole = PATIENT + file_part("a.png") + END
    response = post_raw(api, whole[: int(len(whole) * cut)])
    assert response.status_code in (400, 422)
    assert_problem(response, response.status_code, response.json()["code"])


@pytest.mark.parametrize("left", ["", f"--{BOUNDARY}", f"--{BOUNDARY}\r\nContent-Disposition: form-da"])
def test_a_form_that_breaks_off_between_two_files_does_not_lose_the_second(api: APIClient, left: str) -> None:
    sent = PATIENT + file_part("a.png") + left.encode()
    assert_problem(post_raw(api, sent), 400, "parse_error")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps({"patient": "MRN-7"}).encode(), "application/json"),
        (b"patient=MRN-7", "application/x-www-form-urlencoded"),
        (brain_png(), "image/png"),
    ],
)
def test_anything_but_a_multipart_form_is_415(api: APIClient, body: bytes, content_type: str) -> None:
    assert_problem(post_raw(api, body, content_type), 415, "unsupported_media_type")


def test_an_upload_to_a_case_that_does_not_exist_is_404(api: APIClient) -> None:
    sent = {"file": upload(brain_png()), "case": "00000000-0000-4000-8000-000000000000"}
    assert_problem(api.post(SCANS, sent), 404, "not_found")


def test_a_name_with_folders_keeps_only_its_last_part(api: APIClient) -> None:
    """Some browsers and viewers send whole paths; that is no attack. The file itself is refused here."""
    response = post_raw(api, PATIENT + file_part("C:\\studies\\slice.png", b"text") + END)
    assert_problem(response, 422, "image_unsupported")


@pytest.mark.parametrize("field", ["patient", "question"])
def test_of_two_patients_or_questions_neither_is_taken_for_the_one_that_was_meant(
    api: APIClient, field: str
) -> None:
    sent = {"file": upload(brain_png()), "patient": "MRN-7", field: ["MRN-7", "MRN-8"]}
    body = assert_problem(api.post(SCANS, sent), 400, "invalid")
    assert body["errors"] == {field: [{"code": "repeated_field", "detail": "This field may come once only."}]}
