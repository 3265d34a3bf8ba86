"""A reader's verdict on one analysis, and a third person's decision between two that differ."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from classifier.errors import NotAllowed, UserFacingError
from classifier.models import Analysis
from classifier.pages.reading_forms import AdjudicationForm, ReviewForm
from classifier.pages.requests import SignedInRequest, form_data, page_actor
from classifier.services import reading, results, reviews


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: SignedInRequest, analysis_id: uuid.UUID) -> HttpResponse:
    """The form stands on the case page too; here it comes back with what was wrong."""
    analysis = _found(request, analysis_id)
    form = ReviewForm(form_data(request), analysis=analysis)
    status = 400 if form.is_bound else 200
    if form.is_valid():
        try:
            reviews.submit_review(actor=page_actor(request), analysis=analysis, **form.cleaned_data)
            return _to_the_scan(request, analysis, _("Your review is recorded."))
        except UserFacingError as error:
            form.add_error(_field_of(error, form), error.detail)
            status = error.status
    return render(request, "cases/review.html", _facts(request, analysis) | {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def adjudication(request: SignedInRequest, analysis_id: uuid.UUID) -> HttpResponse:
    analysis = _found(request, analysis_id)
    form = AdjudicationForm(form_data(request))
    status = 400 if form.is_bound else 200
    if form.is_valid():
        try:
            reviews.adjudicate(actor=page_actor(request), analysis=analysis, **form.cleaned_data)
            return _to_the_scan(request, analysis, _("Your decision is recorded."))
        except UserFacingError as error:
            form.add_error(None, error.detail)
            status = error.status
    found = reading.reading_of(analysis.pk)
    facts = _facts(request, analysis) | {
        "form": form,
        "reads": analysis.reviews.select_related("reviewer") if not analysis.reads_hidden else [],
        "may_adjudicate": reviews.may_adjudicate(user=request.user, reading=found),
        "needed": found.stage == reading.Stage.ADJUDICATION,
    }
    return render(request, "cases/adjudication.html", facts, status=status)


def _found(request: SignedInRequest, analysis_id: uuid.UUID) -> Analysis:
    find = reviews.find_analysis if request.method == "POST" else reviews.view_analysis
    analysis = find(actor=page_actor(request), analysis_id=analysis_id)
    if not request.user.may_review:
        raise NotAllowed(_("Only clinicians and reviewers submit reviews."))
    return analysis


def _facts(request: SignedInRequest, analysis: Analysis) -> dict[str, Any]:
    result = results.scan_result(actor=page_actor(request), scan=analysis.scan)
    return {"analysis": analysis, "case": analysis.scan.case, "result": result, "index": result.slice_shown}


def _field_of(error: UserFacingError, form: ReviewForm) -> str | None:
    """Beside which field the sentence stands."""
    return "region" if error.code == "region_invalid" and "region" in form.fields else None


def _to_the_scan(request: SignedInRequest, analysis: Analysis, said: str) -> HttpResponse:
    messages.success(request, said)
    return redirect(f"{reverse('case', args=[analysis.scan.case_id])}#scan-{analysis.scan_id}")
