"""The `Idempotency-Key` header: an upload happens once, however often it is sent."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from classifier.models import Case, User
from tests.api.checks import assert_problem, rows, stored_files
from tests.api.conftest import MakeClient
from tests.conftest import upload
from tests.ml.pictures import brain_png

SCANS = "/api/v1/scans/"
KEY = {"HTTP_IDEMPOTENCY_KEY": "order-1"}


def send(api: APIClient, seed: int = 0, patient: str = "MRN-7", **headers: str):
    return api.post(SCANS, {"file": upload(brain_png(seed)), "patient": patient}, **(headers or KEY))


def test_a_retry_returns_the_same_scan_and_makes_no_row(api: APIClient) -> None:
    first = send(api)
    before = rows()
    again = send(api)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["id"] == first.json()["id"]
    assert again["Location"] == first["Location"]
    assert rows() == before
    assert len(stored_files()) == 1


def test_a_retry_returns_every_scan_in_the_order_of_its_files(api: APIClient) -> None:
    def several() -> list[str]:
        files = [upload(brain_png(seed)) for seed in (3, 1, 2)]
        body = api.post(SCANS, {"file": files, "patient": "MRN-7"}, **KEY).json()
        return [scan["id"] for scan in body["scans"]]

    assert several() == several()


def test_without_a_key_each_upload_opens_its_own_case(api: APIClient) -> None:
    for _ in range(2):
        assert api.post(SCANS, {"file": upload(brain_png()), "patient": "MRN-7"}).status_code == 202
    assert Case.objects.count() == 2


@pytest.mark.parametrize("changed", [{"seed": 1}, {"patient": "MRN-8"}])
def test_a_key_that_came_with_another_upload_is_refused(api: APIClient, changed: dict[str, object]) -> None:
    send(api)
    before = rows()
    assert_problem(send(api, **changed), 422, "idempotency_key_reused")
    assert rows() == before
    assert len(stored_files()) == 1


def test_the_same_files_in_another_order_are_another_upload(api: APIClient) -> None:
    def several(*seeds: int) -> Any:
        return api.post(SCANS, {"file": [upload(brain_png(seed)) for seed in seeds], "patient": "P"}, **KEY)

    assert several(1, 2).status_code == 202
    assert_problem(several(2, 1), 422, "idempotency_key_reused")


def test_a_failed_attempt_leaves_the_key_free(api: APIClient) -> None:
    bad = api.post(SCANS, {"file": upload(b"no image"), "patient": "MRN-7"}, **KEY)
    assert_problem(bad, 422, "image_unsupported")
    assert send(api).status_code == 202


def test_two_users_may_choose_the_same_key(api: APIClient, client_of: MakeClient, bob: User) -> None:
    assert send(api).status_code == 202
    assert send(client_of(bob), seed=1).status_code == 202


@pytest.mark.parametrize("key", ["two words", "x" * 256, "tab\there", "ñ"])
def test_a_key_of_the_wrong_form_is_refused(api: APIClient, key: str) -> None:
    assert_problem(send(api, HTTP_IDEMPOTENCY_KEY=key), 400, "idempotency_key_invalid")
    assert not stored_files()


def test_a_retry_from_someone_who_lost_the_department_learns_nothing(api: APIClient, alice: User) -> None:
    send(api)
    alice.groups.remove(alice.departments[0])
    assert_problem(send(api), 404, "not_found")


@pytest.mark.django_db(transaction=True)
def test_simultaneous_retries_make_one_scan(api: APIClient) -> None:
    def attempt(_: int) -> tuple[int, str]:
        try:
            response = send(api)
            return response.status_code, response.json()["id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(attempt, range(12)))
    assert len({scan for _, scan in answers}) == 1
    assert sorted(status for status, _ in answers) == [200] * 11 + [202]
    assert {rows()[name] for name in ("Patient", "Case", "Scan", "Analysis", "IdempotencyKey")} == {1}
    assert len(stored_files()) == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_bytes_sent_to_a_case_at_once_make_one_scan(api: APIClient, case: Case) -> None:
    def attempt(_: int) -> int:
        try:
            files = [upload(brain_png(seed)) for seed in (0, 1)]
            return api.post(SCANS, {"file": files, "case": str(case.pk)}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(attempt, range(12)))
    assert statuses == [200] * 11 + [202]
    assert rows()["Scan"] == rows()["Analysis"] == len(stored_files()) == 2
