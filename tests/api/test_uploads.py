import pytest
from rest_framework.test import APIClient
from tests.conftest import upload
from tests.ml.pictures import brain_png


def test_an_upload_opens_a_case_and_answers_202_with_location(api: APIClient, rung) -> None:
    r = api.post("/api/v1/scans/", {"file": upload(brain_png()), "patient": "MRN-7"})
    assert r.status_code == 202, r.content
    print(r.json(), r.headers)
    r = api.get(r["Location"])
    print(r.json(), r.headers)
