"""Language, colours, time zone and keys: kept with the account, and in cookies for the sign-in."""

from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from classifier.models import User
from classifier.pages.forms import LookForm, PreferencesForm
from classifier.pages.requests import SignedInRequest, page_actor
from classifier.services.preferences import keep_preferences

Response = TypeVar("Response", bound=HttpResponseBase)
THEME_COOKIE = "theme"
# What a cookie carries to the sign-in page, and the setting it comes from.
COOKIES = {"language": settings.LANGUAGE_COOKIE_NAME, "theme": THEME_COOKIE}


@login_not_required
@require_POST
def choose_look(request: HttpRequest) -> HttpResponse:
    """Language or colours, with one press on any page; before the sign-in a cookie alone remembers."""
    form = LookForm(request.POST)
    response = redirect(_way_back(request))
    if not form.is_valid():
        return response
    chosen = {name: value for name, value in form.cleaned_data.items() if value}
    if request.user.is_authenticated:
        keep_preferences(actor=page_actor(request), **chosen)
    return remember(request, response, chosen)


@require_POST
def choose_preferences(request: SignedInRequest) -> HttpResponse:
    form = PreferencesForm(request.POST)
    response = redirect("own_settings")
    if form.is_valid():
        keep_preferences(actor=page_actor(request), **form.cleaned_data)
        remember(request, response, form.cleaned_data)
        with translation.override(form.cleaned_data["language"] or translation.get_language()):
            messages.success(request, _("Your settings are kept."))
    return response


@require_POST
def choose_guide(request: SignedInRequest) -> HttpResponse:
    """Put the guide of the first day away, or take it out again."""
    hidden = request.POST.get("hidden") != "0"
    keep_preferences(actor=page_actor(request), guide_hidden=hidden)
    return redirect("worklist")


def remember(request: HttpRequest, response: Response, chosen: dict[str, Any]) -> Response:
    """Carry what was chosen to the pages before the sign-in; a choice taken back is forgotten."""
    for name, cookie in COOKIES.items():
        if chosen.get(name):
            response.set_cookie(
                cookie,
                chosen[name],
                max_age=timedelta(days=365),
                samesite="Lax",
                httponly=True,
                secure=request.is_secure(),
            )
        elif name in chosen:
            response.delete_cookie(cookie, samesite="Lax")
    return response


def remember_user(request: HttpRequest, response: Response, user: User) -> Response:
    """At the sign-in: the next one speaks this person's language."""
    return remember(request, response, {name: value for name in COOKIES if (value := getattr(user, name))})


def _way_back(request: HttpRequest) -> str:
    """The page the choice was made on, never an address elsewhere."""
    back = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        return back
    return resolve_url("worklist")
