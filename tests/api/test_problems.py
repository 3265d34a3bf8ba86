"""Every error is problem+json, wherever it arises."""

import json

import pytest
from django.db import OperationalError
from rest_framework.test import APIClient

from tests.api.checks import assert_problem

CASES = "/api/v1/cases/"


@pytest.mark.parametrize(
    "path",
    [
        "/api/",
        "/api/v1/",
        "/api/v2/scans/",
        "/api/v1/scan/",
        "/api/v1/scans",
        "/api/v1/scans/not-a-uuid/",
        "/api/v1/scans/%00/",
        "/api/v1/scans/../../admin/",
        "/api/v1/analyses/1234/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_address_is_404_before_a_redirect_can_drop_a_body(
    api: APIClient, path: str, method: str
) -> None:
    assert_problem(api.generic(method, path), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_another_method_is_405_and_says_which_are_allowed(api: APIClient, method: str) -> None:
    response = api.generic(method, CASES)
    assert_problem(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD, POST"


def test_an_answer_nobody_can_give_is_406(api: APIClient) -> None:
    assert_problem(api.get(CASES, HTTP_ACCEPT="text/html"), 406, "not_acceptable")


def test_a_format_that_no_answer_has_is_a_wrong_parameter_and_no_missing_address(api: APIClient) -> None:
    body = assert_problem(api.get(CASES, {"format": "xml"}), 400, "invalid")
    assert body["errors"]["format"][0]["code"] == "invalid_choice"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"patient": NaN}',
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_a_body_that_is_no_json_object_is_400(api: APIClient, body: bytes) -> None:
    assert_problem(api.generic("POST", CASES, body, content_type="application/json"), 400, "parse_error")


def test_a_json_body_cannot_fill_the_memory(api: APIClient) -> None:
    body = json.dumps({"patient": "P", "question": "a" * 3 * 2**20})
    response = api.generic("POST", CASES, body, content_type="application/json")
    assert_problem(response, 413, "request_too_large")


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "nonsense"])
def test_another_content_type_is_415(api: APIClient, content_type: str) -> None:
    response = api.generic("POST", CASES, b"patient", content_type=content_type)
    assert_problem(response, 415, "unsupported_media_type")


def test_a_body_of_unknown_length_is_411_and_not_taken_for_an_empty_one(api: APIClient) -> None:
    assert_problem(api.generic("POST", CASES, HTTP_TRANSFER_ENCODING="chunked"), 411, "length_required")


def test_fields_are_named_with_their_own_codes(api: APIClient) -> None:
    body = assert_problem(api.post(CASES, {"study_date": "soon"}, format="json"), 400, "invalid")
    assert {name: [e["code"] for e in found] for name, found in body["errors"].items()} == {
        "patient": ["required"],
        "study_date": ["invalid"],
    }


def test_nul_in_json_is_a_problem_and_not_an_error_of_the_database(api: APIClient) -> None:
    body = assert_problem(api.post(CASES, {"patient": "a\0b"}, format="json"), 400, "invalid")
    assert body["errors"]["patient"][0]["code"] == "null_characters_not_allowed"


def test_lone_surrogates_are_a_problem_and_not_an_error_of_the_database(api: APIClient) -> None:
    body = b'{"patient": "P", "question": "\\ud800"}'
    response = api.generic("POST", CASES, body, content_type="application/json")
    assert_problem(response, 400, response.json()["code"])


def test_a_query_of_thousands_of_parameters_is_refused(api: APIClient) -> None:
    query = "&".join(f"p{number}=1" for number in range(1100))
    assert_problem(api.get(f"{CASES}?{query}"), 413, "request_too_large")


def test_a_host_that_is_not_ours_is_refused(api: APIClient) -> None:
    assert_problem(api.get(CASES, HTTP_HOST="evil.example"), 400, "bad_request")


def test_an_unexpected_error_is_500_without_its_text(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("classifier.services.cases.open_case", broken)
    api.raise_request_exception = False
    response = api.post(CASES, {"patient": "P"}, format="json")
    assert "secret" not in json.dumps(assert_problem(response, 500, "internal_error"))


@pytest.mark.parametrize(
    "where", ["classifier.api.authentication.authenticate_token", "classifier.services.cases.open_case"]
)
def test_a_database_that_is_away_is_503_with_retry_after(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def away(**_: object) -> None:
        raise OperationalError("connection refused by db.internal")

    monkeypatch.setattr(where, away)
    response = api.post(CASES, {"patient": "P"}, format="json")
    assert "db.internal" not in json.dumps(assert_problem(response, 503, "database_unavailable"))
    assert int(response["Retry-After"]) > 0


def test_no_answer_is_kept_by_a_cache(api: APIClient) -> None:
    assert api.get(CASES)["Cache-Control"] == "no-store"
    assert api.get("/api/v1/nothing/")["Cache-Control"] == "no-store"
