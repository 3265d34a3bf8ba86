"""From one case to the next of the list that the reader came from, which the session remembers.

A case leaves its place as soon as it is read, so its place is remembered from when the reader arrived.
"""

import uuid

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from classifier.models import Case
from classifier.pages.requests import SignedInRequest, page_actor
from classifier.pages.worklist_forms import WorklistForm, address_of
from classifier.services import cases, worklist
from classifier.services.worklist_selection import Position

VIEW, ARRIVAL = "worklist_view", "worklist_arrival"


def remember_view(request: SignedInRequest, query: str) -> None:
    if request.session.get(VIEW) != query:
        request.session[VIEW] = query


def arrive(request: SignedInRequest, case: Case) -> None:
    """Remember where ``case`` stands; coming back to it from one of its own pages changes nothing."""
    if request.session.get(ARRIVAL, {}).get("case") != case.pk.hex:
        request.session[ARRIVAL] = {"case": case.pk.hex, "at": Position.of(case).encode()}


@require_safe
def next_case(request: SignedInRequest, case_id: uuid.UUID) -> HttpResponse:
    case = cases.find_case(actor=page_actor(request), case_id=case_id)
    query = request.session.get(VIEW, "")
    filters = WorklistForm(QueryDict(query), user=request.user).filters()
    following = worklist.next_case(
        user=request.user, filters=filters, after=_arrived_at(request, case), but=case.pk
    )
    if following is not None:
        return redirect("case", case_id=following)
    messages.info(request, _("That was the last case of this list."))
    return redirect(address_of(query))


def _arrived_at(request: SignedInRequest, case: Case) -> Position:
    arrival = request.session.get(ARRIVAL, {})
    remembered = Position.decode(arrival.get("at", "")) if arrival.get("case") == case.pk.hex else None
    return remembered or Position.of(case)
