"""The worklist: a department's cases, most pressing and newest first, a page at a time.

Pages are found by position, never by counting, so the millionth case costs what the first does. The
order is that of the indexes ``case_worklist`` and ``case_worklist_everywhere``.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.utils import timezone

from classifier.audit import Action, Actor, record
from classifier.models import Analysis, Case, Review, Role, User
from classifier.services.reading import veil
from classifier.services.triage import standing_of

PAGE = 50
NEWEST_FIRST = ("-triage", "-created_at", "-id")
OLDEST_FIRST = ("triage", "created_at", "id")


@dataclass(frozen=True)
class Filters:
    """``department`` is a group's key; ``since`` and ``until`` are days, both included."""

    triage: int | None = None
    reference: str = ""
    department: int | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Position:
    """A place in the worklist's order, as an opaque word for a URL."""

    triage: int
    created_at: datetime
    case_id: uuid.UUID

    @classmethod
    def of(cls, case: Case) -> Position:
        return cls(case.triage, case.created_at, case.pk)

    def encode(self) -> str:
        text = f"{self.triage}|{self.created_at.isoformat()}|{self.case_id.hex}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, word: str) -> Position | None:
        """None for a word that is not one of ours, such as an old bookmark."""
        try:
            text = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode()
            triage, created_at, case_id = text.split("|")
            moment = datetime.fromisoformat(created_at)
            if moment.tzinfo is None or not 0 <= int(triage) < 2**15:
                return None
            return cls(int(triage), moment, uuid.UUID(case_id))
        except (ValueError, binascii.Error, OverflowError):
            return None


@dataclass(frozen=True)
class Row:
    """A case with what decides its place: the most pressing of its scans' latest analyses."""

    case: Case
    scans: int
    reviewed: int
    leading: Analysis | None
    review: Review | None


@dataclass(frozen=True)
class Page:
    """``previous`` and ``next`` are positions to ask for, or None at an end."""

    rows: Sequence[Row]
    previous: str | None
    next: str | None


def view_worklist(
    *, actor: Actor, filters: Filters, after: Position | None = None, before: Position | None = None
) -> Page:
    """A page of the worklist, with the look at it recorded."""
    page = find_worklist(user=actor.require_user(), filters=filters, after=after, before=before)
    record(Action.WORKLIST_VIEWED, actor=actor, cases=len(page.rows))
    return page


def find_worklist(
    *, user: User, filters: Filters, after: Position | None = None, before: Position | None = None
) -> Page:
    """The same unrecorded, for a page that refreshes itself."""
    cases = _filtered(Case.objects.visible_to(user), filters)
    if before is not None:
        ids = _ids(cases.filter(_beyond(before, above=True)), user, filters, OLDEST_FIRST)
        if len(ids) > PAGE:
            return _page(_rows(ids[:PAGE], user)[::-1], has_previous=True, has_next=True)
        # Fewer than a page lie above: that is the first page, and it shall be full.
        before, cases = None, _filtered(Case.objects.visible_to(user), filters)
    if after is not None:
        cases = cases.filter(_beyond(after, above=False))
    ids = _ids(cases, user, filters, NEWEST_FIRST)
    return _page(_rows(ids[:PAGE], user), has_previous=after is not None, has_next=len(ids) > PAGE)


def departments_of(user: User) -> Iterable[Group]:
    """The departments whose cases ``user`` may see."""
    if user.sees_every_department:
        return Group.objects.exclude(name__in=Role.values).order_by("name")
    return user.departments


def _page(rows: Sequence[Row], *, has_previous: bool, has_next: bool) -> Page:
    return Page(
        rows=rows,
        previous=Position.of(rows[0].case).encode() if rows and has_previous else None,
        next=Position.of(rows[-1].case).encode() if rows and has_next else None,
    )


def _filtered(cases: QuerySet[Case], filters: Filters) -> QuerySet[Case]:
    chosen: dict[str, Any] = {}
    if filters.triage is not None:
        chosen["triage"] = filters.triage
    if filters.reference:
        chosen["patient__reference_folded__startswith"] = filters.reference.casefold()
    if filters.department is not None:
        chosen["department"] = filters.department
    if filters.since is not None:
        chosen["created_at__gte"] = _midnight(filters.since)
    if filters.until is not None:
        chosen["created_at__lt"] = _midnight(filters.until + timedelta(days=1))
    return cases.filter(**chosen)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _beyond(position: Position, *, above: bool) -> TupleGreaterThan | TupleLessThan:
    columns = Tuple("triage", "created_at", "id")
    values = (position.triage, position.created_at, position.case_id)
    return TupleGreaterThan(columns, values) if above else TupleLessThan(columns, values)


def _ids(cases: QuerySet[Case], user: User, filters: Filters, order: Sequence[str]) -> list[uuid.UUID]:
    """At most a page and one keys, in order.

    PostgreSQL reads an index in order only below one value of its leading columns, so it is asked for
    a page of each department (and, within days, of each triage) and merges those.
    """
    branches = list(_branches(user, filters))
    if len(branches) == 1 or not connection.features.supports_slicing_ordering_in_compound:
        return list(cases.order_by(*order).values_list("pk", flat=True)[: PAGE + 1])
    columns = ("triage", "created_at", "id")
    parts = [cases.filter(**b).order_by(*order).values_list(*columns)[: PAGE + 1] for b in branches]
    merged = parts[0].union(*parts[1:], all=True).order_by(*order)[: PAGE + 1]
    return [case_id for _, _, case_id in merged]


def _branches(user: User, filters: Filters) -> Iterable[dict[str, int]]:
    one_list = user.sees_every_department or filters.department is not None
    departments: Sequence[int | None] = [None] if one_list else user.department_keys or [None]
    by_day = filters.triage is None and (filters.since or filters.until) is not None
    for department in departments:
        for triage in sorted(Case.Triage.values) if by_day else [None]:
            chosen = {"department": department, "triage": triage}
            yield {name: value for name, value in chosen.items() if value is not None}


def _rows(ids: Sequence[uuid.UUID], user: User) -> list[Row]:
    cases = Case.objects.select_related("patient", "department").in_bulk(ids)
    latest = _latest_analyses(ids)
    veil(user=user, analyses=[analysis for scans in latest.values() for analysis in scans.values()])
    return [_row(cases[pk], list(latest[pk].values())) for pk in ids if pk in cases]


def _latest_analyses(case_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, dict[uuid.UUID, Analysis]]:
    """By case, then by scan; every scan has an analysis from the moment it is uploaded."""
    analyses = (
        Analysis.objects.filter(scan__case__in=case_ids)
        .select_related("scan__case")
        .only(
            "scan__case__department_id",
            "status",
            "outcome",
            "tumour_probability",
            "finished_at",
            "created_at",
        )
        .prefetch_related("reviews__reviewer")
        .order_by("created_at")
    )
    latest: dict[uuid.UUID, dict[uuid.UUID, Analysis]] = defaultdict(dict)
    for analysis in analyses:
        latest[analysis.scan.case_id][analysis.scan_id] = analysis
    return latest


def _row(case: Case, analyses: Sequence[Analysis]) -> Row:
    leading = max(analyses, key=_pressing, default=None)
    reviews = sorted((r for a in analyses for r in a.reviews.all()), key=lambda review: review.created_at)
    return Row(
        case=case,
        scans=len(analyses),
        reviewed=sum(bool(analysis.reviews.all()) for analysis in analyses),
        leading=leading,
        review=reviews[-1] if reviews else None,
    )


def _pressing(analysis: Analysis) -> tuple[int, float]:
    return standing_of(analysis), analysis.tumour_probability or 0.0
