"""Who is to read a case, and acts on several cases at once: all of them are found, or nothing is done."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from classifier.audit import Action, Actor, record
from classifier.errors import Conflict, NotAllowed, NotFound, UserFacingError
from classifier.models import Case, Role, Scan, User
from classifier.services.analyses import request_analysis

MOST = 200


@dataclass
class Requested:
    """How many cases came to what when their analyses were asked for."""

    started: int = 0
    under_way: int = 0
    empty: int = 0


def readers_for(user: User) -> QuerySet[User]:
    """Who may read some case that ``user`` may see, by name."""
    readers = User.objects.filter(is_active=True, groups__name__in=(Role.CLINICIAN, Role.REVIEWER))
    if not user.sees_every_department:
        readers = readers.filter(pk__in=User.objects.filter(groups__in=user.department_keys).values("pk"))
    return readers.distinct().order_by("username")


@transaction.atomic
def assign_cases(*, actor: Actor, case_ids: Sequence[uuid.UUID], assignee_id: int | None) -> int:
    """Give all of the cases to one person, or to nobody; how many have changed hands."""
    user = actor.require_user()
    if not user.may_review:
        raise NotAllowed(_("Only clinicians and reviewers assign cases."))
    assignee = _reader(user, assignee_id) if assignee_id is not None else None
    cases = _found(actor, case_ids).select_for_update(no_key=True).order_by("pk")
    changed = [case for case in _all_of(case_ids, list(cases)) if case.assignee_id != assignee_id]
    if assignee is not None:
        _check_reads(assignee, changed)
    Case.objects.filter(pk__in=[case.pk for case in changed]).update(assignee=assignee)
    name = assignee.get_username() if assignee else ""
    for case in changed:
        record(Action.CASE_ASSIGNED, actor=actor, about=case, assignee=name)
    return len(changed)


def analyse_cases(*, actor: Actor, case_ids: Sequence[uuid.UUID]) -> Requested:
    """Ask for a new analysis of every scan of the cases; what is under way goes on."""
    if not actor.require_user().may_upload:
        raise NotAllowed(_("Only clinicians request analyses."))
    requested = Requested()
    for case in _all_of(case_ids, list(_found(actor, case_ids).prefetch_related("scans"))):
        _analyse(actor, list(case.scans.all()), requested)
    return requested


def _analyse(actor: Actor, scans: Sequence[Scan], requested: Requested) -> None:
    if not scans:
        requested.empty += 1
    elif sum(_asked_for(actor, scan) for scan in scans):
        requested.started += 1
    else:
        requested.under_way += 1


def _asked_for(actor: Actor, scan: Scan) -> bool:
    try:
        request_analysis(actor=actor, scan=scan)
    except Conflict:
        return False
    return True


def _found(actor: Actor, case_ids: Sequence[uuid.UUID]) -> QuerySet[Case]:
    if not case_ids:
        raise UserFacingError("no_case_chosen", _("Choose at least one case."))
    if len(case_ids) > MOST:
        raise UserFacingError("too_many_cases", _("At most %d cases at once.") % MOST)
    return Case.objects.visible_to(actor.require_user()).filter(pk__in=case_ids)


def _all_of(case_ids: Sequence[uuid.UUID], cases: list[Case]) -> list[Case]:
    """A case that is not there for the actor stops everything before anything has changed."""
    if len(cases) != len(set(case_ids)):
        raise NotFound("case")
    return cases


def _reader(user: User, assignee_id: int) -> User:
    assignee = readers_for(user).filter(pk=assignee_id).first()
    if assignee is None:
        raise UserFacingError("assignee_unknown", _("There is nobody of that name who reads your cases."))
    return assignee


def _check_reads(assignee: User, cases: Sequence[Case]) -> None:
    if not {case.department_id for case in cases} <= set(assignee.department_keys):
        raise Conflict(
            "assignee_elsewhere",
            _("%(name)s does not belong to the department of every chosen case; nothing was changed.")
            % {"name": assignee.get_username()},
        )
