"""Blind reading: who sees what before their own read, on every page and in every list."""

from collections.abc import Callable
from typing import Any

import pytest

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import (
    Analysis,
    AuditEvent,
    Case,
    Scan,
)
from classifier.services import history, listing, pictures, results, worklist
from classifier.services.analyses import request_analysis
from classifier.services.reading import veil
from classifier.services.reviews import submit_review
from classifier.services.worklist_selection import Filters
from tests.conftest import Reads, upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.pages.conftest import series  # noqa: F401
from tests.services.readers import fresh, read, refusal, seen, standing
from tests.worker import Worker, outlined, prediction

Triage = Case.Triage


def test_a_blind_reader_sees_the_answer_after_their_own_read_and_not_before(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads
) -> None:
    reads(blind=True)
    before = seen(as_rita, analysis)
    assert before.answer_hidden
    assert before.status == "succeeded"
    assert [getattr(before, name) for name in Analysis.ANSWER_FIELDS if getattr(before, name)] == []
    read(as_alice, analysis)
    assert seen(as_alice, analysis).outcome == "glioma"
    assert seen(as_rita, analysis).answer_hidden
    read(as_rita, analysis, "notumor")
    assert seen(as_rita, analysis).outcome == "glioma"


def test_who_does_not_read_sees_everything(
    analysis: Analysis, as_otto: Actor, as_ada: Actor, reads: Reads
) -> None:
    reads(blind=True, second_reader=True)
    for overseer in (as_otto, as_ada):
        assert seen(overseer, analysis).outcome == "glioma"


def test_another_analysis_of_a_scan_is_open_to_who_has_read_the_scan(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads, worker: Worker
) -> None:
    reads(blind=True)
    read(as_alice, analysis)
    request_analysis(actor=as_alice, scan=analysis.scan)
    second = worker.finish(analysis.scan)
    assert not seen(as_alice, second).answer_hidden
    assert seen(as_rita, second).answer_hidden


def test_a_blind_read_names_its_answer_and_is_compared_afterwards(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads
) -> None:
    reads(blind=True)
    rita = fresh(as_rita)
    assert refusal(submit_review, actor=rita, analysis=analysis, verdict="agree") == "answer_hidden"
    assert (
        refusal(
            submit_review,
            actor=rita,
            analysis=analysis,
            verdict="correct",
            label="glioma",
            wrong_region=True,
        )
        == "answer_hidden"
    )
    same, other = read(as_rita, analysis, "glioma"), read(as_alice, analysis, "pituitary")
    assert (same.verdict, same.blind) == ("agree", True)
    assert (other.verdict, other.blind) == ("correct", True)
    later = submit_review(actor=rita, analysis=analysis, verdict="agree", wrong_region=True)
    assert (later.blind, later.wrong_region) == (False, True)


def test_the_worklist_of_a_blind_department_does_not_tell_the_answer(
    analysis: Analysis, as_rita: Actor, as_otto: Actor, reads: Reads
) -> None:
    reads(blind=True)
    assert standing() == Triage.TO_READ
    [row] = worklist.find_worklist(user=fresh(as_rita).require_user(), filters=Filters()).rows
    assert row.leading is not None
    assert (row.leading.answer_hidden, row.leading.outcome, row.leading.tumour_probability) == (
        True,
        "",
        None,
    )
    [row] = worklist.find_worklist(user=fresh(as_otto).require_user(), filters=Filters()).rows
    assert row.leading is not None
    assert row.leading.outcome == "glioma"
    reads(blind=False)
    assert standing() == Triage.SUSPECTED


def test_an_analysis_that_failed_is_told_where_answers_are_read_blind(
    scan: Scan, worker: Worker, reads: Reads
) -> None:
    reads(blind=True)
    worker.finish(scan, UserFacingError("file_altered", "A stored image differs."))
    assert standing() == Triage.FAILED


def test_neither_pages_nor_lists_nor_history_tell_what_is_hidden(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads
) -> None:
    reads(blind=True)
    read(as_alice, analysis)
    rita = fresh(as_rita)
    [result], _ = results.case_results(actor=rita, case=analysis.scan.case)
    assert (result.analysis.outcome, list(result.analysis.reviews.all())) == ("", [])
    assert results.scan_result(actor=rita, scan=analysis.scan).analysis.answer_hidden
    [scan] = listing.list_scans(actor=rita, filters={})
    listing.hide_answers(actor=rita, rows=[scan])
    assert [one.outcome for one in scan.analyses.all()] == [""]
    assert list(listing.list_reviews(analysis=seen(as_rita, analysis))) == []
    _, events, _ = history.case_history(actor=rita, case_id=analysis.scan.case_id)
    told = [event.detail for event in events if event.action in {"analysis_finished", "review_submitted"}]
    assert told == [{}, {}]
    _, events, _ = history.case_history(actor=fresh(as_alice), case_id=analysis.scan.case_id)
    assert any(event.detail.get("outcome") == "glioma" for event in events)


def test_the_history_does_not_tell_where_others_have_looked_before_ones_own_read(
    scan: Scan, worker: Worker, as_alice: Actor, as_rita: Actor, reads: Reads
) -> None:
    """That there was an outline to look at, and to which slice a reader has turned, tells the answer."""
    reads(blind=True)
    analysis = worker.finish(scan, outlined())
    read(as_alice, analysis)
    pictures.view_picture(actor=as_alice, scan_id=scan.pk, index=0)
    pictures.view_border(actor=as_alice, analysis_id=analysis.pk, index=0, side=512)

    def images(actor: Actor) -> int:
        _, events, _ = history.case_history(actor=fresh(actor), case_id=scan.case_id)
        return sum(event.action == AuditEvent.Action.IMAGE_VIEWED for event in events)

    assert (images(as_alice), images(as_rita)) == (2, 0)
    read(as_rita, analysis)
    assert images(as_rita) == 2


def test_a_filter_by_outcome_does_not_tell_what_is_hidden(
    analysis: Analysis, as_alice: Actor, as_rita: Actor, reads: Reads
) -> None:
    reads(blind=True)
    read(as_alice, analysis)
    found = {
        actor.require_user().username: len(
            listing.list_scans(actor=fresh(actor), filters={"outcome": "glioma"})
        )
        for actor in (as_alice, as_rita)
    }
    assert found == {"alice": 1, "rita": 0}
    assert len(listing.list_scans(actor=fresh(as_rita), filters={"status": "succeeded"})) == 1


def test_a_filter_by_outcome_finds_a_case_once_all_of_it_is_read(
    analysis: Analysis, case: Case, as_alice: Actor, as_rita: Actor, reads: Reads, worker: Worker
) -> None:
    def found() -> int:
        filters = Filters(outcome="glioma")
        return len(worklist.find_worklist(user=fresh(as_rita).require_user(), filters=filters).rows)

    [other] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=1))])
    second = worker.finish(other.scan, prediction("notumor"))
    reads(blind=True)
    read(as_rita, analysis)
    assert found() == 0
    read(as_rita, second, "notumor")
    assert found() == 1


@pytest.mark.parametrize(
    ("look", "asked"),
    [
        (pictures.view_overlay, {"index": 0}),
        (pictures.view_mask, {"index": 0}),
        (pictures.view_border, {"index": 0, "side": 512}),
        (pictures.view_mask_volume, {}),
    ],
)
def test_an_outline_is_shown_to_a_blind_reader_after_their_own_read(
    look: Callable[..., bytes],
    asked: dict[str, int],
    scan: Scan,
    worker: Worker,
    as_rita: Actor,
    reads: Reads,
) -> None:
    analysis = worker.finish(scan, outlined())
    asked = {**asked, "analysis_id": analysis.pk}
    assert look(actor=fresh(as_rita), **asked)
    reads(blind=True)
    assert refusal(look, actor=fresh(as_rita), **asked) == "answer_hidden"
    read(as_rita, analysis)
    assert look(actor=fresh(as_rita), **asked)


def test_every_column_of_an_analysis_is_told_to_be_answer_or_work() -> None:
    """A new column fails here until somebody has decided whether a blind reader may see it."""
    work = {
        "id",
        "scan",
        "model_version",
        "requested_version",
        "requested_by",
        "status",
        "attempts",
        "created_at",
        "rung_at",
        "started_at",
        "lease_until",
        "finished_at",
        "slices_done",
        "slices_total",
        "error_code",
        "error_detail",
    }
    columns = {field.name for field in Analysis._meta.concrete_fields}
    assert columns == work | set(Analysis.ANSWER_FIELDS)


def test_who_reads_with_the_answer_in_sight_costs_no_question_to_the_database(
    analysis: Analysis, as_rita: Actor, django_assert_num_queries: Any
) -> None:
    user = fresh(as_rita).require_user()
    assert user.departments
    row = Analysis.objects.select_related("scan__case").get()
    with django_assert_num_queries(0):
        veil(user=user, analyses=[row])
    assert row.outcome == "glioma"


@pytest.mark.parametrize("outcome", ["uncertain", "refused"])
def test_an_answer_that_is_none_is_hidden_like_any_other(
    outcome: str, scan: Scan, worker: Worker, as_rita: Actor, reads: Reads
) -> None:
    reads(blind=True)
    analysis = worker.finish(scan, prediction(outcome, reason="two_plausible", reason_text="Close."))
    assert (seen(as_rita, analysis).outcome, seen(as_rita, analysis).reason_text) == ("", "")
    assert standing() == Triage.TO_READ
