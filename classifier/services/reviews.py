"""The clinician's verdict on a finished analysis."""

import uuid

from django.db import transaction
from django.utils.translation import gettext as _

from classifier.audit import Action, Actor, record
from classifier.errors import Conflict, NotAllowed, NotFound, UserFacingError
from classifier.models import Analysis, Review
from classifier.models.analysis import Label
from classifier.services.triage import refresh_triage

Verdict = Review.Verdict


def find_analysis(*, actor: Actor, analysis_id: uuid.UUID | str) -> Analysis:
    analysis = (
        Analysis.objects.visible_to(actor.require_user())
        .select_related("scan__case__patient", "model_version")
        .defer("model_version__card")
        .filter(pk=analysis_id)
        .first()
    )
    if analysis is None:
        raise NotFound("analysis")
    return analysis


def view_analysis(*, actor: Actor, analysis_id: uuid.UUID | str) -> Analysis:
    """The analysis, with the look at it recorded."""
    analysis = find_analysis(actor=actor, analysis_id=analysis_id)
    record_analysis_view(actor=actor, analysis=analysis)
    return analysis


def record_analysis_view(*, actor: Actor, analysis: Analysis) -> None:
    record(Action.ANALYSIS_VIEWED, actor=actor, about=analysis)


@transaction.atomic
def submit_review(
    *, actor: Actor, analysis: Analysis, verdict: str, label: str = "", comment: str = ""
) -> Review:
    """Add a review; earlier ones stay. ``label`` is needed for `correct` and implied by `agree`."""
    user = actor.require_user()
    if not Analysis.objects.visible_to(user).filter(pk=analysis.pk).exists():
        raise NotFound("analysis")
    if not user.may_review:
        raise NotAllowed(_("Only clinicians and reviewers submit reviews."))
    if not analysis.is_finished:
        raise Conflict("analysis_not_finished", _("The analysis is not finished yet."))
    review = Review.objects.create(
        analysis=analysis,
        reviewer=user,
        verdict=verdict,
        label=_label(analysis, verdict, label),
        comment=_comment(comment),
    )
    record(Action.REVIEW_SUBMITTED, actor=actor, about=review, verdict=verdict, label=review.label)
    refresh_triage(case_id=analysis.scan.case_id)
    return review


def _label(analysis: Analysis, verdict: str, label: str) -> str:
    if verdict not in Verdict.values:
        raise UserFacingError("verdict_invalid", _("The verdict must be agree, correct or cannot_tell."))
    if verdict == Verdict.CANNOT_TELL:
        return ""
    if verdict == Verdict.AGREE:
        return _agreed_label(analysis)
    if label not in Label.values:
        raise UserFacingError(
            "label_invalid", _("The label must be one of %(labels)s.") % {"labels": ", ".join(Label.values)}
        )
    return label


def _agreed_label(analysis: Analysis) -> str:
    if analysis.outcome not in Label.values:
        raise UserFacingError("nothing_to_agree", _("The analysis gave no answer to agree with; name one."))
    return analysis.outcome


def _comment(comment: str) -> str:
    comment = comment.replace("\0", "").strip()
    if len(comment) > 4000:
        raise UserFacingError("comment_too_long", _("A comment may have at most 4,000 characters."))
    return comment
