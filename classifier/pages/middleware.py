"""Health before everything else; sign-in by default; expected errors as pages."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import RequestDataTooBig
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import resolve_url
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from classifier.errors import UserFacingError
from classifier.models import User
from classifier.pages import errors, health
from classifier.pages.requests import is_htmx, page_before, wants_json, with_query
from classifier.services.preferences import time_zones

GetResponse = Callable[[HttpRequest], HttpResponse]
LAST_ACT = "last_act"
F = TypeVar("F", bound=Callable[..., Any])


class HealthMiddleware:
    """A probe needs no host name and no session."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return JsonResponse({"status": "alive"})
        if request.path == "/readyz":
            return health.readyz()
        return self.get_response(request)


class SignInMiddleware(LoginRequiredMiddleware):
    """Closed by default: a view that forgets to ask is behind the sign-in.

    Using the portal keeps the session alive; a page that refreshes itself does not, or an unattended
    screen would never be signed out.
    """

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., Any], view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        refused: HttpResponseBase | None = super().process_view(request, view_func, view_args, view_kwargs)
        if refused is None and not getattr(view_func, "refreshes_itself", False):
            _keep_alive(request)
        return refused

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response

    def handle_no_permission(  # type: ignore[override]  # a refused script gets no redirect
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        had_session = settings.SESSION_COOKIE_NAME in request.COOKIES
        if is_htmx(request):
            return _leave_for_sign_in(had_session)
        if wants_json(request):
            return errors.respond(
                request, status=401, code="signed_out", detail=_("You are signed out. Sign in and try again.")
            )
        # What was sent is gone; the page that it was sent from is where they were.
        back = request.get_full_path() if request.method == "GET" else page_before(request)
        parameters = {"next": back} if back else {}
        if had_session:
            parameters["ended"] = "1"
        return HttpResponseRedirect(with_query(resolve_url(settings.LOGIN_URL), **parameters))


class PreferencesMiddleware:
    """What a person has chosen goes before what their browser asks; stands behind the authentication."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        timezone.deactivate()
        # A program with a token has no session, and none is looked for.
        if settings.SESSION_COOKIE_NAME in request.COOKIES and isinstance(request.user, User):
            _prefer(request, request.user)
        return self.get_response(request)


class BoundedBodyMiddleware:
    """Refuses what is too long before a byte of it is read; stands before the CSRF check, which reads."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., Any], view_args: Any, view_kwargs: Any
    ) -> None:
        if getattr(view_func, "csrf_exempt", False):
            return  # the API, whose parsers have limits of their own
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if getattr(view_func, "takes_files", False):
            most += settings.MAX_UPLOAD_TOTAL_BYTES
        if int(request.META.get("CONTENT_LENGTH") or 0) > most:
            raise RequestDataTooBig


class UserFacingErrorMiddleware:
    """An expected error that no view has shown at a better place, and Django's refusals without a word."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            return errors.method_not_allowed(request, response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, UserFacingError):
            return None
        return errors.respond(request, status=exception.status, code=exception.code, detail=exception.detail)


def refreshes_itself(view: F) -> F:
    """Mark a view that a page asks for on its own, without anybody at the keyboard."""
    view.refreshes_itself = True  # type: ignore[attr-defined]
    return view


def takes_files(view: F) -> F:
    """Mark a view whose form may bring files; every other form is small."""
    view.takes_files = True  # type: ignore[attr-defined]
    return view


def _prefer(request: HttpRequest, user: User) -> None:
    if user.language:
        translation.activate(user.language)
        request.LANGUAGE_CODE = translation.get_language()
    if user.time_zone in time_zones():
        timezone.activate(user.time_zone)
    request.theme = user.theme  # type: ignore[attr-defined]


def _keep_alive(request: HttpRequest) -> None:
    """Move the end of the session, with a write at most every twentieth of its length."""
    if not request.user.is_authenticated:
        return
    now = int(time.time())
    if now - request.session.get(LAST_ACT, 0) >= settings.SESSION_COOKIE_AGE // 20:
        request.session[LAST_ACT] = now


def _leave_for_sign_in(had_session: bool) -> HttpResponse:
    """htmx would put the sign-in page into a corner of this one; tell it to load the whole page anew."""
    response = HttpResponse(status=200)
    if had_session:
        response["HX-Refresh"] = "true"
    else:
        response["HX-Redirect"] = resolve_url(settings.LOGIN_URL)
    return response
