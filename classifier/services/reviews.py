"""The reader's verdict on a finished analysis, and a third person's decision where two reads differ."""

import uuid
from collections.abc import Mapping
from itertools import combinations
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from classifier.audit import Action, Actor, record
from classifier.errors import Conflict, NotAllowed, NotFound, UserFacingError
from classifier.models import Adjudication, Analysis, Answer, Review, Scan, User
from classifier.models.analysis import TUMOUR_OUTCOMES, Label
from classifier.services.reading import Reading, Stage, answer_is_hidden, reading_of, sight_of, veil
from classifier.services.triage import lock_case, refresh_triage

Verdict = Review.Verdict
LONGEST_COMMENT = 4000


def find_analysis(*, actor: Actor, analysis_id: uuid.UUID | str) -> Analysis:
    """As ``actor`` may see it: what is to be read blind is blank."""
    user = actor.require_user()
    analysis = (
        Analysis.objects.visible_to(user)
        .select_related("scan__case__patient", "scan__case__department", "model_version", "requested_version")
        .defer("model_version__card", "requested_version__card")
        .filter(pk=analysis_id)
        .first()
    )
    if analysis is None:
        raise NotFound("analysis")
    veil(user=user, analyses=[analysis])
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
    *,
    actor: Actor,
    analysis: Analysis,
    verdict: str,
    label: str = "",
    comment: str = "",
    wrong_region: bool = False,
    region: Mapping[str, Any] | None = None,
) -> Review:
    """Add a review; earlier ones stay. ``label`` is needed for `correct` and implied by `agree`.

    ``region`` says where the reader sees the tumour: ``slice`` and ``box`` (left, top, right, bottom in that
    slice's pixels, right and bottom excluded). A blind read names its answer with `correct`; whether it
    agrees with the machine is found out here.
    """
    user = _reader(actor, analysis)
    reading = _locked_reading(analysis)
    _check_open(reading)
    blind = not sight_of(user, reading).answer
    if blind and (verdict == Verdict.AGREE or wrong_region):
        raise answer_is_hidden()
    if region is not None and not takes_region(verdict=verdict, label=label, wrong_region=wrong_region):
        raise UserFacingError("region_unexpected", region_unexpected())
    label = _label(reading, verdict, label)
    if blind and label and label == reading.outcome:
        verdict = Verdict.AGREE
    review = Review.objects.create(
        analysis=analysis,
        reviewer=user,
        verdict=verdict,
        label=label,
        comment=clean_comment(comment),
        wrong_region=wrong_region,
        region=_region(analysis.scan, region),
        blind=blind,
    )
    marks: dict[str, Any] = {name: True for name in ("wrong_region", "blind") if getattr(review, name)}
    if review.region:
        marks["slice"] = review.region["slice"]
    record(Action.REVIEW_SUBMITTED, actor=actor, about=review, verdict=verdict, label=review.label, **marks)
    refresh_triage(case_id=analysis.scan.case_id)
    return review


@transaction.atomic
def adjudicate(*, actor: Actor, analysis: Analysis, answer: str, comment: str = "") -> Adjudication:
    """Decide between two reads that differ, once and for all; only who has not read it may."""
    user = _reader(actor, analysis)
    reading = _locked_reading(analysis)
    if reading.stage != Stage.ADJUDICATION:
        raise Conflict(
            "nothing_to_adjudicate", _("There are no two reads here that differ and are undecided.")
        )
    if user.pk in reading.readers:
        raise NotAllowed(_("You have read this yourself; a third person decides."))
    if answer not in Answer.values:
        raise UserFacingError("answer_invalid", _("The answer must be one of %s.") % ", ".join(Answer.values))
    first, second = _reads_that_differ(reading)
    adjudication = Adjudication.objects.create(
        analysis=analysis,
        first_read_id=first,
        second_read_id=second,
        first_reader_id=reading.reviews[first][0],
        second_reader_id=reading.reviews[second][0],
        adjudicator=user,
        answer=answer,
        comment=clean_comment(comment),
    )
    record(Action.ADJUDICATED, actor=actor, about=adjudication, answer=answer)
    refresh_triage(case_id=analysis.scan.case_id)
    return adjudication


def takes_region(*, verdict: str, label: str, wrong_region: bool) -> bool:
    """Whether a read says that a tumour is elsewhere than marked, or is where the machine named none."""
    return wrong_region or (verdict == Verdict.CORRECT and label in TUMOUR_OUTCOMES)


def region_unexpected() -> str:
    return _("A place goes with a tumour that you name yourself, or with a marked region that is wrong.")


def may_adjudicate(*, user: User, reading: Reading) -> bool:
    return user.may_review and reading.stage == Stage.ADJUDICATION and user.pk not in reading.readers


def clean_comment(comment: str) -> str:
    comment = comment.replace("\0", "").strip()
    if len(comment) > LONGEST_COMMENT:
        raise UserFacingError("comment_too_long", _("A comment may have at most 4,000 characters."))
    return comment


def _reader(actor: Actor, analysis: Analysis) -> User:
    user = actor.require_user()
    if not Analysis.objects.visible_to(user).filter(pk=analysis.pk).exists():
        raise NotFound("analysis")
    if not user.may_review:
        raise NotAllowed(_("Only clinicians and reviewers submit reviews."))
    return user


def _locked_reading(analysis: Analysis) -> Reading:
    """As the database has it: the caller's row may be veiled, and others may be at the same case."""
    lock_case(case_id=analysis.scan.case_id)
    return reading_of(analysis.pk)


def _check_open(reading: Reading) -> None:
    if not reading.is_finished:
        raise Conflict("analysis_not_finished", _("The analysis is not finished yet."))
    if reading.signed:
        raise Conflict(
            "report_signed", _("The report on this is signed. Amend the report to say something else.")
        )
    if reading.adjudicated is not None:
        raise Conflict("already_adjudicated", _("A third person has decided on this already."))


def _label(reading: Reading, verdict: str, label: str) -> str:
    if verdict not in Verdict.values:
        raise UserFacingError("verdict_invalid", _("The verdict must be agree, correct or cannot_tell."))
    if verdict == Verdict.CANNOT_TELL:
        return ""
    if verdict == Verdict.AGREE:
        return _agreed_label(reading)
    if label not in Label.values:
        raise UserFacingError(
            "label_invalid",
            _("The label must be one of %(labels)s.") % {"labels": ", ".join(Label.values)},
        )
    return label


def _agreed_label(reading: Reading) -> str:
    if reading.outcome not in Label.values:
        raise UserFacingError("nothing_to_agree", _("The analysis gave no answer to agree with; name one."))
    return reading.outcome


def _region(scan: Scan, region: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The region where it lies within the scan, as far as the scan's facts tell its size."""
    if region is None:
        return None
    try:
        index, box = int(region["slice"]), [int(edge) for edge in region["box"]]
        left, top, right, bottom = box
    except (KeyError, TypeError, ValueError) as error:
        raise _region_invalid() from error
    width, height = (int(scan.facts.get(name) or 2**31) for name in ("width", "height"))
    if not (0 <= left < right <= width and 0 <= top < bottom <= height and 0 <= index < scan.slices):
        raise _region_invalid()
    return {"slice": index, "box": box}


def _region_invalid() -> UserFacingError:
    return UserFacingError(
        "region_invalid", _("The region must be a box of whole pixels within a slice of the scan.")
    )


def _reads_that_differ(reading: Reading) -> tuple[uuid.UUID, uuid.UUID]:
    """The earliest pair of two persons who said different things."""
    pairs = combinations(reading.reviews.items(), 2)
    return next((first, second) for (first, a), (second, b) in pairs if a[0] != b[0] and a[1] != b[1])
