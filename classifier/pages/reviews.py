"""The reviewer's verdict on one analysis."""

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from classifier.errors import NotAllowed, UserFacingError
from classifier.models import Analysis
from classifier.pages.forms import ReviewForm
from classifier.pages.requests import SignedInRequest, form_data, page_actor
from classifier.services import reviews


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: SignedInRequest, analysis_id: uuid.UUID) -> HttpResponse:
    """The form stands on the case page too; here it comes back with what was wrong."""
    find = reviews.find_analysis if request.method == "POST" else reviews.view_analysis
    analysis = find(actor=page_actor(request), analysis_id=analysis_id)
    if not request.user.may_review:
        raise NotAllowed(_("Only clinicians and reviewers submit reviews."))
    form = ReviewForm(form_data(request), analysis=analysis)
    status = 400 if form.is_bound else 200
    if form.is_valid():
        try:
            return _submit(request, analysis, form)
        except UserFacingError as error:
            form.add_error("label" if error.code == "label_invalid" else None, error.detail)
            status = error.status
    facts = {"analysis": analysis, "case": analysis.scan.case, "form": form}
    return render(request, "cases/review.html", facts, status=status)


def _submit(request: SignedInRequest, analysis: Analysis, form: ReviewForm) -> HttpResponse:
    reviews.submit_review(actor=page_actor(request), analysis=analysis, **form.cleaned_data)
    messages.success(request, _("Your review is recorded."))
    scan = analysis.scan
    return redirect(f"{reverse('case', args=[scan.case_id])}#scan-{scan.pk}")
