"""What happened to a case, newest first: the timeline is the audit trail of that case.

Uploads, analyses, looks, reads, adjudications, signatures, amendments and exports are all events of it.
"""

import uuid
from collections.abc import Mapping, Sequence

from django.db.models import Q

from classifier.audit import Action, Actor
from classifier.models import AuditEvent, Case
from classifier.services.cases import view_case
from classifier.services.reading import Sight, hidden_in_case

PAGE = 50
LOOKS = (
    Action.CASE_VIEWED,
    Action.SCAN_VIEWED,
    Action.IMAGE_VIEWED,
    Action.ANALYSIS_VIEWED,
    Action.FILE_DOWNLOADED,
    Action.REPORT_VIEWED,
    Action.REPORT_DOWNLOADED,
)


def case_history(
    *, actor: Actor, case_id: uuid.UUID | str, before: int | None = None, looks: bool = True
) -> tuple[Case, list[AuditEvent], int | None]:
    """The case, a page of its events before event ``before``, and where the next page starts; a look at it.

    Without ``looks``, only what changed something.
    """
    case = view_case(actor=actor, case_id=case_id)
    events = AuditEvent.objects.filter(case_id=case.pk).order_by("-created_at", "-id")
    hidden = hidden_in_case(user=actor.require_user(), case=case)
    if not looks:
        events = events.exclude(action__in=LOOKS)
    elif not all(sight.answer for sight in hidden.values()):
        # Which slice others have turned to, and that there was an outline to look at, tells the answer.
        events = events.exclude(action=Action.IMAGE_VIEWED)
    if before is not None:
        last = events.filter(pk=before).first()
        events = events.filter(_older_than(last)) if last else events.none()
    page = list(events[: PAGE + 1])
    _hide(hidden, page)
    return case, page[:PAGE], page[PAGE - 1].pk if len(page) > PAGE else None


def _hide(hidden: Mapping[str, Sight], events: Sequence[AuditEvent]) -> None:
    """That something was answered or read may be known; what was said may not, before one's own read."""
    for event in events:
        if not _may_be_told(event, hidden):
            event.detail = {}


def _may_be_told(event: AuditEvent, hidden: Mapping[str, Sight]) -> bool:
    match event.action:
        case Action.ADJUDICATED:
            return not hidden
        case Action.REVIEW_SUBMITTED:
            return hidden.get(event.object_id, Sight()).reads
    return hidden.get(event.object_id, Sight()).answer


def _older_than(event: AuditEvent) -> Q:
    return Q(created_at__lt=event.created_at) | Q(created_at=event.created_at, pk__lt=event.pk)
