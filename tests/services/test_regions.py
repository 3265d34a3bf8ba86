"""A reader may mark the outlined region as wrong and say where the tumour is."""

from typing import Any

import pytest

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import AuditEvent, Review, Scan
from classifier.services.reviews import submit_review
from tests.pages.conftest import series  # noqa: F401
from tests.worker import Worker


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
    }
    flagged = submit_review(actor=as_rita, analysis=analysis, verdict="agree", wrong_region=True)
    assert flagged.region is None
    unmarked = submit_review(actor=as_rita, analysis=analysis, verdict="agree", region=place)
    assert unmarked.region is None


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
