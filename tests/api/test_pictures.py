"""Slices, outlines, volumes and models for programs."""

from io import BytesIO

import PIL.Image
import pytest
from rest_framework.test import APIClient

from classifier.models import Analysis, ModelVersion, Scan
from tests.api.checks import assert_problem
from tests.api.conftest import Work
from tests.conftest import upload
from tests.ml.volumes import dicom_slices
from tests.worker import outlined, prediction

SCANS = "/api/v1/scans/"


@pytest.fixture
def series(api: APIClient) -> Scan:
    body = api.post(SCANS, {"file": [upload(data) for data in dicom_slices(3)], "patient": "P"}).json()
    assert [file["position"] for file in body["files"]] == [0, 1, 2]
    assert (len(body["scans"]), body["facts"]["frames"]) == (1, 3)
    return Scan.objects.get()


@pytest.fixture
def analysis(series: Scan, work: Work) -> Analysis:
    return work(series.analyses.get().pk, outlined(1, height=40, width=36))


def test_what_is_outlined_stands_in_every_answer_about_the_analysis(
    api: APIClient, analysis: Analysis
) -> None:
    finding = outlined(1, height=40, width=36)["finding"]
    assert api.get(f"{SCANS}{analysis.scan_id}/").json()["analysis"]["finding"] == finding
    body = api.get(f"/api/v1/analyses/{analysis.pk}/").json()
    assert (body["finding"], body["progress"], body["requested_version"]) == (finding, None, None)


@pytest.mark.parametrize(
    ("address", "mode"),
    [
        ("/api/v1/scans/{scan}/slices/2/", "L"),
        ("/api/v1/analyses/{analysis}/overlay/1/", "RGB"),
        ("/api/v1/analyses/{analysis}/overlay/1/?opacity=0.9&outline=true", "RGB"),
        ("/api/v1/analyses/{analysis}/mask/1/", "RGBA"),
    ],
)
def test_a_slice_is_a_picture_of_its_own_size(
    address: str, mode: str, api: APIClient, analysis: Analysis
) -> None:
    response = api.get(address.format(scan=analysis.scan_id, analysis=analysis.pk), HTTP_ACCEPT="text/html")
    assert (response.status_code, response["Content-Type"]) == (200, "image/png")
    picture = PIL.Image.open(BytesIO(response.content))
    assert (picture.mode, picture.size) == (mode, (36, 40))


@pytest.mark.parametrize("address", ["/api/v1/scans/{scan}/volume/", "/api/v1/analyses/{analysis}/mask/"])
def test_a_volume_is_one_file(address: str, api: APIClient, analysis: Analysis) -> None:
    response = api.get(address.format(scan=analysis.scan_id, analysis=analysis.pk))
    assert (response.status_code, response["Content-Type"]) == (200, "application/gzip")
    assert response.content[:2] == b"\x1f\x8b"


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/api/v1/scans/{scan}/slices/3/", 404, "not_found"),
        ("/api/v1/scans/{scan}/slices/0/?side=0", 400, "invalid"),
        ("/api/v1/analyses/{analysis}/overlay/3/", 404, "not_found"),
        ("/api/v1/analyses/{analysis}/overlay/0/?opacity=2", 400, "invalid"),
        ("/api/v1/analyses/{analysis}/overlay/0/?opacty=1", 400, "invalid"),
    ],
)
def test_what_there_is_not_is_a_problem(
    address: str, status: int, code: str, api: APIClient, analysis: Analysis
) -> None:
    assert_problem(api.get(address.format(scan=analysis.scan_id, analysis=analysis.pk)), status, code)


def test_without_a_finding_there_is_no_overlay(api: APIClient, series: Scan, work: Work) -> None:
    analysis = work(series.analyses.get().pk, prediction())
    assert_problem(api.get(f"/api/v1/analyses/{analysis.pk}/overlay/0/"), 404, "not_found")


def test_progress_changes_the_etag_and_the_answer(api: APIClient, series: Scan) -> None:
    url = f"{SCANS}{series.pk}/"
    first = api.get(url)
    now = series.created_at
    Analysis.objects.update(
        status="running", attempts=1, started_at=now, lease_until=now, slices_done=1, slices_total=3
    )
    second = api.get(url, HTTP_IF_NONE_MATCH=first["ETag"])
    assert second.json()["analysis"]["progress"] == {"done": 1, "total": 3}
    Analysis.objects.update(slices_done=2)
    assert api.get(url, HTTP_IF_NONE_MATCH=second["ETag"]).status_code == 200


def test_another_registered_version_can_be_asked(api: APIClient, analysis: Analysis, work: Work) -> None:
    other = ModelVersion.objects.create(version="other-1", sha256="1" * 64)
    models = api.get("/api/v1/models/").json()["results"]
    assert [(model["version"], model["is_active"]) for model in models] == [
        ("test-1", True),
        ("other-1", False),
    ]
    url = f"{SCANS}{analysis.scan_id}/analyses/"
    asked = api.post(url, {"version": other.version}, format="json")
    assert (asked.status_code, asked.json()["requested_version"]) == (202, "other-1")
    work(asked.json()["id"])
    listed = api.get(url).json()["results"]
    assert [row["model_version"] for row in listed] == ["other-1", "test-1"]
    assert_problem(api.post(url, {"version": "none"}, format="json"), 422, "model_version_unknown")
    assert_problem(api.post(url, {"versoin": "other-1"}, format="json"), 400, "invalid")
