"""The worklist, whole or only its rows or counts when the page refreshes itself."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from classifier.models import SavedView
from classifier.pages.middleware import refreshes_itself
from classifier.pages.next_case import remember_view
from classifier.pages.requests import SignedInRequest, page_actor
from classifier.pages.worklist_forms import POSITIONS, WorklistForm, address_of, place_of
from classifier.pages.worklist_lines import lines
from classifier.services import saved_views, worklist_counts
from classifier.services import worklist as service
from classifier.services.worklist import Page
from classifier.services.worklist_selection import Position


@require_safe
def worklist(request: SignedInRequest) -> HttpResponse:
    views = saved_views.views_of(request.user)
    if not request.GET and (begin := next((view.query for view in views if view.is_default), "")):
        return redirect(address_of(begin))
    form = WorklistForm(request.GET, user=request.user)
    page = service.view_worklist(actor=page_actor(request), filters=form.filters(), **_positions(request.GET))
    remember_view(request, form.query())
    facts = {
        "form": form,
        "chips": list(form.chips()),
        "views": views,
        "view": _shown(views, form.query()),
        "begins_elsewhere": any(view.is_default and view.query for view in views),
    }
    return render(
        request, "worklist/worklist.html", facts | _rows(request, form, page) | _counts(request, form)
    )


@refreshes_itself
@require_safe
def worklist_rows(request: SignedInRequest) -> HttpResponse:
    """The rows where they differ from those on the screen. Other cases than those are another look."""
    form = WorklistForm(request.GET, user=request.user)
    page = service.refresh_worklist(
        actor=page_actor(request),
        filters=form.filters(),
        word=request.GET.get("shown", ""),
        **_positions(request.GET),
    )
    rows = _rows(request, form, page)
    return _unless_seen(request, rows["rows_mark"], "worklist/_live.html", rows)


@refreshes_itself
@require_safe
def worklist_counts_part(request: SignedInRequest) -> HttpResponse:
    counts = _counts(request, WorklistForm(request.GET, user=request.user))
    return _unless_seen(request, counts["counts_mark"], "worklist/_counts.html", counts | {"refreshed": True})


def _unless_seen(request: SignedInRequest, mark: str, template: str, facts: dict[str, Any]) -> HttpResponse:
    response = get_conditional_response(request, etag=mark)
    if response is None:
        response = render(request, template, facts)
    response["ETag"] = mark
    return response


def _rows(request: SignedInRequest, form: WorklistForm, page: Page) -> dict[str, Any]:
    """The table, ready, and what lets the page ask whether it has changed."""
    facts = {"page": page, "filters": form.query(), "user": request.user}
    rows = lines(page.rows, with_department=request.user.sees_every_department)
    table = render_to_string("worklist/_table.html", facts | {"lines": rows})
    shown = service.word_of_look(user=request.user, page=page)
    mark = _mark(table, shown)
    return facts | {
        "table": table,
        "rows_mark": mark,
        "rows_headers": _if_other_than(mark),
        "shown": shown,
        "place": place_of(form, request.GET),
    }


def _counts(request: SignedInRequest, form: WorklistForm) -> dict[str, Any]:
    counts = worklist_counts.count_worklist(user=request.user)
    chosen = form.cleaned_data
    mark = _mark(counts, chosen.get("status"), chosen.get("assigned"), request.LANGUAGE_CODE)
    return {
        "counts": counts,
        "chosen": chosen,
        "counts_mark": mark,
        "counts_headers": _if_other_than(mark),
        "filters": form.query(),
    }


def _mark(*content: object) -> str:
    """What tells two states of a part of the page apart, as an ETag."""
    digest = hashlib.sha256("\n".join(map(str, content)).encode()).hexdigest()
    return f'"{digest[:16]}"'


def _if_other_than(mark: str) -> str:
    return json.dumps({"If-None-Match": mark})


def _shown(views: Iterable[SavedView], query: str) -> SavedView | None:
    return next((view for view in views if view.query == query), None)


def _positions(query: QueryDict) -> dict[str, Position | None]:
    return {name: Position.decode(query.get(name, "")) for name in POSITIONS}
