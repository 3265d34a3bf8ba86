"""A reader's verdict on one analysis, and a third person's decision between two that differ."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from classifier.errors import NotAllowed, UserFacingError
from classifier.models import Analysis
from classifier.pages.panes import slice_named
from classifier.pages.reading_forms import AdjudicationForm, ReviewForm
from classifier.pages.requests import SignedInRequest, form_data, page_actor
from classifier.services import reading, reports, results, reviews
from classifier.services.reports import SignOff


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: SignedInRequest, analysis_id: uuid.UUID) -> HttpResponse:
    """The form stands on the case page too; here it comes back with what was wrong, which is another look."""
    analysis = _found(request, analysis_id)
    form = ReviewForm(form_data(request), analysis=analysis)
    status = 400 if form.is_bound else 200
    if form.is_valid():
        try:
            reviews.submit_review(actor=page_actor(request), analysis=analysis, **form.cleaned_data)
            return _onwards(request, analysis, _("Your review is recorded."))
        except UserFacingError as error:
            form.add_error(_field_of(error), error.detail)
            status = error.status
    reviews.record_analysis_view(actor=page_actor(request), analysis=analysis)
    return render(request, "cases/review.html", _facts(request, analysis) | {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def adjudication(request: SignedInRequest, analysis_id: uuid.UUID) -> HttpResponse:
    analysis = _found(request, analysis_id)
    form = AdjudicationForm(form_data(request))
    status = 400 if form.is_bound else 200
    if form.is_valid():
        try:
            reviews.adjudicate(actor=page_actor(request), analysis=analysis, **form.cleaned_data)
            return _onwards(request, analysis, _("Your decision is recorded."))
        except UserFacingError as error:
            form.add_error(None, error.detail)
            status = error.status
    reviews.record_analysis_view(actor=page_actor(request), analysis=analysis)
    found = reading.reading_of(analysis.pk)
    facts = _facts(request, analysis) | {
        "form": form,
        "reads": analysis.reviews.select_related("reviewer") if not analysis.reads_hidden else [],
        "may_adjudicate": reviews.may_adjudicate(user=request.user, reading=found),
        "needed": found.stage == reading.Stage.ADJUDICATION,
    }
    return render(request, "cases/adjudication.html", facts, status=status)


def _found(request: SignedInRequest, analysis_id: uuid.UUID) -> Analysis:
    analysis = reviews.find_analysis(actor=page_actor(request), analysis_id=analysis_id)
    if not request.user.may_review:
        raise NotAllowed(_("Only clinicians and reviewers submit reviews."))
    return analysis


def _facts(request: SignedInRequest, analysis: Analysis) -> dict[str, Any]:
    result = results.scan_result(actor=page_actor(request), scan=analysis.scan)
    index = slice_named(request.GET.get("slice", ""), result, otherwise=result.slice_shown)
    return {"analysis": analysis, "case": analysis.scan.case, "result": result, "index": index}


def _field_of(error: UserFacingError) -> str | None:
    """Beside which field the sentence stands."""
    return "region" if error.code in {"region_invalid", "region_unexpected"} else None


def _onwards(request: SignedInRequest, analysis: Analysis, said: str) -> HttpResponse:
    """Says what is next, and leads there: back to the scan, or where the whole case is signed from."""
    case = analysis.scan.case
    sign_off = reports.sign_off_of(actor=page_actor(request), case=case)
    address = reverse("case", args=[case.pk])
    if sign_off.obstacle:
        messages.success(request, f"{said} {sign_off.obstacle.detail}")
        return redirect(f"{address}#scan-{analysis.scan_id}")
    messages.success(request, format_html("{} {}", said, _may_be_signed(sign_off)))
    return redirect(address)


def _may_be_signed(sign_off: SignOff) -> str:
    words = (
        _("All scans are read: the report can be amended.")
        if sign_off.report
        else _("All scans are read: the report can be signed.")
    )
    address = reverse("report", args=[sign_off.case.pk])
    return format_html('{} <a href="{}">{}</a>', words, address, _("To the report"))
