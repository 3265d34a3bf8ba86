"""Signing a case off, its report and the versions of it, and the report as PDF."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from classifier.errors import NotAllowed, UserFacingError
from classifier.models import Case
from classifier.pages.pictures import inert
from classifier.pages.reading_forms import AmendForm, SignForm
from classifier.pages.requests import SignedInRequest, form_data, page_actor
from classifier.services import cases, report_document, reports, results
from classifier.services.reports import SignOff

SHOWN_TO_SIGN = 24


@require_http_methods(["GET", "HEAD", "POST"])
def report(request: SignedInRequest, case_id: uuid.UUID) -> HttpResponse:
    """The report that holds with all its versions, and the form for the next signature.

    A form that comes back with what was wrong shows the page again, and is a look at it like the first.
    """
    actor = page_actor(request)
    case = cases.find_case(actor=actor, case_id=case_id)
    if request.method == "POST" and not request.user.may_sign:
        raise NotAllowed(_("Only clinicians and reviewers sign reports."))
    sign_off = reports.sign_off_of(actor=actor, case=case)
    form = _form(request, sign_off)
    status = 400 if form.is_bound else 200
    if request.method == "POST" and sign_off.obstacle:
        status = sign_off.obstacle.status
    elif form.is_valid():
        try:
            return _sign(request, case, form)
        except UserFacingError as error:
            form.add_error(None, error.detail)
            status = error.status
    cases.record_case_view(actor=actor, case=case)
    if sign_off.report:
        reports.record_report_view(actor=actor, report=sign_off.report)
    facts = {"case": case, "sign_off": sign_off, "form": form} | _before_signing(request, case, sign_off)
    return render(request, "cases/report.html", facts, status=status)


def _before_signing(request: SignedInRequest, case: Case, sign_off: SignOff) -> dict[str, Any]:
    """What the signature is for, where there can be one: the scans, what the model said and the reads."""
    if sign_off.obstacle or not request.user.may_sign:
        return {}
    found, more = results.case_results(actor=page_actor(request), case=case, most=SHOWN_TO_SIGN)
    return {"results": found, "more_scans": more}


@require_safe
def report_pdf(request: SignedInRequest, report_id: uuid.UUID) -> HttpResponse:
    """In ``language``, otherwise in the reader's."""
    language = request.GET.get("language") or (translation.get_language() or "en")[:2]
    found, pdf = report_document.download_report(
        actor=page_actor(request), report_id=report_id, language=language
    )
    response = inert(HttpResponse(pdf, content_type="application/pdf"))
    name = f"report-{str(found.case_id)[:8]}-v{found.version}-{language}.pdf"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _form(request: SignedInRequest, sign_off: SignOff) -> SignForm:
    """Nothing that was sent is held against the answers that may be signed before there may be one."""
    kind: type[SignForm] = AmendForm if sign_off.report else SignForm
    return kind(None if sign_off.obstacle else form_data(request), sign_off=sign_off)


def _sign(request: SignedInRequest, case: Case, form: SignForm) -> HttpResponse:
    given: dict[str, Any] = form.cleaned_data
    # The sentence may stand on another patient's page: it says whose report it is.
    whose = {"reference": case.patient.reference}
    if "amends" in given:
        reports.amend_report(actor=page_actor(request), case=case, **given)
        messages.success(request, _("The amended report of %(reference)s is signed.") % whose)
    else:
        reports.sign_report(actor=page_actor(request), case=case, **given)
        messages.success(request, _("The report of %(reference)s is signed.") % whose)
    then = "next_case" if request.POST.get("then") == "next" else "report"
    return redirect(then, case_id=case.pk)
