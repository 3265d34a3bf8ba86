"""Reading over the API as a department wants it: hidden answers, adjudication, reports and their PDF."""

import io
from collections.abc import Callable

import pypdf
import pytest
from rest_framework.test import APIClient

from classifier.models import Analysis, Report, Role, Scan, User
from tests.api.checks import assert_problem
from tests.api.conftest import MakeClient, Work
from tests.conftest import NEURO, Reads
from tests.worker import prediction


@pytest.fixture
def finished(scan: Scan, work: Work) -> Analysis:
    return work(scan.analyses.get().pk)


def review(api: APIClient, analysis: Analysis, **sent: object):
    return api.post(f"/api/v1/analyses/{analysis.pk}/reviews/", sent, format="json")


def sign(api: APIClient, analysis: Analysis, **sent: object):
    return api.post(f"/api/v1/cases/{analysis.scan.case_id}/reports/", sent, format="json")


@pytest.fixture
def reviewed(api: APIClient, finished: Analysis) -> Analysis:
    review(api, finished, verdict="agree")
    return finished


# --- Blind -------------------------------------------------------------------------------------------


def test_a_blind_reader_gets_no_answer_before_their_own_and_the_etag_moves(
    client_of: MakeClient, rita: User, finished: Analysis, reads: Reads
) -> None:
    reads(blind=True)
    api = client_of(rita)
    address = f"/api/v1/analyses/{finished.pk}/"
    hidden = api.get(address)
    body = hidden.json()
    assert (body["answer_hidden"], body["status"]) == (True, "succeeded")
    told = ("outcome", "label", "probabilities", "tumour_probability", "reason", "finding", "slices")
    assert [body[name] for name in told] == [None] * len(told)
    assert api.get("/api/v1/scans/").json()["results"][0]["analysis"]["outcome"] is None
    assert api.get(f"/api/v1/scans/{finished.scan_id}/").json()["analysis"]["outcome"] is None
    assert api.get("/api/v1/scans/?outcome=glioma").json()["results"] == []
    case = api.get(f"/api/v1/cases/{finished.scan.case_id}/").json()
    assert case["triage"] == "to_read"
    assert_problem(review(api, finished, verdict="agree"), 409, "answer_hidden")
    mine = review(api, finished, verdict="correct", label="glioma").json()
    assert (mine["verdict"], mine["blind"]) == ("agree", True)
    seen = api.get(address, headers={"If-None-Match": hidden["ETag"]})
    assert seen.status_code == 200
    assert (seen.json()["outcome"], seen.json()["answer_hidden"]) == ("glioma", False)
    assert len(api.get("/api/v1/scans/?outcome=glioma").json()["results"]) == 1


def test_the_first_read_is_not_listed_for_the_second_reader(
    api: APIClient, client_of: MakeClient, rita: User, finished: Analysis, reads: Reads
) -> None:
    reads(second_reader=True)
    review(api, finished, verdict="agree")
    second = client_of(rita)
    address = f"/api/v1/analyses/{finished.pk}/reviews/"
    assert second.get(address).json()["results"] == []
    review(second, finished, verdict="agree")
    assert len(second.get(address).json()["results"]) == 2


# --- Regions and adjudication ------------------------------------------------------------------------


def test_a_wrong_region_and_its_place_are_kept(api: APIClient, finished: Analysis) -> None:
    place = {"slice": 0, "box": [10, 20, 30, 40]}
    body = review(api, finished, verdict="agree", wrong_region=True, region=place).json()
    assert (body["wrong_region"], body["region"]) == (True, place)
    for wrong in ({"slice": 0, "box": [1, 2, 3]}, {"slice": 0}, "left", {"slice": -1, "box": [0, 0, 1, 1]}):
        assert_problem(
            review(api, finished, verdict="agree", wrong_region=True, region=wrong), 400, "invalid"
        )
    outside = {"slice": 0, "box": [0, 0, 99999, 1]}
    response = review(api, finished, verdict="agree", wrong_region=True, region=outside)
    assert_problem(response, 400, "region_invalid")


def test_a_tumour_that_the_machine_did_not_see_has_its_place(api: APIClient, scan: Scan, work: Work) -> None:
    analysis = work(scan.analyses.get().pk, prediction("notumor"))
    place = {"slice": 0, "box": [10, 20, 30, 40]}
    body = review(api, analysis, verdict="correct", label="glioma", region=place).json()
    assert (body["wrong_region"], body["region"]) == (False, place)


def test_a_third_person_decides_between_two_reads(
    api: APIClient,
    client_of: MakeClient,
    rita: User,
    make_user: Callable[..., User],
    finished: Analysis,
    reads: Reads,
) -> None:
    reads(second_reader=True)
    address = f"/api/v1/analyses/{finished.pk}/adjudication/"
    decision = {"answer": "glioma", "comment": "Two slices show it."}
    review(api, finished, verdict="agree")
    third = client_of(make_user("carl", Role.REVIEWER, NEURO))
    assert_problem(third.post(address, decision, format="json"), 409, "nothing_to_adjudicate")
    review(client_of(rita), finished, verdict="correct", label="notumor")
    assert_problem(api.post(address, decision, format="json"), 403, "not_allowed")
    assert_problem(third.post(address, {"answer": "cyst"}, format="json"), 400, "invalid")
    decided = third.post(address, decision, format="json")
    assert decided.status_code == 201
    body = decided.json()
    assert (body["adjudicator"], body["answer"]) == ("carl", "glioma")
    assert body["first_read"] != body["second_read"]
    assert_problem(review(api, finished, verdict="agree"), 409, "already_adjudicated")


# --- Reports -----------------------------------------------------------------------------------------


def test_a_case_is_signed_read_and_amended(api: APIClient, reviewed: Analysis) -> None:
    signed = sign(api, reviewed, impression="A mass.")
    assert signed.status_code == 201
    body = signed.json()
    assert signed["Location"] == body["url"]
    assert (body["version"], body["answer"], body["author"], body["reason"]) == (1, "glioma", "alice", None)
    assert body["research_use_only"] is True
    assert body["content"]["scans"][0]["outcome"] == "glioma"
    assert api.get(body["url"]).json() == body
    amended = sign(api, reviewed, amends=1, reason="A slip.", answer="meningioma").json()
    assert (amended["version"], amended["reason"], amended["answer"]) == (2, "A slip.", "meningioma")
    case = api.get(f"/api/v1/cases/{reviewed.scan.case_id}/").json()
    assert case["triage"] == "signed"
    listed = api.get(case["reports"]).json()["results"]
    assert [(row["version"], row["answer"]) for row in listed] == [(2, "meningioma"), (1, "glioma")]
    assert "content" not in listed[0]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"answer": "cyst"}, 400, "invalid"),
        ({"answer": "notumor"}, 400, "answer_invalid"),
        ({"reason": "x"}, 400, "invalid"),
        ({"amends": 1, "reason": "x"}, 409, "report_not_signed"),
        ({"impression": "x" * 8001}, 400, "invalid"),
        ({"amend": 1}, 400, "invalid"),
    ],
)
def test_a_signature_that_cannot_be_is_refused(
    sent: dict[str, object], status: int, code: str, api: APIClient, reviewed: Analysis
) -> None:
    assert_problem(sign(api, reviewed, **sent), status, code)
    assert not Report.objects.exists()


def test_what_is_signed_is_closed_and_what_is_amended_must_be_what_holds(
    api: APIClient, reviewed: Analysis
) -> None:
    sign(api, reviewed)
    assert_problem(sign(api, reviewed), 409, "report_signed")
    assert_problem(review(api, reviewed, verdict="agree"), 409, "report_signed")
    assert_problem(sign(api, reviewed, amends=2, reason="x"), 409, "report_changed")
    assert_problem(sign(api, reviewed, amends=1), 400, "reason_required")


def test_what_is_not_read_is_not_signed(api: APIClient, finished: Analysis) -> None:
    assert_problem(sign(api, finished), 409, "review_missing")


def test_signing_needs_its_own_scope(client_of: MakeClient, alice: User, reviewed: Analysis) -> None:
    assert_problem(sign(client_of(alice, "scans:read", "reviews:write"), reviewed), 403, "scope_missing")
    assert sign(client_of(alice, "reports:sign"), reviewed).status_code == 201


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_pdf_comes_in_both_languages(language: str, api: APIClient, reviewed: Analysis) -> None:
    address = sign(api, reviewed).json()["pdf"]
    response = api.get(f"{address}?language={language}", headers={"Accept": "application/pdf"})
    assert response["Content-Type"] == "application/pdf"
    assert f"-v1-{language}.pdf" in response["Content-Disposition"]
    assert pypdf.PdfReader(io.BytesIO(response.content)).trailer["/Root"]["/Lang"] == language
    assert_problem(api.get(f"{address}?language=xx"), 400, "invalid")


def test_strangers_get_no_report(strangers_api: APIClient, api: APIClient, reviewed: Analysis) -> None:
    body = sign(api, reviewed).json()
    for address in (body["url"], body["pdf"], f"/api/v1/cases/{reviewed.scan.case_id}/reports/"):
        assert_problem(strangers_api.get(address), 404, "not_found")
