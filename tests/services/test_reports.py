"""Signing off: what a report freezes, what it closes, what must be done before, and how it is amended."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from classifier.audit import Actor
from classifier.models import Analysis, Answer, AuditEvent, Case, Report, ReportedAnalysis, Review
from classifier.services import reports, reviews
from classifier.services.analyses import request_analysis
from classifier.services.report_content import report_content
from classifier.services.reports import amend_report, sign_off_of, sign_report
from classifier.services.reviews import adjudicate, submit_review
from classifier.services.triage import refresh_triage
from tests.conftest import NEURO, Reads, upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.services.locks import WHERE_ROWS_ARE_LOCKED, meanwhile
from tests.services.readers import fresh, read, refusal, standing
from tests.worker import Worker, prediction

Triage = Case.Triage


# --- Signing -----------------------------------------------------------------------------------------


def test_a_signed_report_holds_what_was_said_and_settles_the_case(
    signed: Report, reviewed: Analysis, as_alice: Actor
) -> None:
    assert (signed.version, signed.answer, signed.author, signed.reason) == (
        1,
        "glioma",
        as_alice.user,
        "",
    )
    assert [row.analysis for row in ReportedAnalysis.objects.all()] == [reviewed]
    [scan] = signed.content["scans"]
    assert (scan["outcome"], scan["answer"], scan["reads"][0]["reader"]) == ("glioma", "glioma", "alice")
    assert signed.content["patient"] == "MRN-1"
    assert standing() == Triage.SIGNED
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.object_id, event.case_id) == ("report_signed", str(signed.pk), signed.case_id)
    assert event.detail == {"version": 1, "answer": "glioma"}


def test_a_signed_report_closes_its_reads(
    signed: Report, reviewed: Analysis, as_alice: Actor, as_rita: Actor
) -> None:
    for actor in (as_alice, as_rita):
        assert refusal(submit_review, actor=actor, analysis=reviewed, verdict="agree") == "report_signed"
    assert refusal(sign_report, actor=as_rita, case=signed.case) == "report_signed"


def test_the_database_refuses_a_review_of_what_is_signed(
    signed: Report, reviewed: Analysis, as_rita: Actor
) -> None:
    with pytest.raises(IntegrityError, match="refuses"), transaction.atomic():
        Review.objects.create(
            analysis=reviewed, reviewer=as_rita.require_user(), verdict="agree", label="glioma"
        )


@pytest.mark.parametrize(
    ("who", "code"), [("as_bob", "not_found"), ("as_otto", "not_allowed"), ("as_ada", "not_allowed")]
)
def test_only_readers_of_the_department_sign(
    who: str, code: str, reviewed: Analysis, case: Case, request: pytest.FixtureRequest
) -> None:
    actor = request.getfixturevalue(who)
    assert refusal(sign_report, actor=actor, case=case) == code
    given = {"amends": 1, "reason": "x"}
    assert refusal(amend_report, actor=actor, case=case, **given) == code
    assert not Report.objects.exists()


def test_what_must_be_done_before_a_signature_is_told_in_its_order(
    case: Case,
    as_alice: Actor,
    as_rita: Actor,
    reads: Reads,
    make_user: Any,
    rung: list[str],
    worker: Worker,
) -> None:
    def code() -> str:
        obstacle = sign_off_of(actor=fresh(as_alice), case=case).obstacle
        assert obstacle is not None
        assert refusal(sign_report, actor=fresh(as_alice), case=case) == obstacle.code
        return obstacle.code

    reads(second_reader=True, blind=True)
    assert code() == "nothing_to_sign"
    [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png())])
    assert code() == "analysis_not_finished"
    analysis = worker.finish(result.scan)
    assert code() == "review_missing"
    submit_review(actor=fresh(as_rita), analysis=analysis, verdict="correct", label="glioma")
    assert code() == "second_read_missing"
    dora = Actor(user=make_user("dora", "reviewer", NEURO), via="page")
    submit_review(actor=dora, analysis=analysis, verdict="correct", label="notumor")
    assert code() == "adjudication_needed"
    carl = Actor(user=make_user("carl", "reviewer", NEURO), via="page")
    adjudicate(actor=carl, analysis=analysis, answer="glioma")
    assert code() == "read_first"
    report = sign_report(actor=carl, case=case)
    assert (report.answer, report.content["scans"][0]["adjudication"]["adjudicator"]) == ("glioma", "carl")


def test_a_report_says_no_less_than_its_reads(
    case: Case, as_alice: Actor, rung: list[str], worker: Worker
) -> None:
    """With a tumour in one scan, the case cannot be signed as without."""
    for seed, label in ((0, "notumor"), (1, "glioma"), (2, "pituitary")):
        [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=seed))])
        submit_review(actor=as_alice, analysis=worker.finish(result.scan), verdict="correct", label=label)
    assert sign_off_of(actor=as_alice, case=case).answers == [Answer.GLIOMA, Answer.PITUITARY]
    assert refusal(sign_report, actor=as_alice, case=case) == "answer_required"
    for answer in ("notumor", "cannot_tell", "meningioma", "cyst"):
        assert refusal(sign_report, actor=as_alice, case=case, answer=answer) == "answer_invalid"
    report = sign_report(actor=as_alice, case=case, answer="pituitary")
    assert len(report.content["scans"]) == 3
    assert report.content["scans"][report.content["key"]]["answer"] == "pituitary"


def test_doubt_about_one_scan_outweighs_none_in_another(
    case: Case, as_alice: Actor, rung: list[str], worker: Worker
) -> None:
    for seed, verdict in ((0, {"verdict": "correct", "label": "notumor"}), (1, {"verdict": "cannot_tell"})):
        [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=seed))])
        submit_review(actor=as_alice, analysis=worker.finish(result.scan), **verdict)
    assert sign_report(actor=as_alice, case=case).answer == "cannot_tell"


def test_what_came_after_the_signer_had_looked_is_not_signed(
    reviewed: Analysis, case: Case, as_alice: Actor, as_rita: Actor
) -> None:
    state = sign_off_of(actor=as_alice, case=case).state
    submit_review(actor=as_rita, analysis=reviewed, verdict="correct", label="notumor")
    assert refusal(sign_report, actor=as_alice, case=case, state=state) == "case_changed"
    sign_report(actor=as_alice, case=case, state=sign_off_of(actor=as_alice, case=case).state)


def test_a_decision_that_came_after_the_signer_had_looked_is_looked_at_first(
    reviewed: Analysis, case: Case, as_alice: Actor, as_rita: Actor, carl: Actor, reads: Reads
) -> None:
    reads(second_reader=True)
    read(as_rita, reviewed, "notumor")
    state = sign_off_of(actor=fresh(as_alice), case=case).state
    adjudicate(actor=fresh(carl), analysis=reviewed, answer="notumor")
    assert refusal(sign_report, actor=fresh(as_alice), case=case, state=state) == "case_changed"


def test_a_version_that_came_after_the_signer_had_looked_is_not_amended_unseen(
    signed: Report, as_alice: Actor, as_rita: Actor
) -> None:
    state = sign_off_of(actor=as_rita, case=signed.case).state
    amend_report(actor=as_alice, case=signed.case, amends=1, reason="A slip.")
    given = {"actor": as_rita, "case": signed.case, "reason": "Another."}
    assert refusal(amend_report, amends=1, **given) == "report_changed"
    assert refusal(amend_report, amends=2, state=state, **given) == "case_changed"
    assert Report.objects.count() == 2


@pytest.mark.django_db(transaction=True)
@WHERE_ROWS_ARE_LOCKED
def test_a_read_that_is_given_while_the_case_is_signed_comes_too_late(
    reviewed: Analysis, case: Case, as_alice: Actor, as_rita: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def content(**given: Any) -> dict[str, Any]:
        late.append(meanwhile(pool, read, actor=as_rita, analysis=reviewed, label="notumor"))
        return report_content(**given)

    late: list[Future[Review]] = []
    monkeypatch.setattr(reports, "report_content", content)
    with ThreadPoolExecutor(1) as pool:
        sign_report(actor=as_alice, case=case)
    assert refusal(late[0].result) == "report_signed"
    assert Review.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@WHERE_ROWS_ARE_LOCKED
def test_a_report_that_is_signed_while_a_read_is_given_speaks_of_the_read(
    reviewed: Analysis, case: Case, as_alice: Actor, as_rita: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refresh(**given: Any) -> None:
        monkeypatch.setattr(reviews, "refresh_triage", refresh_triage)
        begun.append(meanwhile(pool, sign_report, actor=as_alice, case=case))
        refresh_triage(**given)

    begun: list[Future[Report]] = []
    monkeypatch.setattr(reviews, "refresh_triage", refresh)
    with ThreadPoolExecutor(1) as pool:
        read(as_rita, reviewed, "notumor")
    report = begun[0].result()
    assert report.answer == "notumor"
    assert [one["reader"] for one in report.content["scans"][0]["reads"]] == ["alice", "rita"]


@pytest.mark.parametrize(
    ("field", "code"), [("impression", "impression_too_long"), ("reason", "reason_too_long")]
)
def test_texts_have_their_limits(field: str, code: str, signed: Report, as_alice: Actor) -> None:
    given = {"amends": 1, "reason": "A slip.", field: "x" * 9000}
    assert refusal(amend_report, actor=as_alice, case=signed.case, **given) == code
    longest = {"impression": 8000, "reason": 500}[field]
    amended = amend_report(actor=as_alice, case=signed.case, **(given | {field: "x" * longest}))
    assert len(getattr(amended, field)) == longest


# --- Amending ----------------------------------------------------------------------------------------


def test_an_amendment_is_a_new_version_with_its_reason(signed: Report, as_rita: Actor) -> None:
    amended = amend_report(
        actor=as_rita,
        case=signed.case,
        amends=1,
        reason=" Wrong class. ",
        answer="meningioma",
        impression="New.",
    )
    assert (amended.version, amended.reason, amended.answer, amended.author) == (
        2,
        "Wrong class.",
        "meningioma",
        as_rita.user,
    )
    signed.refresh_from_db()
    assert (signed.version, signed.answer) == (1, "glioma")
    assert AuditEvent.objects.latest("pk").action == "report_amended"
    assert standing() == Triage.SIGNED
    kept = amend_report(actor=as_rita, case=signed.case, amends=2, reason="Once more.")
    assert kept.answer == "meningioma"


@pytest.mark.parametrize("answer", ["notumor", "cannot_tell"])
def test_an_amendment_may_take_back_a_tumour_that_was_signed(
    answer: str, signed: Report, as_rita: Actor
) -> None:
    assert set(sign_off_of(actor=as_rita, case=signed.case).answers) == set(Answer)
    amended = amend_report(
        actor=as_rita, case=signed.case, amends=1, reason="Another patient's scan.", answer=answer
    )
    assert (amended.version, amended.answer) == (2, answer)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"amends": 1, "reason": "  "}, "reason_required"),
        ({"amends": 2, "reason": "x"}, "report_changed"),
        ({"amends": 1, "reason": "x", "answer": "cyst"}, "answer_invalid"),
    ],
)
def test_an_amendment_that_cannot_be(
    given: dict[str, Any], code: str, signed: Report, as_alice: Actor
) -> None:
    assert refusal(amend_report, actor=as_alice, case=signed.case, **given) == code
    assert Report.objects.count() == 1


def test_what_is_not_signed_is_not_amended(reviewed: Analysis, case: Case, as_alice: Actor) -> None:
    given = {"amends": 1, "reason": "x"}
    assert refusal(amend_report, actor=as_alice, case=case, **given) == "report_not_signed"


def test_a_scan_that_comes_later_brings_the_case_back_and_binds_the_amendment(
    signed: Report, as_alice: Actor, worker: Worker
) -> None:
    case = signed.case
    [later] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=9))])
    assert standing() == Triage.WAITING
    analysis = worker.finish(later.scan, prediction("notumor"))
    assert standing() == Triage.NO_TUMOUR
    assert not sign_off_of(actor=as_alice, case=case).is_signed
    given = {"actor": as_alice, "case": case, "amends": 1, "reason": "A new scan."}
    assert refusal(amend_report, **given) == "review_missing"
    submit_review(actor=as_alice, analysis=analysis, verdict="correct", label="pituitary")
    assert refusal(amend_report, answer="notumor", **given) == "answer_invalid"
    assert len(amend_report(**given).content["scans"]) == 2
    assert standing() == Triage.SIGNED


def test_a_new_analysis_after_the_signature_is_read_and_the_old_report_stays(
    signed: Report, reviewed: Analysis, as_alice: Actor, worker: Worker
) -> None:
    before = signed.content
    request_analysis(actor=as_alice, scan=reviewed.scan)
    second = worker.finish(reviewed.scan, prediction("notumor"))
    submit_review(actor=as_alice, analysis=second, verdict="correct", label="notumor")
    signed.refresh_from_db()
    assert signed.content == before
    assert standing() == Triage.REVIEWED


@pytest.mark.parametrize(
    "changes",
    [{"version": 0}, {"version": 2}, {"reason": "x"}, {"answer": ""}, {"answer": "cyst"}, {"version": 1}],
)
def test_the_database_refuses_reports_that_cannot_be(changes: dict[str, Any], signed: Report) -> None:
    row = {
        "case": signed.case,
        "version": 3,
        "author": signed.author,
        "answer": "glioma",
        "reason": "" if changes.get("version") else "x",
        "content": {},
    }
    if changes.get("reason"):
        row["version"] = 1
    with pytest.raises(IntegrityError), transaction.atomic():
        Report.objects.create(**(row | changes))
