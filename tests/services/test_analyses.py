"""The life of an analysis, step by step; `tests/processes` proves it with real workers."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from classifier import inference
from classifier.audit import Actor
from classifier.errors import Conflict, NotAllowed, NotFound, UserFacingError
from classifier.models import Analysis, AuditEvent, ModelVersion, Scan
from classifier.services import analyses, masks
from classifier.services.analyses import recover_analyses, request_analysis, run_analysis
from classifier.services.masks import read_masks
from tests.ml.pictures import brain_dicom, brain_png, nifti
from tests.services.test_scans import stored_files
from tests.worker import PROBABILITIES, Worker, lose, outlined, prediction

Status = Analysis.Status
MAX_ATTEMPTS = settings.MAX_ATTEMPTS


def actions() -> list[str]:
    names = AuditEvent.objects.filter(object_type="analysis").order_by("pk")
    return list(names.values_list("action", flat=True))


def test_a_finished_analysis_holds_all_that_the_model_said(scan: Scan, worker: Worker) -> None:
    analysis = worker.finish(scan, prediction("uncertain", reason="close_call", reason_text="Too close."))
    assert (analysis.status, analysis.outcome, analysis.label) == ("succeeded", "uncertain", "glioma")
    assert (analysis.probabilities, analysis.tumour_probability) == (PROBABILITIES, 0.97)
    assert (analysis.reason, analysis.reason_text) == ("close_call", "Too close.")
    assert (analysis.attempts, analysis.model_version) == (1, worker.model)
    assert analysis.lease_until is None and analysis.finished_at >= analysis.started_at
    assert actions() == ["analysis_requested", "analysis_finished"]


def test_a_message_delivered_twice_changes_nothing(scan: Scan, worker: Worker) -> None:
    first = worker.finish(scan)
    run_analysis(analysis_id=first.pk)
    again = Analysis.objects.get(pk=first.pk)
    assert (again.attempts, again.finished_at) == (1, first.finished_at)
    assert actions() == ["analysis_requested", "analysis_finished"]


def test_a_message_about_nothing_is_ignored(worker: Worker) -> None:
    run_analysis(analysis_id="00000000-0000-0000-0000-000000000000")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserFacingError("file_altered", "A stored image differs."), "file_altered"),
        (SoftTimeLimitExceeded(), "time_limit"),
    ],
)
def test_what_is_known_to_fail_fails_at_once_with_its_code(
    error: Exception, code: str, scan: Scan, worker: Worker
) -> None:
    analysis = worker.finish(scan, error)
    assert (analysis.status, analysis.error_code, analysis.attempts) == ("failed", code, 1)
    assert actions() == ["analysis_requested", "analysis_failed"]


@pytest.mark.parametrize(
    "decoder", ["ml.raster.PIL.Image.open", "ml.nifti.decode", "ml.dicom_series.stored_values"]
)
def test_a_time_limit_within_a_decoder_is_not_taken_for_a_damaged_file(
    decoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strike(*_: Any, **__: Any) -> None:
        raise SoftTimeLimitExceeded

    files = {"raster": brain_png(), "nifti": nifti(), "dicom_series": brain_dicom()}
    monkeypatch.setattr(decoder, strike)
    with pytest.raises(SoftTimeLimitExceeded):
        list(inference.read_series([files[decoder.split(".")[1]]]))


def test_what_breaks_for_no_known_reason_is_tried_again_and_then_fails_without_details(
    scan: Scan, worker: Worker
) -> None:
    seen = [worker.finish(scan, ValueError("secret path /srv/x")).status for _ in range(3)]
    analysis = Analysis.objects.get()
    assert seen == ["queued", "queued", "failed"]
    assert analysis.error_code == "internal_error"
    assert "/srv" not in analysis.error_detail


def test_a_database_that_goes_away_during_the_work_leaves_the_claim_to_the_sweeper(
    scan: Scan, worker: Worker
) -> None:
    with pytest.raises(OperationalError):
        worker.finish(scan, OperationalError("gone"))
    assert Analysis.objects.get().status == "running"


def test_a_lost_analysis_is_queued_again_and_its_workers_late_answer_is_not_written(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch, rung: list[str]
) -> None:
    analysis = Analysis.objects.get()

    def analyse_too_long(*_: Any, **__: Any) -> dict[str, Any]:
        lose(analysis)
        recover_analyses()
        return prediction("notumor")

    monkeypatch.setattr("classifier.inference.analyse", analyse_too_long)
    run_analysis(analysis_id=analysis.pk)
    analysis.refresh_from_db()
    assert (analysis.status, analysis.outcome) == ("queued", "")
    assert worker.finish(scan, prediction("glioma")).outcome == "glioma"
    assert actions() == ["analysis_requested", "analysis_recovered", "analysis_finished"]


def test_a_lost_analysis_is_rung_for_at_once(
    scan: Scan, rung: list[str], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    analysis = Analysis.objects.get()
    lose(analysis)
    rung.clear()
    with django_capture_on_commit_callbacks(execute=True):
        assert recover_analyses() == 1
    assert rung == [str(analysis.pk)]


def test_an_answer_that_the_database_refuses_is_tried_again_and_then_fails(
    scan: Scan, worker: Worker
) -> None:
    seen = [worker.finish(scan, prediction(probabilities=None)) for _ in range(MAX_ATTEMPTS)]
    assert [one.status for one in seen] == ["queued", "queued", "failed"]
    assert (seen[-1].error_code, seen[-1].outcome) == ("internal_error", "")


def test_a_claim_that_another_attempt_has_overtaken_takes_nothing(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken() -> ModelVersion:
        Analysis.objects.update(attempts=1)
        return worker.model

    monkeypatch.setattr(analyses, "prepare_model", overtaken)
    analysis = worker.finish(scan)
    assert (analysis.status, analysis.attempts) == ("queued", 1)


def test_an_end_that_cannot_be_written_within_the_lease_is_left_to_the_sweeper(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "LEASE", timedelta(0))
    monkeypatch.setattr(analyses, "_write_end", Mock(side_effect=OperationalError("gone")))
    monkeypatch.setattr("time.sleep", Mock(side_effect=AssertionError("it waits on")))
    with pytest.raises(OperationalError):
        worker.finish(scan)
    assert Analysis.objects.get().status == "running"


def test_an_analysis_ends_with_its_event_and_its_place_in_the_worklist_or_not_at_all(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analyses, "refresh_triage", Mock(side_effect=ZeroDivisionError))
    with pytest.raises(ZeroDivisionError):
        worker.finish(scan)
    assert Analysis.objects.get().status == "running"
    assert actions() == ["analysis_requested"]


def test_an_analysis_lost_three_times_fails(scan: Scan, worker: Worker) -> None:
    lose(Analysis.objects.get(), attempts=3)
    assert recover_analyses() == 1
    analysis = Analysis.objects.get()
    assert (analysis.status, analysis.error_code) == ("failed", "worker_lost")
    assert recover_analyses() == 0


def test_a_worker_that_is_still_at_work_is_left_alone(scan: Scan) -> None:
    now = timezone.now()
    Analysis.objects.update(
        status=Status.RUNNING, attempts=1, started_at=now, lease_until=now + timedelta(minutes=1)
    )
    assert recover_analyses() == 0
    assert Analysis.objects.get().status == "running"


def test_an_analysis_nobody_heard_of_is_rung_again_once(scan: Scan, rung: list[str]) -> None:
    Analysis.objects.update(rung_at=timezone.now() - timedelta(hours=1))
    rung.clear()
    assert (recover_analyses(), recover_analyses()) == (1, 0)
    assert rung == [str(Analysis.objects.get().pk)]


def test_what_the_broker_still_holds_a_message_for_is_not_rung_again(
    scan: Scan, rung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Analysis.objects.update(rung_at=timezone.now() - timedelta(hours=1))
    rung.clear()
    monkeypatch.setattr("classifier.services.ringing.messages_waiting", lambda: 1)
    assert recover_analyses() == 0 and not rung


def test_what_the_broker_does_not_take_is_not_counted_as_rung_again(
    scan: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    Analysis.objects.update(rung_at=timezone.now() - timedelta(hours=1))
    monkeypatch.setattr("classifier.services.ringing.ring", lambda _: False)
    assert recover_analyses() == 0


def test_another_analysis_of_a_scan_is_asked_for_only_when_none_is_under_way(
    scan: Scan, as_alice: Actor, worker: Worker
) -> None:
    with pytest.raises(Conflict) as refused:
        request_analysis(actor=as_alice, scan=scan)
    assert refused.value.code == "analysis_under_way"
    first = worker.finish(scan)
    second = request_analysis(actor=as_alice, scan=scan)
    assert second != first and Analysis.objects.get(pk=first.pk).outcome == "glioma"


@pytest.mark.parametrize(("who", "error"), [("as_bob", NotFound), ("as_rita", NotAllowed)])
def test_only_clinicians_of_the_department_ask_for_an_analysis(
    who: str, error: type[Exception], scan: Scan, worker: Worker, request: pytest.FixtureRequest
) -> None:
    worker.finish(scan)
    with pytest.raises(error):
        request_analysis(actor=request.getfixturevalue(who), scan=scan)
    assert Analysis.objects.count() == 1


ILLEGAL = [
    {"status": "succeeded"},
    {"status": "succeeded", "outcome": "glioma", "finished_at": timezone.now()},
    {"status": "failed", "finished_at": timezone.now()},
    {"status": "running"},
    {"outcome": "glioma"},
    {"finished_at": timezone.now()},
]


@pytest.mark.parametrize("changes", ILLEGAL, ids="-".join)
def test_the_database_refuses_an_analysis_that_contradicts_itself(
    changes: dict[str, Any], scan: Scan
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Analysis.objects.update(**changes)


def test_a_finished_analysis_names_its_stored_masks(scan: Scan, worker: Worker, tmp_path: Path) -> None:
    answer = outlined(0)
    analysis = worker.finish(scan, answer)
    assert analysis.finding == answer["finding"]
    assert read_masks(analysis) == answer["masks"]
    assert analysis.masks_sha256 == hashlib.sha256(answer["masks"]).hexdigest()
    assert len(stored_files(tmp_path)) == 2


def test_masks_of_an_answer_that_came_too_late_go_again(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    analysis = Analysis.objects.get()

    def analyse_too_long(*_: Any, **__: Any) -> dict[str, Any]:
        lose(analysis)
        recover_analyses()
        return outlined(0)

    monkeypatch.setattr("classifier.inference.analyse", analyse_too_long)
    run_analysis(analysis_id=analysis.pk)
    assert Analysis.objects.get().masks_name == ""
    assert len(stored_files(tmp_path)) == 1


def test_masks_stay_when_the_answer_to_their_commit_is_lost(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, answers = analyses._write_end, []

    def written_but_cut_off(*told: Any) -> bool:
        answers.append(write(*told))
        if len(answers) == 1:
            raise OperationalError("server closed the connection")
        return answers[-1]

    monkeypatch.setattr(analyses, "_write_end", written_but_cut_off)
    monkeypatch.setattr(analyses, "WRITE_AGAIN_AFTER_S", 0)
    monkeypatch.setattr(analyses.connection, "close", lambda: None)
    analysis = worker.finish(scan, outlined(0))
    assert answers == [True, False]
    assert read_masks(analysis)


def test_how_far_an_analysis_is_is_written_now_and_then_by_the_attempt_that_owns_it(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, str]] = []

    def look() -> None:
        row = Analysis.objects.get()
        seen.append((row.tells_progress, row.state))

    def analyse(*_: Any, progress: Callable[[int, int], None], **__: Any) -> dict[str, Any]:
        for done, told_after in ((40, 0.0), (80, 3600.0), (120, 0.0)):
            monkeypatch.setattr(analyses, "TELL_AFTER_S", told_after)
            progress(done, 180)
            look()
        lose(Analysis.objects.get(), attempts=2)
        progress(160, 180)
        look()
        return prediction()

    monkeypatch.setattr("classifier.inference.analyse", analyse)
    run_analysis(analysis_id=scan.analyses.get().pk)
    assert seen == [(True, "running.40"), (True, "running.40"), (True, "running.120"), (True, "running.120")]


def test_an_attempt_tells_nothing_of_how_far_the_one_before_had_come(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []

    def analyse(*_: Any, **__: Any) -> dict[str, Any]:
        seen.append(Analysis.objects.get().tells_progress)
        return prediction()

    Analysis.objects.update(slices_done=40, slices_total=180)
    monkeypatch.setattr("classifier.inference.analyse", analyse)
    run_analysis(analysis_id=scan.analyses.get().pk)
    assert seen == [False]


def test_masks_stay_while_it_cannot_be_told_whether_a_row_names_them(
    scan: Scan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    analysis = scan.analyses.get()
    with pytest.raises(OperationalError), masks.stored_masks(analysis, b"outlines"):
        away = Mock(**{"objects.filter.side_effect": OperationalError("gone")})
        monkeypatch.setattr(masks, "Analysis", away)
        raise OperationalError("gone")
    assert b"outlines" in [path.read_bytes() for path in stored_files(tmp_path)]


def test_a_database_that_is_away_for_a_moment_costs_a_step_of_the_progress_and_no_attempt(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def analyse(*_: Any, progress: Callable[[int, int], None], **__: Any) -> dict[str, Any]:
        with monkeypatch.context() as patch:
            patch.setattr(analyses, "TELL_AFTER_S", 0)
            patch.setattr(analyses.connection, "close", lambda: None)
            patch.setattr(analyses, "_own", Mock(side_effect=OperationalError("gone")))
            progress(1, 2)
        return prediction()

    monkeypatch.setattr("classifier.inference.analyse", analyse)
    run_analysis(analysis_id=scan.analyses.get().pk)
    assert Analysis.objects.get().status == "succeeded"


def test_a_chosen_version_answers_beside_the_active_one(scan: Scan, as_alice: Actor, worker: Worker) -> None:
    other = ModelVersion.objects.create(version="other-1", sha256="1" * 64)
    first = worker.finish(scan)
    asked = request_analysis(actor=as_alice, scan=scan, version="other-1")
    assert asked.requested_version == other and asked.model_version is None
    second = worker.finish(scan, prediction("notumor"))
    assert (first.model_version, second.model_version) == (worker.model, other)
    assert second.finished_at and Analysis.objects.get(pk=first.pk).outcome == "glioma"
    events = AuditEvent.objects.filter(action="analysis_requested").order_by("pk")
    assert [event.detail for event in events] == [{}, {"version": "other-1"}]


def test_a_version_nobody_registered_is_not_asked(scan: Scan, as_alice: Actor, worker: Worker) -> None:
    worker.finish(scan)
    for version in ("unknown", "a\0b"):
        with pytest.raises(UserFacingError) as refused:
            request_analysis(actor=as_alice, scan=scan, version=version)
        assert refused.value.code == "model_version_unknown"
    assert Analysis.objects.count() == 1


def test_a_chosen_version_whose_bundle_is_gone_fails_its_analysis_alone(
    scan: Scan, as_alice: Actor, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = inference.analyse
    worker.finish(scan)
    ModelVersion.objects.create(version="gone-1", sha256="1" * 64)
    asked = request_analysis(actor=as_alice, scan=scan, version="gone-1")
    monkeypatch.setattr(inference, "analyse", really)
    run_analysis(analysis_id=asked.pk)
    asked.refresh_from_db()
    assert (asked.status, asked.error_code) == ("failed", "bundle_missing")
