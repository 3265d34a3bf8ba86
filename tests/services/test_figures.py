"""A department's numbers, counted by hand on a few scans."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from classifier.models import (
    Adjudication,
    Analysis,
    Answer,
    Case,
    DepartmentPolicy,
    ModelVersion,
    Review,
    Scan,
    User,
)
from classifier.services.figures import KEPT, Figures, Share, Turnaround, department_figures
from tests.conftest import NEURO, ORTHO

Add = Callable[..., Scan]


@pytest.fixture
def add(case: Case, alice: User, active_model: ModelVersion) -> Add:
    """``add(outcome, truth)``: a scan answered after 30 s and, where there is a truth, read after 2 min."""

    def make(outcome: str, truth: str = "", *, weeks_ago: int = 0, brightness: float = 0.2) -> Scan:
        uploaded = timezone.now() - timedelta(weeks=weeks_ago)
        with patch("django.utils.timezone.now", lambda: uploaded):
            digest, facts = f"{Scan.objects.count():064}", {"mean_brightness": brightness}
            scan = Scan.objects.create(case=case, digest=digest, facts=facts, uploaded_by=alice)
            analysis = Analysis.objects.create(
                scan=scan,
                requested_by=alice,
                model_version=active_model,
                finished_at=uploaded + timedelta(seconds=30),
                **answer(outcome),
            )
        with patch("django.utils.timezone.now", lambda: uploaded + timedelta(minutes=2)):
            if truth:
                Review.objects.create(analysis=analysis, reviewer=alice, **verdict(outcome, truth))
        return scan

    return make


def answer(outcome: str) -> dict[str, Any]:
    if outcome == "failed":
        return {"status": "failed", "error_code": "time_limit"}
    return {"status": "succeeded", "outcome": outcome, "probabilities": {}}


def verdict(outcome: str, truth: str) -> dict[str, str]:
    if truth == "cannot_tell":
        return {"verdict": "cannot_tell"}
    return {"verdict": "agree" if truth == outcome else "correct", "label": truth}


def of(user: User, department: int | None = None, weeks: int = 4) -> Figures:
    return department_figures(user=user, department=department, weeks=weeks)


def test_wilsons_interval_is_the_textbooks() -> None:
    low, high = Share(8, 10).interval or (0, 0)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert Share(0, 5).interval == (0.0, pytest.approx(0.434, abs=1e-3))
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, None)


def test_a_turnaround_is_a_time_that_was_measured() -> None:
    waits = [timedelta(minutes=number) for number in range(1, 11)]
    assert Turnaround.of(waits) == Turnaround(10, 300.0, 540.0)
    assert Turnaround.of(waits[:5]) == Turnaround(5, 180.0, 300.0)
    assert Turnaround.of([]) == Turnaround(0, None, None)


def test_sensitivity_counts_what_was_suspected_among_reviewed_tumours(add: Add, alice: User) -> None:
    for outcome, truth in (
        ("glioma", "glioma"),
        ("glioma", "meningioma"),  # another class, and suspected all the same
        ("uncertain", "pituitary"),
        ("refused", "glioma"),
        ("notumor", "glioma"),  # the worst error
        ("notumor", "notumor"),
        ("meningioma", "notumor"),
        ("notumor", "cannot_tell"),
        ("notumor", ""),
    ):
        add(outcome, truth)
    found = of(alice)
    assert found.sensitivity == Share(2, 5)
    assert found.not_missed == Share(4, 5)
    assert found.specificity == Share(1, 2)
    assert found.agreement == Share(2, 5)


def test_the_matrix_counts_every_read_once(add: Add, alice: User) -> None:
    for truth in ("glioma", "glioma", "notumor", "cannot_tell"):
        add("glioma", truth)
    rows = {row.outcome: row for row in of(alice).matrix}
    assert dict(zip(Answer.values, rows["glioma"].counts, strict=True)) == {
        "glioma": 2,
        "meningioma": 0,
        "notumor": 1,
        "pituitary": 0,
        "cannot_tell": 1,
    }
    assert rows["glioma"].agreement == Share(2, 3)
    assert rows["uncertain"].agreement is None


def test_time_runs_from_the_upload(add: Add, alice: User) -> None:
    add("glioma", "glioma")
    add("notumor")
    found = of(alice)
    assert found.to_answer == Turnaround(2, 30.0, 30.0)
    assert found.to_review == Turnaround(1, 120.0, 120.0)


def test_weeks_tell_of_drift(add: Add, alice: User) -> None:
    add("glioma", brightness=0.2)
    add("failed", brightness=0.4)
    add("notumor", weeks_ago=2, brightness=0.9)
    weeks = of(alice).weeks
    assert len(weeks) == 4
    assert weeks[-1].brightness == pytest.approx(0.3)
    assert weeks[-1].standings["suspected"] == weeks[-1].standings["failed"] == Share(1, 2)
    assert weeks[-2] == type(weeks[-2])(weeks[-2].start, 0, None, weeks[-2].standings)
    assert weeks[-3].brightness == pytest.approx(0.9)
    assert of(alice, weeks=1).weeks == weeks[-1:]
    assert [len(of(alice, weeks=asked).weeks) for asked in (0, 104, 105)] == [1, 104, 104]


def test_where_two_persons_read_only_what_they_have_come_to_counts(
    add: Add, alice: User, rita: User, case: Case
) -> None:
    DepartmentPolicy.objects.create(department=case.department, second_reader=True)
    agreed, half, differing = (add("glioma", "glioma") for _ in range(3))
    for scan, label in ((agreed, "glioma"), (differing, "notumor")):
        analysis = scan.analyses.get()
        Review.objects.create(analysis=analysis, reviewer=rita, **verdict("glioma", label))
    assert half.analyses.get().reviews.count() == 1
    assert of(alice).agreement == Share(1, 1)


def test_what_a_third_person_has_decided_counts_though_one_reader_is_enough_now(
    add: Add, alice: User, rita: User, make_user: Callable[..., User], case: Case
) -> None:
    policy = DepartmentPolicy.objects.create(department=case.department, second_reader=True)
    analysis = add("notumor", "notumor").analyses.get()
    first = analysis.reviews.get()
    second = Review.objects.create(analysis=analysis, reviewer=rita, **verdict("notumor", "glioma"))
    Adjudication.objects.create(
        analysis=analysis,
        first_read=first,
        second_read=second,
        first_reader=alice,
        second_reader=rita,
        adjudicator=make_user("carl", "reviewer", NEURO),
        answer="glioma",
    )
    policy.second_reader = False
    policy.save()
    assert of(alice).not_missed == Share(0, 1)


def test_what_is_to_be_read_blind_is_not_counted_for_its_reader(
    add: Add, alice: User, rita: User, otto: User, case: Case
) -> None:
    DepartmentPolicy.objects.create(department=case.department, blind=True)
    add("glioma", "glioma")
    add("notumor")
    unread, read, watched = of(rita), of(alice), of(otto)
    assert unread.standings["suspected"] == unread.weeks[-1].standings["suspected"] == Share(0, 0)
    assert unread.sensitivity == Share(0, 0)
    assert (unread.weeks[-1].scans, unread.to_answer.count, unread.to_review.count) == (2, 2, 1)
    assert read.standings["suspected"] == read.sensitivity == Share(1, 1)
    assert watched.standings["suspected"] == Share(1, 2)
    assert (unread.leaves_out, read.leaves_out, watched.leaves_out) == (True, True, False)


def test_what_two_persons_have_read_blind_is_not_counted_for_a_third(
    add: Add, alice: User, rita: User, make_user: Callable[..., User], case: Case
) -> None:
    DepartmentPolicy.objects.create(department=case.department, blind=True, second_reader=True)
    analysis = add("glioma", "glioma").analyses.get()
    Review.objects.create(analysis=analysis, reviewer=rita, **verdict("glioma", "glioma"))
    carl = make_user("carl", "reviewer", NEURO)
    assert (of(alice).sensitivity, of(carl).sensitivity) == (Share(1, 1), Share(0, 0))


def test_every_day_has_a_number(add: Add, alice: User) -> None:
    days = of(alice).cases_by_day
    assert days[-1] == (timezone.localdate(), 1)
    assert sum(count for _, count in days) == 1
    assert 22 <= len(days) <= 28


def test_only_the_latest_analysis_of_a_scan_counts(add: Add, alice: User, active_model: ModelVersion) -> None:
    scan = add("notumor", "glioma")
    Analysis.objects.create(
        scan=scan,
        requested_by=alice,
        model_version=active_model,
        finished_at=timezone.now(),
        **answer("glioma"),
    )
    found = of(alice)
    assert found.standings["suspected"] == Share(1, 1)
    assert found.sensitivity == Share(0, 1), "the answer that was read is the one that is judged"


def test_nobody_sees_the_numbers_of_others(add: Add, bob: User, ada: User, alice: User) -> None:
    add("glioma", "glioma")
    neuro, ortho = (Group.objects.get(name=name).pk for name in (NEURO, ORTHO))
    for stranger in (of(bob), of(bob, department=neuro), of(ada, department=ortho)):
        assert stranger.sensitivity.total == sum(count for _, count in stranger.cases_by_day) == 0
    assert of(ada, department=neuro).sensitivity == of(alice).sensitivity == Share(1, 1)


def test_an_upload_tells_how_bright_its_images_are(scan: Scan) -> None:
    assert 0.05 < scan.facts["mean_brightness"] < 0.95


def test_more_scans_take_no_more_statements(add: Add, alice: User) -> None:
    def statements() -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as asked:
            of(alice)
        return len(asked)

    add("glioma", "glioma")
    with_one = statements()
    for _ in range(10):
        add("notumor", "glioma")
    assert statements() == with_one <= 4


def test_whoever_sees_the_same_gets_what_was_counted_some_minutes_ago(
    add: Add, alice: User, rita: User, bob: User, ada: User
) -> None:
    add("glioma", "glioma")
    counted = of(alice)
    add("glioma", "glioma")
    assert of(rita) == counted
    assert of(ada).sensitivity == Share(2, 2)
    assert of(bob).sensitivity == Share(0, 0)
    with patch("time.time", return_value=time.time() + KEPT.total_seconds() + 1):
        assert of(alice).sensitivity == Share(2, 2)


def test_the_first_and_the_last_read_of_a_scan_may_be_of_different_analyses(
    add: Add, alice: User, rita: User, active_model: ModelVersion
) -> None:
    scan = add("notumor", "glioma")
    later = Analysis.objects.create(
        scan=scan,
        requested_by=alice,
        model_version=active_model,
        finished_at=scan.created_at + timedelta(minutes=1),
        **answer("glioma"),
    )
    Review.objects.create(analysis=later, reviewer=rita, **verdict("glioma", "glioma"))
    with patch("django.utils.timezone.now", lambda: scan.created_at + timedelta(minutes=3)):
        Review.objects.create(
            analysis=scan.analyses.earliest("created_at"), reviewer=rita, **verdict("notumor", "notumor")
        )
    found = of(alice)
    assert found.to_answer == Turnaround(1, 30.0, 30.0)
    assert found.specificity == Share(1, 1), "the last read was of the first analysis"
    assert found.agreement == Share(1, 1)
    assert found.weeks[-1].scans == 1
