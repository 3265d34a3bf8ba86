"""The human verdict over the API."""

import pytest
from rest_framework.test import APIClient

from classifier.models import Analysis, Review, Scan, User
from tests.api.checks import assert_problem
from tests.api.conftest import MakeClient, Work
from tests.worker import prediction


@pytest.fixture
def finished(scan: Scan, work: Work) -> Analysis:
    return work(scan.analyses.get().pk)


def review(api: APIClient, analysis: Analysis, **sent: object):
    return api.post(f"/api/v1/analyses/{analysis.pk}/reviews/", sent, format="json")


@pytest.mark.parametrize(
    ("sent", "label"),
    [
        ({"verdict": "agree"}, "glioma"),
        ({"verdict": "correct", "label": "notumor", "comment": "An artefact."}, "notumor"),
        ({"verdict": "cannot_tell"}, None),
    ],
)
def test_a_verdict_stands_beside_the_machines(
    client_of: MakeClient, rita: User, finished: Analysis, sent: dict[str, str], label: str | None
) -> None:
    response = review(client_of(rita), finished, **sent)
    assert response.status_code == 201
    body = response.json()
    assert (body["reviewer"], body["verdict"], body["label"]) == ("rita", sent["verdict"], label)
    assert body["comment"] == sent.get("comment", "")


def test_reviews_are_listed_newest_first(api: APIClient, finished: Analysis) -> None:
    for verdict in ("agree", "cannot_tell"):
        review(api, finished, verdict=verdict)
    listed = api.get(f"/api/v1/analyses/{finished.pk}/reviews/").json()
    assert [row["verdict"] for row in listed["results"]] == ["cannot_tell", "agree"]
    assert listed["next"] is None


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({}, "invalid"),
        ({"verdict": "perhaps"}, "invalid"),
        ({"verdict": "correct"}, "label_invalid"),
        ({"verdict": "correct", "label": "cyst"}, "invalid"),
        ({"verdict": "agree", "comment": "x" * 4001}, "invalid"),
        ({"verdict": "agree", "comment": "\0"}, "invalid"),
        ({"verdict": "agree", "lable": "glioma"}, "invalid"),
    ],
)
def test_a_review_of_the_wrong_form_is_refused(
    api: APIClient, finished: Analysis, sent: dict[str, str], code: str
) -> None:
    assert_problem(review(api, finished, **sent), 400, code)
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"verdict": "agree", "label": "notumor"}, "label"),
        ({"verdict": "cannot_tell", "label": "glioma"}, "label"),
        ({"verdict": "agree", "region": {"slice": 0, "box": [0, 0, 9, 9]}}, "wrong_region"),
        (
            {"verdict": "correct", "label": "notumor", "region": {"slice": 0, "box": [0, 0, 9, 9]}},
            "wrong_region",
        ),
    ],
)
def test_what_a_review_would_not_keep_is_refused_and_not_lost(
    api: APIClient, finished: Analysis, sent: dict[str, object], field: str
) -> None:
    body = assert_problem(review(api, finished, **sent), 400, "invalid")
    assert list(body["errors"]) == [field] and not Review.objects.exists()


def test_an_analysis_under_way_cannot_be_reviewed(api: APIClient, scan: Scan) -> None:
    response = review(api, scan.analyses.get(), verdict="agree")
    assert_problem(response, 409, "analysis_not_finished")


def test_nobody_agrees_with_an_answer_that_was_none(api: APIClient, scan: Scan, work: Work) -> None:
    analysis = work(scan.analyses.get().pk, prediction("uncertain"))
    assert_problem(review(api, analysis, verdict="agree"), 400, "nothing_to_agree")
