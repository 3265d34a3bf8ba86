"""Signing off: a report freezes what a case's reads have come to; an amendment is its next version.

What a report speaks of takes no more reviews. A scan or analysis that comes later is not spoken of, so it
puts the case back into the worklist, and is signed by an amendment.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classifier.audit import Action, Actor, record
from classifier.errors import Conflict, NotAllowed, NotFound, UserFacingError
from classifier.models import Answer, Case, Report, ReportedAnalysis, User
from classifier.services.reading import Reading, Stage, latest_readings, sight_of
from classifier.services.report_content import report_content
from classifier.services.reviews import may_adjudicate
from classifier.services.triage import lock_case, refresh_triage

LONGEST_IMPRESSION, LONGEST_REASON = 8000, 500
# A report says no less than its reads: a tumour outweighs doubt, and doubt outweighs none.
WEIGHT = {Answer.NO_TUMOUR: 0, Answer.CANNOT_TELL: 1}
TUMOUR = 2


@dataclass(frozen=True)
class SignOff:
    """How far a case is on its way to a report, for one person.

    ``obstacle`` says why it cannot be signed or amended now, and there are no ``answers`` then, which tell
    what was read; ``contested`` are those of which the person may know that the reads differ; ``state`` is
    what the person has seen.
    """

    case: Case
    readings: Sequence[Reading]
    reports: Sequence[Report]
    obstacle: UserFacingError | None
    answers: Sequence[Answer]
    to_adjudicate: Sequence[Reading]
    contested: Sequence[Reading]
    state: str

    @property
    def report(self) -> Report | None:
        """The version that holds."""
        return self.reports[0] if self.reports else None

    @property
    def is_signed(self) -> bool:
        return bool(self.readings) and all(reading.stage == Stage.SIGNED for reading in self.readings)


def sign_off_of(*, actor: Actor, case: Case) -> SignOff:
    user = actor.require_user()
    found = latest_readings(case.pk)
    reports = list(list_reports(case=case).order_by("-version"))
    obstacle = _obstacle(user, found)
    return SignOff(
        case=case,
        readings=found,
        reports=reports,
        obstacle=obstacle,
        answers=[] if obstacle else _possible_answers(found, amends=bool(reports)),
        to_adjudicate=[reading for reading in found if may_adjudicate(user=user, reading=reading)],
        contested=[one for one in found if one.is_contested and sight_of(user, one).reads],
        state=_state(found, reports),
    )


@transaction.atomic
def sign_report(
    *, actor: Actor, case: Case, answer: str = "", impression: str = "", state: str | None = None
) -> Report:
    """Version 1. ``answer`` may be left out where the reads leave one; ``state`` guards what was seen."""
    sign_off = _locked(actor, case, state)
    if sign_off.report:
        raise Conflict("report_signed", _("This case is signed already; amend its report."))
    return _write(actor, sign_off, answer=answer, impression=impression, reason="")


@transaction.atomic
def amend_report(
    *,
    actor: Actor,
    case: Case,
    amends: int,
    reason: str,
    answer: str = "",
    impression: str = "",
    state: str | None = None,
) -> Report:
    """The version after ``amends``, which must be the one that holds; without ``answer`` its answer stays."""
    sign_off = _locked(actor, case, state)
    if sign_off.report is None:
        raise Conflict("report_not_signed", _("This case has no report yet to amend."))
    if sign_off.report.version != amends:
        raise Conflict("report_changed", _("Somebody has amended this report meanwhile; look at it first."))
    reason = _clean(reason, LONGEST_REASON, "reason_too_long")
    if not reason:
        raise UserFacingError("reason_required", _("An amendment needs its reason."))
    answer = answer or sign_off.report.answer
    return _write(actor, sign_off, answer=answer, impression=impression, reason=reason)


def told_answers(*, user: User, found: Sequence[Reading]) -> list[Answer]:
    """What these reads leave to be signed; none before ``user`` may be told."""
    return [] if _obstacle(user, found) else _possible_answers(found, amends=False)


def find_report(*, actor: Actor, report_id: uuid.UUID | str) -> Report:
    reports = Report.objects.visible_to(actor.require_user())
    report = (
        reports.select_related("case__patient", "case__department", "author").filter(pk=report_id).first()
    )
    if report is None:
        raise NotFound("report")
    return report


def view_report(*, actor: Actor, report_id: uuid.UUID | str) -> Report:
    """The report, with the look at it recorded."""
    report = find_report(actor=actor, report_id=report_id)
    record_report_view(actor=actor, report=report)
    return report


def record_report_view(*, actor: Actor, report: Report) -> None:
    record(Action.REPORT_VIEWED, actor=actor, about=report, version=report.version)


def list_reports(*, case: Case) -> QuerySet[Report]:
    """Every version; its content is for `view_report`."""
    return Report.objects.filter(case=case).select_related("author").defer("content")


def _locked(actor: Actor, case: Case, state: str | None) -> SignOff:
    user = actor.require_user()
    if not Case.objects.visible_to(user).filter(pk=case.pk).exists():
        raise NotFound("case")
    if not user.may_sign:
        raise NotAllowed(_("Only clinicians and reviewers sign reports."))
    lock_case(case_id=case.pk)
    sign_off = sign_off_of(actor=actor, case=case)
    if sign_off.obstacle:
        raise sign_off.obstacle
    if state is not None and state != sign_off.state:
        raise Conflict("case_changed", _("Something new has come to this case meanwhile; look at it first."))
    return sign_off


def _write(actor: Actor, sign_off: SignOff, *, answer: str, impression: str, reason: str) -> Report:
    case, user = sign_off.case, actor.require_user()
    answer = _answer(answer, sign_off.answers)
    report = Report.objects.create(
        case=case,
        version=1 + (sign_off.report.version if sign_off.report else 0),
        author=user,
        answer=answer,
        impression=_clean(impression, LONGEST_IMPRESSION, "impression_too_long"),
        reason=reason,
        content=report_content(case=case, signer=user, readings=sign_off.readings, answer=answer),
    )
    ReportedAnalysis.objects.bulk_create(
        ReportedAnalysis(report=report, analysis_id=reading.analysis_id) for reading in sign_off.readings
    )
    action = Action.REPORT_AMENDED if reason else Action.REPORT_SIGNED
    record(action, actor=actor, about=report, version=report.version, answer=answer)
    refresh_triage(case_id=case.pk)
    return report


def _obstacle(user: User, found: Sequence[Reading]) -> UserFacingError | None:
    """The first thing that must be done before a signature, in the order in which it is done."""
    if not found:
        return Conflict("nothing_to_sign", _("There is nothing to sign: the case has no images."))
    if not all(reading.is_finished for reading in found):
        return Conflict("analysis_not_finished", _("The analysis is not finished yet."))
    stages = {reading.stage for reading in found}
    sentences = {
        Stage.UNREAD: ("review_missing", _still_unread(found)),
        Stage.SECOND_READ: ("second_read_missing", _("A scan still needs its second, independent read.")),
        Stage.ADJUDICATION: (
            "adjudication_needed",
            _("Two reads differ, and a third person has not yet decided between them."),
        ),
    }
    for stage, (code, sentence) in sentences.items():
        if stage in stages:
            return Conflict(code, sentence)
    if not all(sight_of(user, reading).answer for reading in found):
        return Conflict(
            "read_first",
            _("Your department reads blind: who signs has read or decided every scan themselves."),
        )
    return None


def _still_unread(found: Sequence[Reading]) -> str:
    unread = sum(reading.stage == Stage.UNREAD for reading in found)
    return ngettext(
        "One scan is still to be read.", "%(unread)d of %(all)d scans are still to be read.", unread
    ) % {"unread": unread, "all": len(found)}


def _possible_answers(found: Sequence[Reading], *, amends: bool) -> list[Answer]:
    """What may be signed. An amendment, with its reason, is bound by what no report has spoken of only."""
    new = [reading for reading in found if not (amends and reading.stage == Stage.SIGNED)]
    said = {Answer(reading.answer) for reading in new if reading.answer}
    least = max(map(_weight, said), default=0)
    if amends:
        return [answer for answer in Answer if _weight(answer) >= least]
    return [answer for answer in Answer if answer in said and _weight(answer) == least]


def _weight(answer: Answer) -> int:
    return WEIGHT.get(answer, TUMOUR)


def _answer(answer: str, possible: Sequence[Answer]) -> str:
    if not answer and len(possible) == 1:
        return possible[0]
    if not answer:
        raise UserFacingError("answer_required", _("The reads leave several answers; name one of them."))
    if answer not in possible:
        raise UserFacingError("answer_invalid", _("The answer must be one of %s.") % ", ".join(possible))
    return answer


def _state(found: Iterable[Reading], reports: Sequence[Report]) -> str:
    """A word that changes with every analysis, read, decision and version."""
    seen = [
        (reading.analysis_id.hex, reading.status, len(reading.reviews), reading.adjudicated)
        for reading in found
    ]
    return hashlib.sha256(repr((sorted(seen), len(reports))).encode()).hexdigest()[:32]


def _clean(text: str, longest: int, code: str) -> str:
    text = text.replace("\0", "").strip()
    if len(text) > longest:
        raise UserFacingError(code, _("At most %d characters fit here.") % longest)
    return text
