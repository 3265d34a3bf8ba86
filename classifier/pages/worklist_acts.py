"""What is done to several rows of the worklist at once: assign, analyse anew, export."""

import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress

from django.contrib import messages
from django.http import HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from classifier.errors import NotAllowed, NotFound, UserFacingError
from classifier.pages.requests import SignedInRequest, page_actor
from classifier.pages.worklist_csv import as_csv
from classifier.pages.worklist_forms import ME, NOBODY, WorklistForm, address_of, place_of
from classifier.services import assignments, worklist

LONGEST_KEY = 19


@require_POST
def worklist_act(request: SignedInRequest) -> HttpResponseBase:
    """Back on the list, one sentence says what became of the chosen cases."""
    chosen, act = _chosen(request), request.POST.get("act", "")
    if act == "export" and chosen:
        return as_csv(worklist.export_cases(actor=page_actor(request), case_ids=chosen))
    try:
        messages.success(request, ACTS.get(act, _nothing)(request, chosen))
    except (NotAllowed, NotFound):
        raise
    except UserFacingError as error:
        messages.error(request, error.detail)
    back = QueryDict(request.POST.get("back", ""))
    return redirect(address_of(place_of(WorklistForm(back, user=request.user), back)))


@require_safe
def worklist_export(request: SignedInRequest) -> HttpResponseBase:
    """Every case of the view in the address."""
    filters = WorklistForm(request.GET, user=request.user).filters()
    return as_csv(worklist.export_worklist(actor=page_actor(request), filters=filters))


def _assign(request: SignedInRequest, chosen: Sequence[uuid.UUID]) -> str:
    word = request.POST.get("assignee", "")
    if not (word in {ME, NOBODY} or (word.isdecimal() and len(word) <= LONGEST_KEY)):
        raise UserFacingError("assignee_required", _("Choose whom to assign the cases to."))
    key = request.user.pk if word == ME else int(word) if word != NOBODY else None
    changed = assignments.assign_cases(actor=page_actor(request), case_ids=chosen, assignee_id=key)
    return ngettext("%d case has changed hands.", "%d cases have changed hands.", changed) % changed


def _analyse(request: SignedInRequest, chosen: Sequence[uuid.UUID]) -> str:
    requested = assignments.analyse_cases(actor=page_actor(request), case_ids=chosen)
    started, under_way, empty = requested.started, requested.under_way, requested.empty
    sentences = (
        (started, ngettext("%d case is analysed again.", "%d cases are analysed again.", started)),
        (
            under_way,
            ngettext("%d case was under way already.", "%d cases were under way already.", under_way),
        ),
        (empty, ngettext("%d case has no images.", "%d cases have no images.", empty)),
    )
    return " ".join(sentence % number for number, sentence in sentences if number)


def _nothing(request: SignedInRequest, chosen: Sequence[uuid.UUID]) -> str:
    if chosen:
        raise UserFacingError("act_unknown", _("Choose what to do with the cases."))
    raise UserFacingError("no_case_chosen", _("Choose at least one case."))


ACTS: dict[str, Callable[[SignedInRequest, Sequence[uuid.UUID]], str]] = {
    "assign": _assign,
    "analyse": _analyse,
}


def _chosen(request: SignedInRequest) -> list[uuid.UUID]:
    chosen = []
    for word in request.POST.getlist("case")[: assignments.MOST + 1]:
        with suppress(ValueError):
            chosen.append(uuid.UUID(word))
    return chosen
