"""Opening a case, its page with every result, and its history."""

import uuid
from collections.abc import Sequence
from contextlib import suppress

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from classifier.errors import NotAllowed, UserFacingError
from classifier.models import Case
from classifier.pages import next_case
from classifier.pages.forms import CaseForm
from classifier.pages.middleware import refreshes_itself
from classifier.pages.requests import SignedInRequest, form_data, page_actor
from classifier.pages.uploads import upload_form
from classifier.services import cases, history, priors, reports, results
from classifier.services.cases import PatientDetails
from classifier.services.model_versions import registered_versions


@require_http_methods(["GET", "HEAD", "POST"])
def new_case(request: SignedInRequest) -> HttpResponse:
    if not request.user.may_upload:
        raise NotAllowed(_("Only clinicians open cases."))
    form = CaseForm(form_data(request), user=request.user)
    if form.is_valid():
        try:
            return redirect("upload", case_id=_open(request, form).pk)
        except UserFacingError as error:
            form.add_error(None, error.detail)
    return render(request, "cases/new.html", {"form": form}, status=400 if form.is_bound else 200)


def _open(request: SignedInRequest, form: CaseForm) -> Case:
    given = form.cleaned_data
    return cases.open_case(
        actor=page_actor(request),
        patient_reference=given["patient"],
        department=given.get("department", ""),
        question=given["question"],
        study_date=given["study_date"],
        details=PatientDetails(name=given["name"], birth_year=given["birth_year"], sex=given["sex"]),
    )


@require_safe
def case_page(request: SignedInRequest, case_id: uuid.UUID) -> HttpResponse:
    case, others, more_others = priors.view_with_others(actor=page_actor(request), case_id=case_id)
    next_case.arrive(request, case)
    start = _start(request)
    found, more = results.case_results(actor=page_actor(request), case=case, start=start)
    facts = upload_form(case) | {
        "case": case,
        "others": others,
        "more_others": more_others,
        "sign_off": reports.sign_off_of(actor=page_actor(request), case=case),
        "results": found,
        "versions": registered_versions(),
        "open": [result.analysis for result in found if not result.analysis.is_finished],
        "look": results.word_of_look(actor=page_actor(request), case=case),
        "glance": len(found) > 1,
        "pictures": True,
        "previous": max(0, start - results.PAGE) if start else None,
        "next": start + results.PAGE if more else None,
        "first": start + 1,
        "last": start + len(found),
    }
    return render(request, "cases/case.html", facts)


@refreshes_itself
@require_safe
def progress(request: SignedInRequest, case_id: uuid.UUID) -> HttpResponse:
    """What has moved on among the analyses named ``open`` (``<id>.<state>``), each for its own place."""
    actor = page_actor(request)
    case = cases.find_case(actor=actor, case_id=case_id)
    seen = _seen(request.GET.getlist("open")[: results.PAGE])
    word = request.GET.get("look", "")
    changed, still_open = results.progress(actor=actor, case=case, seen=seen, word=word)
    if not changed:
        return HttpResponse(status=204)
    on_case_page = request.GET.get("pictures") == "1"
    facts = {
        "case": case,
        # The viewer asks for its news here, too, and shows neither pictures nor what is missing to sign.
        "sign_off": reports.sign_off_of(actor=actor, case=case) if on_case_page else None,
        "results": changed,
        "versions": registered_versions(),
        "open": still_open,
        "look": results.word_of_look(actor=actor, case=case),
        "glance": request.GET.get("glance") == "1",
        "pictures": on_case_page,
    }
    return render(request, "cases/_progress.html", facts)


@require_safe
def case_history(request: SignedInRequest, case_id: uuid.UUID) -> HttpResponse:
    """For whoever audits with every look; others ask for those, among which acts are hard to find."""
    before = request.GET.get("before", "")
    looks = {"yes": True, "no": False}.get(request.GET.get("looks", ""), request.user.may_audit)
    case, events, following = history.case_history(
        actor=page_actor(request),
        case_id=case_id,
        before=min(int(before), 2**63 - 1) if before.isdecimal() else None,
        looks=looks,
    )
    facts = {"case": case, "events": events, "following": following, "looks": looks}
    return render(request, "cases/history.html", facts)


def _start(request: SignedInRequest) -> int:
    start = request.GET.get("start", "")
    return min(int(start), 100_000) if start.isdecimal() else 0


def _seen(words: Sequence[str]) -> dict[uuid.UUID, str]:
    seen = {}
    for word in words:
        analysis_id, _dot, status = word.partition(".")
        with suppress(ValueError):
            seen[uuid.UUID(analysis_id)] = status
    return seen
