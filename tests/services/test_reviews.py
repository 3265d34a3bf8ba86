import pytest

from classifier.audit import Actor
from classifier.errors import NotFound, UserFacingError
from classifier.models import Analysis, AuditEvent, Case, Review, Scan
from classifier.services.reviews import find_analysis, submit_review, view_analysis
from tests.worker import Worker, prediction


def refusal(actor: Actor, analysis: Analysis, **given: str) -> str:
    with pytest.raises(UserFacingError) as refused:
        submit_review(actor=actor, analysis=analysis, **{"verdict": "agree", **given})
    assert not Review.objects.exists()
    return refused.value.code


@pytest.mark.parametrize(
    ("verdict", "given", "kept"),
    [("agree", "", "glioma"), ("correct", "notumor", "notumor"), ("cannot_tell", "glioma", "")],
)
def test_a_verdict_stands_beside_the_machines_answer(
    verdict: str, given: str, kept: str, analysis: Analysis, as_rita: Actor
) -> None:
    review = submit_review(
        actor=as_rita, analysis=analysis, verdict=verdict, label=given, comment=" Seen\0. "
    )
    assert (review.label, review.comment, review.reviewer) == (kept, "Seen.", as_rita.user)
    analysis.refresh_from_db()
    assert analysis.outcome == "glioma"
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.detail) == ("review_submitted", {"verdict": verdict, "label": kept})
    assert Case.objects.get().triage == Case.Triage.REVIEWED


def test_a_second_review_leaves_the_first(analysis: Analysis, as_alice: Actor, as_rita: Actor) -> None:
    submit_review(actor=as_alice, analysis=analysis, verdict="agree")
    submit_review(actor=as_rita, analysis=analysis, verdict="correct", label="pituitary")
    assert [review.label for review in analysis.reviews.all()] == ["glioma", "pituitary"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"verdict": "perhaps"}, "verdict_invalid"),
        ({"verdict": "correct"}, "label_invalid"),
        ({"verdict": "correct", "label": "uncertain"}, "label_invalid"),
        ({"comment": "x" * 4001}, "comment_too_long"),
    ],
)
def test_a_verdict_that_says_nothing_is_refused(
    given: dict[str, str], code: str, analysis: Analysis, as_rita: Actor
) -> None:
    assert refusal(as_rita, analysis, **given) == code


def test_a_comment_may_be_as_long_as_is_said(analysis: Analysis, as_rita: Actor) -> None:
    review = submit_review(actor=as_rita, analysis=analysis, verdict="agree", comment="x" * 4000)
    assert len(review.comment) == 4000


@pytest.mark.parametrize("outcome", ["uncertain", "refused"])
def test_nobody_agrees_with_an_answer_that_was_not_given(
    outcome: str, scan: Scan, worker: Worker, as_rita: Actor
) -> None:
    assert refusal(as_rita, worker.finish(scan, prediction(outcome))) == "nothing_to_agree"


def test_an_analysis_under_way_is_not_reviewed(scan: Scan, as_rita: Actor) -> None:
    assert refusal(as_rita, scan.analyses.get()) == "analysis_not_finished"


@pytest.mark.parametrize(
    ("who", "code"), [("as_bob", "not_found"), ("as_otto", "not_allowed"), ("as_ada", "not_allowed")]
)
def test_only_readers_of_the_department_review(
    who: str, code: str, analysis: Analysis, request: pytest.FixtureRequest
) -> None:
    assert refusal(request.getfixturevalue(who), analysis) == code


def test_a_look_at_an_analysis_is_recorded_and_strangers_get_none(
    analysis: Analysis, as_rita: Actor, as_bob: Actor
) -> None:
    assert view_analysis(actor=as_rita, analysis_id=analysis.pk) == analysis
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor_name, event.case_id) == (
        "analysis_viewed",
        "rita",
        analysis.scan.case_id,
    )
    for find in (find_analysis, view_analysis):
        with pytest.raises(NotFound):
            find(actor=as_bob, analysis_id=analysis.pk)
