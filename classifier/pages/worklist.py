"""The worklist, whole or only its rows when the page refreshes itself."""

import hashlib
from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from classifier.pages.forms import WorklistForm
from classifier.pages.middleware import refreshes_itself
from classifier.pages.requests import SignedInRequest, page_actor
from classifier.services import worklist as service
from classifier.services.worklist import Page
from classifier.services.worklist_selection import Position

FILTERS = ("q", "status", "department", "since", "until")


@require_safe
def worklist(request: SignedInRequest) -> HttpResponse:
    form = WorklistForm(request.GET, user=request.user)
    page = service.view_worklist(actor=page_actor(request), filters=form.filters(), **_positions(request.GET))
    return render(request, "worklist/worklist.html", _rows(request, page) | {"form": form})


@refreshes_itself
@require_safe
def worklist_rows(request: SignedInRequest) -> HttpResponse:
    """The rows when they differ from those whose fingerprint is ``seen``, otherwise nothing to swap."""
    filters = WorklistForm(request.GET, user=request.user).filters()
    page = service.find_worklist(user=request.user, filters=filters, **_positions(request.GET))
    rows = _rows(request, page)
    if rows["fingerprint"] == request.GET.get("seen"):
        return HttpResponse(status=204)
    return render(request, "worklist/_live.html", rows)


def _rows(request: SignedInRequest, page: Page) -> dict[str, Any]:
    """The table, ready, and what lets the page ask whether it has changed."""
    filters = _only(request.GET, *FILTERS)
    table = render_to_string("worklist/_table.html", {"page": page, "filters": filters, "user": request.user})
    return {
        "table": table,
        "fingerprint": hashlib.sha256(table.encode()).hexdigest()[:16],
        "place": _only(request.GET, *FILTERS, "after", "before"),
    }


def _positions(query: QueryDict) -> dict[str, Position | None]:
    return {name: Position.decode(query.get(name, "")) for name in ("after", "before")}


def _only(query: QueryDict, *names: str) -> str:
    """The part of the address with these names, for links that keep them."""
    kept = QueryDict(mutable=True)
    for name in names:
        if value := query.get(name, ""):
            kept[name] = value
    return kept.urlencode()
