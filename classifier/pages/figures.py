"""A department's numbers: how much, how fast, how far machine and readers agree, and what drifts."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from classifier.models import Answer
from classifier.models.analysis import Outcome
from classifier.pages.forms import FiguresForm
from classifier.pages.requests import SignedInRequest
from classifier.services.figures import STANDINGS, department_figures

STANDING_WORDS = {
    "suspected": _("Tumour suspected"),
    "notumor": _("No tumour seen"),
    "uncertain": _("Uncertain"),
    "refused": _("Refused"),
    "failed": _("Failed"),
}


@require_safe
def figures(request: SignedInRequest) -> HttpResponse:
    form = FiguresForm(request.GET, user=request.user)
    facts = {
        "form": form,
        "figures": department_figures(user=request.user, **form.chosen()),
        "answers": Answer.choices,
        "outcomes": dict(Outcome.choices),
        "standings": [(name, STANDING_WORDS[name]) for name in STANDINGS],
    }
    return render(request, "figures/figures.html", facts)
