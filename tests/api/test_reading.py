"""Reading: status with ETag, lists by position with filters, files; each look recorded once."""

import hashlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import AuditEvent, Case, Scan, User
from classifier.services.cases import open_case
from tests.api.checks import actions, assert_problem
from tests.api.conftest import Work
from tests.conftest import upload
from tests.ml.pictures import brain_png
from tests.worker import PROBABILITIES, prediction

LISTS = ["patients", "cases", "scans"]


def url(scan: Scan, rest: str = "") -> str:
    return f"/api/v1/scans/{scan.pk}/{rest}"


def send(api: APIClient, seed: int = 0, patient: str = "MRN-1") -> dict[str, Any]:
    return dict(api.post("/api/v1/scans/", {"file": upload(brain_png(seed)), "patient": patient}).json())


# --- one scan, one analysis ---------------------------------------------------------------------


def test_a_finished_scan_shows_its_latest_analysis(api: APIClient, scan: Scan, work: Work) -> None:
    work(scan.analyses.get().pk)
    analysis = api.get(url(scan)).json()["analysis"]
    assert (analysis["status"], analysis["outcome"], analysis["label"]) == ("succeeded", "glioma", "glioma")
    assert analysis["probabilities"] == PROBABILITIES
    assert analysis["model_version"] == "test-1"
    assert analysis["started_at"] <= analysis["finished_at"]
    assert analysis["error"] is None


def test_a_failed_analysis_says_why_and_gives_no_answer(api: APIClient, scan: Scan, work: Work) -> None:
    work(scan.analyses.get().pk, UserFacingError("file_altered", "A stored image differs."))
    analysis = api.get(url(scan)).json()["analysis"]
    assert analysis["error"] == {"code": "file_altered", "detail": "A stored image differs."}
    assert [analysis[name] for name in ("outcome", "label", "probabilities")] == [None, None, None]


@pytest.mark.parametrize("state", ["queued", "succeeded", "failed"])
def test_every_analysis_says_research_use_only(api: APIClient, scan: Scan, work: Work, state: str) -> None:
    if state != "queued":
        work(scan.analyses.get().pk, UserFacingError("x", "X.") if state == "failed" else None)
    listed = api.get(url(scan, "analyses/")).json()["results"][0]
    alone = api.get(f"/api/v1/analyses/{scan.analyses.get().pk}/").json()
    for analysis in (api.get(url(scan)).json()["analysis"], listed, alone):
        assert analysis["status"] == state
        assert analysis["research_use_only"] is True
        assert analysis["notice"] == "Research use only, not a medical device."


def test_an_analysis_alone_has_its_slices_timings_and_scan(api: APIClient, scan: Scan, work: Work) -> None:
    known = {"index": 0, "probabilities": PROBABILITIES, "tumour_probability": 0.97}
    slices = [known | {"refusal": None, "mask_area_px": None}]
    analysis = work(scan.analyses.get().pk, prediction(slices=slices))
    body = api.get(f"/api/v1/analyses/{analysis.pk}/").json()
    assert (body["slices"], body["timings"], body["scan"]) == (slices, {"decode": 1.0}, str(scan.pk))


@pytest.mark.parametrize("what", ["scan", "analysis"])
def test_a_poller_gets_304_until_something_happens(api: APIClient, scan: Scan, work: Work, what: str) -> None:
    address = url(scan) if what == "scan" else f"/api/v1/analyses/{scan.analyses.get().pk}/"
    first = api.get(address)
    seen = actions()
    same = api.get(address, HTTP_IF_NONE_MATCH=first["ETag"])
    assert (same.status_code, same.content, same["ETag"]) == (304, b"", first["ETag"])
    assert api.get(address, HTTP_IF_NONE_MATCH=f'"other", W/{first["ETag"]}').status_code == 304
    assert actions() == seen, "an answer without content is not a look"
    work(scan.analyses.get().pk)
    changed = api.get(address, HTTP_IF_NONE_MATCH=first["ETag"])
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_a_poller_is_told_of_every_step_of_the_progress(api: APIClient, scan: Scan) -> None:
    now, tags = timezone.now(), set()
    running = {"status": "running", "attempts": 1, "started_at": now, "lease_until": now, "slices_total": 180}
    for done in (40, 80):
        scan.analyses.update(slices_done=done, **running)
        tags.add(api.get(f"/api/v1/scans/{scan.pk}/")["ETag"])
    assert len(tags) == 2


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("scans/{scan.pk}/", "scan_viewed"),
        ("scans/{scan.pk}/analyses/", "scan_viewed"),
        ("scans/{scan.pk}/file/", "file_downloaded"),
        ("cases/{scan.case_id}/", "case_viewed"),
        ("patients/{scan.case.patient_id}/", "patient_viewed"),
        ("analyses/{analysis}/", "analysis_viewed"),
        ("analyses/{analysis}/reviews/", "analysis_viewed"),
        ("scans/", "worklist_viewed"),
        ("cases/?patient=MRN-1", "worklist_viewed"),
        ("patients/?reference=MRN-1", "worklist_viewed"),
    ],
)
def test_each_look_is_one_event_that_quotes_no_patient(
    api: APIClient, scan: Scan, path: str, action: str
) -> None:
    before = AuditEvent.objects.count()
    assert api.get("/api/v1/" + path.format(scan=scan, analysis=scan.analyses.get().pk)).status_code == 200
    event = AuditEvent.objects.latest("pk")
    assert AuditEvent.objects.count() == before + 1
    assert (event.action, event.actor_name, event.via) == (action, "alice", "api")
    assert "MRN" not in str(event.detail)


# --- files -----------------------------------------------------------------------------------------


def test_a_file_comes_back_as_it_was_sent_and_nothing_in_it_can_run(api: APIClient, scan: Scan) -> None:
    response = api.get(url(scan, "file/"), HTTP_ACCEPT="image/png")
    data = b"".join(response.streaming_content)
    assert data == brain_png()
    assert hashlib.sha256(data).hexdigest() == api.get(url(scan)).json()["files"][0]["sha256"]
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == f'attachment; filename="scan-{scan.pk}-0.png"'
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("position", ["1", "2147483647"])
def test_a_file_that_the_scan_does_not_have_is_404(api: APIClient, scan: Scan, position: str) -> None:
    assert_problem(api.get(url(scan, f"file/?position={position}")), 404, "not_found")


@pytest.mark.parametrize("position", ["-1", "x", "99999999999", "\0", ""])
def test_a_position_that_is_none_is_400(api: APIClient, scan: Scan, position: str) -> None:
    assert_problem(api.get(url(scan, "file/"), {"position": position}), 400, "invalid")


def test_a_stored_file_that_is_gone_is_no_view_of_it(api: APIClient, scan: Scan) -> None:
    default_storage.delete(scan.files.get().name)
    before = actions()
    assert_problem(api.get(url(scan, "file/")), 500, "file_lost")
    assert actions() == before


# --- lists -------------------------------------------------------------------------------------


@pytest.fixture
def three(api: APIClient, rung: list[str], work: Work) -> list[dict[str, Any]]:
    """Scans of MRN-0 (failed), MRN-1 (uncertain) and MRN-2 (waiting), oldest first."""
    sent = [send(api, seed, f"MRN-{seed}") for seed in range(3)]
    work(sent[0]["analysis"]["id"], UserFacingError("x", "X."))
    work(sent[1]["analysis"]["id"], prediction("uncertain"))
    return sent


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("scans/", [2, 1, 0]),
        ("scans/?status=failed", [0]),
        ("scans/?status=succeeded", [1]),
        ("scans/?status=queued", [2]),
        ("scans/?outcome=uncertain", [1]),
        ("scans/?outcome=glioma", []),
        ("scans/?status=failed&outcome=uncertain", []),
        ("scans/?patient=MRN-1", [1]),
        ("scans/?patient=MRN", []),
        ("cases/", [2, 1, 0]),
        ("cases/?patient=MRN-2", [2]),
        ("cases/?triage=uncertain", [1]),
        ("cases/?triage=waiting", [2]),
        ("cases/?department=Neuroradiology", [2, 1, 0]),
        ("cases/?department=Orthopaedics", []),
        ("patients/", [2, 1, 0]),
        ("patients/?reference=MRN-0", [0]),
    ],
)
def test_filters_narrow_a_list(
    api: APIClient, three: list[dict[str, Any]], path: str, found: list[int]
) -> None:
    references = [
        row["patient"] if path.startswith("scans") else row.get("reference") or row["patient"]["reference"]
        for row in api.get(f"/api/v1/{path}").json()["results"]
    ]
    assert references == [f"MRN-{number}" for number in found]


def test_scans_are_found_by_their_case(api: APIClient, three: list[dict[str, Any]]) -> None:
    listed = api.get(f"/api/v1/scans/?case={three[1]['case']}").json()["results"]
    assert [row["id"] for row in listed] == [three[1]["id"]]
    of_the_case = api.get(f"/api/v1/cases/{three[1]['case']}/").json()["scans"]
    assert api.get(of_the_case).json()["results"] == listed


def test_a_status_is_that_of_the_latest_analysis(api: APIClient, scan: Scan, work: Work) -> None:
    work(scan.analyses.get().pk)
    api.post(url(scan, "analyses/"))
    assert api.get("/api/v1/scans/?status=succeeded").json()["results"] == []
    assert len(api.get("/api/v1/scans/?status=queued").json()["results"]) == 1


@pytest.mark.parametrize("what", LISTS)
def test_a_period_holds_its_beginning_and_not_its_end(
    api: APIClient, three: list[dict[str, Any]], what: str
) -> None:
    rows = api.get(f"/api/v1/{what}/").json()["results"]
    middle = rows[1]["created_at"]
    since = api.get(f"/api/v1/{what}/", {"created_since": middle}).json()["results"]
    before = api.get(f"/api/v1/{what}/", {"created_before": middle}).json()["results"]
    assert [row["id"] for row in since + before] == [row["id"] for row in rows]
    assert len(before) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=done", "status"),
        ("outcome=cancer", "outcome"),
        ("case=1234", "case"),
        ("patient=", "patient"),
        ("patient=%00", "patient"),
        ("created_since=yesterday", "created_since"),
        ("created_before=2026-13-01", "created_before"),
        ("page_size=0", "page_size"),
        ("page_size=101", "page_size"),
        ("page_size=x", "page_size"),
        ("cursor=%00", "cursor"),
        ("cursor=nonsense", "cursor"),
        ("cursor=MjAyNnx4", "cursor"),
        ("staus=failed", "staus"),
        ("status=failed&status=queued", "status"),
    ],
)
def test_a_filter_of_the_wrong_form_is_named_and_never_ignored(
    api: APIClient, query: str, field: str
) -> None:
    body = assert_problem(api.get(f"/api/v1/scans/?{query}"), 400, "invalid")
    assert list(body["errors"]) == [field]


def pages(api: APIClient, address: str) -> Iterator[list[str]]:
    while address:
        body = api.get(address).json()
        yield [row["id"] for row in body["results"]]
        address = body["next"]


@pytest.fixture
def many_cases(as_alice: Actor) -> list[str]:
    """Seven cases; the middle ones were opened at the very same moment."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    opened = [open_case(actor=as_alice, patient_reference=f"P{number}") for number in range(7)]
    for number, case in enumerate(opened):
        minutes = number if number in (0, 6) else 3
        Case.objects.filter(pk=case.pk).update(created_at=moment + timedelta(minutes=minutes))
    return [str(pk) for pk in Case.objects.order_by("-created_at", "-id").values_list("pk", flat=True)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_pages_hold_every_row_once_even_of_one_moment(
    api: APIClient, many_cases: list[str], size: int
) -> None:
    found = list(pages(api, f"/api/v1/cases/?page_size={size}"))
    assert [pk for page in found for pk in page] == many_cases
    assert {len(page) for page in found[:-1]} <= {size}


def test_rows_that_come_meanwhile_shift_nothing(
    api: APIClient, many_cases: list[str], as_alice: Actor
) -> None:
    found = []
    for page in pages(api, "/api/v1/cases/?page_size=2"):
        found += page
        open_case(actor=as_alice, patient_reference=f"late-{uuid.uuid4()}")
    assert found == many_cases


def test_the_next_page_keeps_the_filters(api: APIClient, many_cases: list[str]) -> None:
    first = api.get("/api/v1/cases/?page_size=1&patient=P3").json()
    assert first["next"] is None
    assert "triage=empty" in api.get("/api/v1/cases/?page_size=1&triage=empty").json()["next"]


def queries(api: APIClient, address: str) -> int:
    api.get(address)  # the token's last use has been noted
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert api.get(address).status_code == 200
    return len(captured)


@pytest.mark.parametrize("what", LISTS)
def test_a_list_asks_the_database_as_often_for_many_rows_as_for_one(
    api: APIClient, rung: list[str], work: Work, what: str
) -> None:
    work(send(api)["analysis"]["id"])
    one = queries(api, f"/api/v1/{what}/")
    for seed in range(1, 6):
        work(send(api, seed, f"MRN-{seed}")["analysis"]["id"])
    assert queries(api, f"/api/v1/{what}/") == one <= 8


def test_the_lists_of_a_scan_and_an_analysis_ask_as_often_for_many_rows(
    api: APIClient, scan: Scan, work: Work, alice: User
) -> None:
    analysis = work(scan.analyses.get().pk)
    addresses = [url(scan), url(scan, "analyses/"), f"/api/v1/analyses/{analysis.pk}/reviews/"]
    review = {"verdict": "cannot_tell"}
    api.post(addresses[2], review, format="json")
    few = [queries(api, address) for address in addresses]
    for _ in range(4):
        api.post(addresses[2], review, format="json")
        work(api.post(addresses[1]).json()["id"])
    assert [queries(api, address) for address in addresses] == few
    assert max(few) <= 8


def test_an_upload_asks_the_database_a_constant_number_of_times_a_file(api: APIClient) -> None:
    def asked(count: int, patient: str) -> int:
        files = [upload(brain_png(seed)) for seed in range(count)]
        with CaptureQueriesContext(connection) as captured:
            assert api.post("/api/v1/scans/", {"file": files, "patient": patient}).status_code == 202
        return len(captured)

    asked(1, "warm-up")
    one, two, four = asked(1, "A"), asked(2, "B"), asked(4, "C")
    assert four - two == 2 * (two - one)


def test_a_date_is_enough_for_a_period(api: APIClient, scan: Scan) -> None:
    tomorrow = (timezone.now() + timedelta(days=1)).date().isoformat()
    assert len(api.get("/api/v1/scans/", {"created_before": tomorrow}).json()["results"]) == 1
    assert api.get("/api/v1/scans/", {"created_since": tomorrow}).json()["results"] == []
