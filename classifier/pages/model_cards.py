"""What a model version is, what it was measured on and where it must not be trusted."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.errors import NotFound
from classifier.pages.cards import card_page
from classifier.pages.requests import SignedInRequest
from classifier.services.model_versions import registered_version


@require_safe
def model_card(request: SignedInRequest, version: str) -> HttpResponse:
    model_version = registered_version(version)
    if model_version is None:
        raise NotFound("model version")
    return render(
        request, "models/card.html", {"model_version": model_version, "card": card_page(model_version.card)}
    )
