"""The worklist: a department's cases, most pressing first, a page at a time.

A page that is looked at is one audit event that names the cases on it; their thumbnails are part of that
look and leave no event of their own.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from django.contrib.auth.models import Group

from classifier.audit import Action, Actor, record
from classifier.models import Analysis, Case, Review, Role, User
from classifier.services.looks import is_recorded, word_of
from classifier.services.reading import veil
from classifier.services.thumbnails import Thumbnail, thumbnail_of
from classifier.services.triage import pressing
from classifier.services.worklist_selection import Filters, Position, keys_above, keys_below

PAGE = 50
EXPORTED_AT_ONCE = 500
THUMBNAILS = 3
ANSWER = ("status", "outcome", "tumour_probability", "finished_at", "created_at")


@dataclass(frozen=True)
class Row:
    """A case with its most pressing answer. ``review`` is the latest that the reader may see."""

    case: Case
    scans: int
    reviewed: int
    leading: Analysis | None
    review: Review | None
    thumbnails: Sequence[Thumbnail]


@dataclass(frozen=True)
class Page:
    """``previous`` and ``next`` are positions to ask for, or None at an end."""

    rows: Sequence[Row]
    previous: str | None
    next: str | None

    @property
    def case_keys(self) -> list[str]:
        return [row.case.pk.hex for row in self.rows]


def view_worklist(
    *, actor: Actor, filters: Filters, after: Position | None = None, before: Position | None = None
) -> Page:
    """A page of the worklist, with the look at it recorded."""
    page = find_worklist(user=actor.require_user(), filters=filters, after=after, before=before)
    _record_look(actor, page)
    return page


def word_of_look(*, user: User, page: Page) -> str:
    """What the page refreshes itself with as long as it holds the cases of a recorded look."""
    return word_of(user, "worklist", *page.case_keys)


def refresh_worklist(
    *,
    actor: Actor,
    filters: Filters,
    word: str,
    after: Position | None = None,
    before: Position | None = None,
) -> Page:
    """The page anew; another look where ``word`` is not that of one at these cases."""
    page = find_worklist(user=actor.require_user(), filters=filters, after=after, before=before)
    if not is_recorded(word, actor.require_user(), "worklist", *page.case_keys):
        _record_look(actor, page)
    return page


def find_worklist(
    *, user: User, filters: Filters, after: Position | None = None, before: Position | None = None
) -> Page:
    """The same unrecorded."""
    if before is not None:
        keys = keys_above(user, filters, before, PAGE + 1)
        if len(keys) > PAGE:
            return _page(_rows(keys[:PAGE], user)[::-1], has_previous=True, has_next=True)
        after = None  # fewer than a page lie above: that is the first page, and it shall be full
    keys = keys_below(user, filters, after, PAGE + 1)
    return _page(_rows(keys[:PAGE], user), has_previous=after is not None, has_next=len(keys) > PAGE)


def next_case(*, user: User, filters: Filters, after: Position, but: uuid.UUID) -> uuid.UUID | None:
    """The case to go on with below ``after``. What is settled is passed over unless it was asked for."""
    if filters.triage is None:
        filters = replace(filters, open_only=True)
    keys = keys_below(user, filters, after, 2)
    return next((key for key in keys if key != but), None)


def export_worklist(*, actor: Actor, filters: Filters) -> Iterator[Sequence[Row]]:
    """Every case that passes, in order; what is handed out is recorded before it leaves."""
    position: Position | None = None
    while keys := keys_below(actor.require_user(), filters, position, EXPORTED_AT_ONCE):
        rows = _rows(keys, actor.require_user())
        yield _handed_out(actor, rows)
        if len(keys) < EXPORTED_AT_ONCE or not rows:
            break
        position = Position.of(rows[-1].case)


def export_cases(*, actor: Actor, case_ids: Sequence[uuid.UUID]) -> Iterator[Sequence[Row]]:
    """The same for cases by their keys; what ``actor`` may not see is not there."""
    visible = Case.objects.visible_to(actor.require_user()).filter(pk__in=case_ids)
    keys = list(visible.order_by(*Case.ORDER).values_list("pk", flat=True))
    yield _handed_out(actor, _rows(keys, actor.require_user()))


def _record_look(actor: Actor, page: Page) -> None:
    record(Action.WORKLIST_VIEWED, actor=actor, cases=page.case_keys)


def _handed_out(actor: Actor, rows: Sequence[Row]) -> Sequence[Row]:
    record(Action.EXPORTED, actor=actor, what="worklist", cases=[row.case.pk.hex for row in rows])
    return rows


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


def _rows(ids: Sequence[uuid.UUID], user: User) -> list[Row]:
    found = Case.objects.select_related("patient", "department", "assignee", "reviewer")
    cases = found.in_bulk(ids)
    latest = _latest_analyses(cases)
    shown = [analysis for scans in latest.values() for analysis in scans.values()]
    veil(user=user, analyses=shown)
    reviews = _reviews([analysis.pk for analysis in shown if not analysis.reads_hidden])
    return [_row(cases[pk], list(latest[pk].values()), reviews, user) for pk in ids if pk in cases]


def _latest_analyses(
    cases: Mapping[uuid.UUID, Case],
) -> Mapping[uuid.UUID, Mapping[uuid.UUID, Analysis]]:
    """By case, then by scan; every scan has an analysis from the moment it is uploaded."""
    analyses = (
        Analysis.objects.filter(scan__case__in=cases)
        .select_related("scan")
        .only("scan__case_id", *ANSWER)
        .order_by("created_at")
    )
    latest: dict[uuid.UUID, dict[uuid.UUID, Analysis]] = defaultdict(dict)
    for analysis in analyses:
        analysis.scan.case = cases[analysis.scan.case_id]
        latest[analysis.scan.case_id][analysis.scan_id] = analysis
    return latest


def _reviews(analysis_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Sequence[Review]]:
    """By analysis, the earliest first. Not prefetched: that makes a query set for each one without any."""
    found = Review.objects.filter(analysis__in=analysis_ids).select_related("reviewer").order_by("created_at")
    reviews: dict[uuid.UUID, list[Review]] = defaultdict(list)
    for review in found:
        reviews[review.analysis_id].append(review)
    return reviews


def _row(
    case: Case,
    analyses: Sequence[Analysis],
    reviews: Mapping[uuid.UUID, Sequence[Review]],
    user: User,
) -> Row:
    reads = [reviews.get(analysis.pk, ()) for analysis in analyses]
    newest = max((read[-1] for read in reads if read), key=lambda review: review.created_at, default=None)
    return Row(
        case=case,
        scans=len(analyses),
        reviewed=sum(map(bool, reads)),
        leading=max(analyses, key=pressing, default=None),
        review=newest,
        thumbnails=[thumbnail_of(analysis.scan, user) for analysis in analyses[:THUMBNAILS]],
    )
