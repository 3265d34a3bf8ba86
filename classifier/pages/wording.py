"""An audit event as the end of a sentence that begins with who did it."""

from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from classifier.models import Answer, AuditEvent, Review
from classifier.models.analysis import Label, Outcome
from classifier.sentences import place_words

Action = AuditEvent.Action

SENTENCES = {
    Action.CASE_OPENED: _("opened the case"),
    Action.CASE_VIEWED: _("looked at the case"),
    Action.CASE_ASSIGNED: _("assigned the case to {assignee}"),
    Action.SCAN_UPLOADED: _("uploaded scan {scan}"),
    Action.SCAN_VIEWED: _("looked at scan {scan}"),
    Action.IMAGE_VIEWED: _("looked at an image, slice {slice}"),
    Action.FILE_DOWNLOADED: _("downloaded an original file"),
    Action.ANALYSIS_REQUESTED: _("asked for analysis {scan}"),
    Action.ANALYSIS_FINISHED: _("finished analysis {scan}: {outcome}"),
    Action.ANALYSIS_FAILED: _("could not finish analysis {scan} ({code})"),
    Action.ANALYSIS_RECOVERED: _("brought back analysis {scan}, which had lost its worker"),
    Action.ANALYSIS_VIEWED: _("looked at the result of analysis {scan}"),
    Action.REVIEW_SUBMITTED: _("reviewed: {verdict}"),
    Action.ADJUDICATED: _("decided between two reads: {answer}"),
    Action.REPORT_SIGNED: _("signed the report: {answer}"),
    Action.REPORT_AMENDED: _("amended the report, version {version}: {answer}"),
    Action.REPORT_VIEWED: _("looked at the report"),
    Action.REPORT_DOWNLOADED: _("downloaded the report"),
    Action.EXPORTED: _("exported the case"),
}

DOORS = {
    "page": _("page"),
    "api": _("API"),
    "admin": _("administration"),
    "command": _("command"),
    "worker": _("worker"),
}


def via_words(event: AuditEvent) -> str:
    """Through which door it came."""
    return str(DOORS.get(event.via, event.via))


def event_words(event: AuditEvent) -> str:
    detail = event.detail
    if event.action == Action.IMAGE_VIEWED and "index" not in detail:
        return gettext("looked at all slices of a scan")
    sentence = SENTENCES.get(Action(event.action))
    if sentence is None:
        return event.get_action_display().lower()
    return sentence.format(
        scan=event.object_id[:8],
        slice=int(detail.get("index") or 0) + 1,
        outcome=_label_of(Outcome, detail.get("outcome")),
        code=detail.get("code", ""),
        verdict=_verdict(detail),
        answer=_label_of(Answer, detail.get("answer")),
        version=detail.get("version", ""),
        assignee=detail.get("assignee") or gettext("nobody"),
    ).rstrip(" :")  # what is hidden from this reader leaves the sentence without its end


def _verdict(detail: dict[str, Any]) -> str:
    verdict = _label_of(Review.Verdict, detail.get("verdict")).lower()
    label = _label_of(Label, detail.get("label"))
    wrong = bool(detail.get("wrong_region"))
    region = gettext("wrong region") if wrong else ""
    place = place_words(detail["slice"], elsewhere=wrong) if "slice" in detail else ""
    return ", ".join(filter(None, (verdict, label, region, place)))


def _label_of(choices: type[TextChoices], value: str | None) -> str:
    return str(choices(value).label) if value in choices.values else ""
