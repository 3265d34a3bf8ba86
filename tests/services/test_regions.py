"""A reader may say where the tumour is: elsewhere than outlined, or where the machine named none."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import AuditEvent, Review, Scan, User
from classifier.services.reviews import submit_review
from tests.conftest import Reads
from tests.pages.conftest import series  # noqa: F401
from tests.worker import Worker, prediction


def test_a_region_can_be_marked_wrong_and_its_place_given(
    series: Scan,  # noqa: F811
    worker: Worker,
    as_rita: Actor,
) -> None:
    analysis = worker.finish(series)
    place = {"slice": 3, "box": [10, 20, 30, 45]}
    review = submit_review(actor=as_rita, analysis=analysis, verdict="agree", wrong_region=True, region=place)
    assert (review.wrong_region, review.region) == (True, place)
    assert AuditEvent.objects.latest("pk").detail == {
        "verdict": "agree",
        "label": "glioma",
        "wrong_region": True,
        "slice": 3,
    }
    flagged = submit_review(actor=as_rita, analysis=analysis, verdict="agree", wrong_region=True)
    assert flagged.region is None


@pytest.mark.parametrize("outcome", ["notumor", "uncertain", "refused"])
def test_a_tumour_that_the_machine_did_not_name_can_be_marked(
    outcome: str,
    series: Scan,  # noqa: F811
    worker: Worker,
    as_rita: Actor,
) -> None:
    analysis = worker.finish(series, prediction(outcome, slice_index=None))
    place = {"slice": 3, "box": [10, 20, 30, 45]}
    given = {"verdict": "correct", "label": "pituitary", "region": place}
    review = submit_review(actor=as_rita, analysis=analysis, **given)
    review.refresh_from_db()
    assert (review.wrong_region, review.region) == (False, place)
    assert AuditEvent.objects.latest("pk").detail == {"verdict": "correct", "label": "pituitary", "slice": 3}


@pytest.mark.parametrize("label", ["glioma", "meningioma"])
def test_a_blind_read_marks_a_tumour_whatever_the_machine_has_named(
    label: str, scan: Scan, worker: Worker, as_alice: Actor, reads: Reads
) -> None:
    analysis = worker.finish(scan)
    reads(blind=True)
    place = {"slice": 0, "box": [10, 20, 30, 45]}
    review = submit_review(actor=as_alice, analysis=analysis, verdict="correct", label=label, region=place)
    review.refresh_from_db()
    assert (review.blind, review.region) == (True, place)
    assert review.verdict == ("agree" if label == "glioma" else "correct")


@pytest.mark.parametrize(
    "given",
    [
        {"verdict": "agree"},
        {"verdict": "agree", "label": "glioma"},
        {"verdict": "correct", "label": "notumor"},
        {"verdict": "cannot_tell"},
    ],
)
def test_a_place_of_no_tumour_is_refused_and_not_lost(
    given: dict[str, str], scan: Scan, worker: Worker, as_rita: Actor
) -> None:
    place = {"slice": 0, "box": [10, 20, 30, 45]}
    with pytest.raises(UserFacingError) as refused:
        submit_review(actor=as_rita, analysis=worker.finish(scan), region=place, **given)
    assert refused.value.code == "region_unexpected"
    assert not Review.objects.exists()


def test_the_database_keeps_no_place_of_no_tumour(scan: Scan, worker: Worker, alice: User) -> None:
    row = Review(
        analysis=worker.finish(scan),
        reviewer=alice,
        verdict="correct",
        label="notumor",
        region={"slice": 0, "box": [10, 20, 30, 45]},
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"slice": 0},
        {"slice": 0, "box": [1, 2, 3]},
        {"slice": 0, "box": [10, 2, 10, 5]},
        {"slice": 0, "box": [-1, 2, 10, 5]},
        {"slice": 0, "box": [0, 0, 100_000, 5]},
        {"slice": 20, "box": [0, 0, 5, 5]},
        {"slice": -1, "box": [0, 0, 5, 5]},
        {"slice": "x", "box": [0, 0, 5, 5]},
    ],
)
def test_a_place_outside_the_scan_is_refused(
    place: dict[str, Any],
    series: Scan,  # noqa: F811
    worker: Worker,
    as_rita: Actor,
) -> None:
    given = {"analysis": worker.finish(series), "verdict": "agree", "wrong_region": True, "region": place}
    with pytest.raises(UserFacingError) as refused:
        submit_review(actor=as_rita, **given)
    assert refused.value.code == "region_invalid"
    assert not Review.objects.exists()


def test_a_place_may_reach_to_every_edge_of_the_picture_and_not_beyond(
    scan: Scan, worker: Worker, as_rita: Actor
) -> None:
    width, height = scan.facts["width"], scan.facts["height"]
    assert width != height
    given = {"actor": as_rita, "analysis": worker.finish(scan), "verdict": "agree", "wrong_region": True}
    for right, bottom in ((width + 1, height), (width, height + 1)):
        with pytest.raises(UserFacingError):
            submit_review(region={"slice": 0, "box": [0, 0, right, bottom]}, **given)
    whole = {"slice": 0, "box": [0, 0, width, height]}
    assert submit_review(region=whole, **given).region == whole
