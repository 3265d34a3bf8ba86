"""What happened to a case: the audit trail of one case, newest first."""

import uuid

from django.db.models import Q

from classifier.audit import Action, Actor
from classifier.models import AuditEvent, Case
from classifier.services.cases import find_case

PAGE = 50
LOOKS = (
    Action.CASE_VIEWED,
    Action.SCAN_VIEWED,
    Action.IMAGE_VIEWED,
    Action.ANALYSIS_VIEWED,
    Action.FILE_DOWNLOADED,
)


def case_history(
    *, actor: Actor, case_id: uuid.UUID | str, before: int | None = None, looks: bool = True
) -> tuple[Case, list[AuditEvent], int | None]:
    """The case, a page of its events before event ``before``, and where the next page starts.

    Without ``looks``, only what changed something.
    """
    case = find_case(actor=actor, case_id=case_id)
    events = AuditEvent.objects.filter(case_id=case.pk).order_by("-created_at", "-id")
    if not looks:
        events = events.exclude(action__in=LOOKS)
    if before is not None:
        last = events.filter(pk=before).first()
        events = events.filter(_older_than(last)) if last else events.none()
    page = list(events.select_related("actor")[: PAGE + 1])
    return case, page[:PAGE], page[PAGE - 1].pk if len(page) > PAGE else None


def _older_than(event: AuditEvent) -> Q:
    return Q(created_at__lt=event.created_at) | Q(created_at=event.created_at, pk__lt=event.pk)
