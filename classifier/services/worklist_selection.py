"""Which cases a worklist holds and in what order: filters, positions, and keys a page at a time.

Pages are found by position, never by counting, so the millionth case costs what the first does. The
order is `Case.ORDER`, which is that of the indexes.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.utils import timezone

from classifier.models import Case, User
from classifier.services.reading import with_open_answers

COLUMNS = tuple(name.lstrip("-") for name in Case.ORDER)
OLDEST_FIRST = COLUMNS


@dataclass(frozen=True)
class Filters:
    """All of them must hold. Persons and the department are keys; days are included at both ends.

    ``text`` is searched word by word in the patient's reference and the question. ``since`` and ``until``
    are of the arrival; a case without a study date stays whatever study dates are asked for.
    """

    triage: int | None = None
    outcome: str = ""
    text: str = ""
    department: int | None = None
    reviewer: int | None = None
    assignee: int | None = None
    unassigned: bool = False
    since: date | None = None
    until: date | None = None
    studied_since: date | None = None
    studied_until: date | None = None
    open_only: bool = False


@dataclass(frozen=True)
class Position:
    """A place in the worklist's order, as an opaque word for a URL."""

    triage: int
    urgency: int
    created_at: datetime
    case_id: uuid.UUID

    @classmethod
    def of(cls, case: Case) -> Position:
        return cls(case.triage, case.urgency, case.created_at, case.pk)

    def encode(self) -> str:
        text = f"{self.triage}|{self.urgency}|{self.created_at.isoformat()}|{self.case_id.hex}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, word: str) -> Position | None:
        """None for a word that is not one of ours, such as an old bookmark."""
        try:
            text = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode()
            triage, urgency, created_at, case_id = text.split("|")
            moment = datetime.fromisoformat(created_at)
            numbers = int(triage), int(urgency)
            if moment.tzinfo is None or not all(0 <= number < 2**15 for number in numbers):
                return None
            return cls(*numbers, moment, uuid.UUID(case_id))
        except (ValueError, binascii.Error, OverflowError):
            return None


def keys_below(user: User, filters: Filters, position: Position | None, most: int) -> list[uuid.UUID]:
    """At most ``most`` keys after ``position``, or from the top, the most pressing first."""
    beyond = Q(TupleLessThan(Tuple(*COLUMNS), _values(position))) if position else Q()
    return _keys(selected(user, filters).filter(beyond), user, filters, Case.ORDER, most)


def keys_above(user: User, filters: Filters, position: Position, most: int) -> list[uuid.UUID]:
    """At most ``most`` keys before ``position``, the nearest first."""
    beyond = TupleGreaterThan(Tuple(*COLUMNS), _values(position))
    return _keys(selected(user, filters).filter(beyond), user, filters, OLDEST_FIRST, most)


def selected(user: User, filters: Filters) -> QuerySet[Case]:
    """Every case that ``user`` may know of and that passes, in no order."""
    cases = Case.objects.visible_to(user).filter(_days(filters), **_equals(filters))
    for word in filters.text.casefold().split():
        cases = cases.filter(search_text__contains=word)
    if filters.unassigned:
        cases = cases.filter(assignee=None)
    if filters.open_only:
        cases = cases.filter(triage__gt=Case.Triage.REVIEWED)
    return with_open_answers(cases, user) if filters.outcome else cases


def _equals(filters: Filters) -> dict[str, Any]:
    names = ("triage", "outcome", "department", "reviewer", "assignee")
    return {name: value for name in names if (value := getattr(filters, name)) not in (None, "")}


def _days(filters: Filters) -> Q:
    chosen = {
        "created_at__gte": filters.since and _midnight(filters.since),
        "created_at__lt": filters.until and _midnight(filters.until + timedelta(days=1)),
    }
    studied = {"study_date__gte": filters.studied_since, "study_date__lte": filters.studied_until}
    asked = Q(**{name: day for name, day in studied.items() if day})
    arrived = Q(**{name: moment for name, moment in chosen.items() if moment})
    return arrived & (asked | Q(study_date=None) if asked else Q())


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _values(position: Position) -> tuple[Any, ...]:
    return (position.triage, position.urgency, position.created_at, position.case_id)


def _keys(
    cases: QuerySet[Case], user: User, filters: Filters, order: Sequence[str], most: int
) -> list[uuid.UUID]:
    """PostgreSQL reads an index in order only below one value of its leading columns, so it is asked for
    a page of each department (and, within days, of each triage) and merges those.
    """
    branches = list(_branches(user, filters))
    if len(branches) == 1 or not connection.features.supports_slicing_ordering_in_compound:
        return list(cases.order_by(*order).values_list("pk", flat=True)[:most])
    parts = [cases.filter(**b).order_by(*order).values_list(*COLUMNS)[:most] for b in branches]
    merged = parts[0].union(*parts[1:], all=True).order_by(*order)[:most]
    return [row[-1] for row in merged]


def _branches(user: User, filters: Filters) -> Iterable[dict[str, int]]:
    narrow = filters.outcome or filters.reviewer or filters.assignee  # these have an index of their own
    one_list = user.sees_every_department or filters.department is not None or narrow
    departments: Sequence[int | None] = [None] if one_list else user.department_keys or [None]
    by_day = filters.triage is None and not narrow and (filters.since or filters.until) is not None
    for department in departments:
        for place in _places() if by_day else [{}]:
            yield place if department is None else {"department": department, **place}


def _places() -> Iterable[dict[str, int]]:
    """What stands before the moment in the index, for a triage that is not ranked by anything else."""
    for triage in sorted(Case.Triage.values):
        yield {"triage": triage} if triage in Case.RANKED else {"triage": triage, "urgency": 0}
