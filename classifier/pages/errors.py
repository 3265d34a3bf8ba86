"""Every error as a page for a person or as problem+json for a program. Nothing here asks the database."""

from __future__ import annotations

import logging
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.errors import NoRoom, is_full_disk
from classifier.pages.requests import wants_json
from classifier.services.files import too_many_bytes
from classifier.uploads import FileTooBig

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

logger = logging.getLogger(__name__)

HEADINGS = {
    400: _("That request could not be understood"),
    401: _("You are signed out"),
    403: _("Your role does not allow this"),
    404: _("There is nothing here"),
    405: _("This is no page to look at"),
    409: _("That does not fit the present state"),
    413: _("That is too much at once"),
    422: _("That image cannot be used"),
    429: _("Too many attempts"),
    500: _("Something broke on our side"),
    503: _("The portal is not available for the moment"),
}

# What helps next; nothing where the sentence before says it.
ADVICE = {
    400: _("Go back, load the page again and repeat what you did."),
    403: _("If your work needs it, ask an administrator for the role."),
    404: _("Go back, or look for the case in the worklist. An administrator can add you to its department."),
    405: _("Go back to the page with the form, or to the worklist."),
    409: _("Load the page again: somebody else may have been faster."),
    413: _("Send fewer or smaller files at once."),
    422: _("Choose another file, or export the image anew where it comes from."),
    429: _("Wait for as long as it says, then try once more."),
    500: _("Try again. If it happens twice, tell whoever runs the portal the code and the time below."),
    503: _("It is known and looked after. What you had sent before is safe."),
}
WORTH_REPEATING = {500, 503}


def respond(
    request: HttpRequest,
    *,
    status: int,
    code: str,
    detail: StrOrPromise,
    heading: StrOrPromise = "",
    signed_out: bool = False,
) -> HttpResponse:
    """``detail`` is one sentence; ``code`` is stable and can be quoted to whoever runs the portal.

    The page leads to the worklist, and who is ``signed_out`` to the sign-in.
    """
    if wants_json(request):
        problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
        return JsonResponse(
            problem | {"code": code, "detail": detail},
            status=status,
            content_type="application/problem+json",
        )
    facts = {
        "request": request,
        "status": status,
        "code": code,
        "detail": detail,
        "heading": heading or HEADINGS.get(status, HEADINGS[400]),
        "advice": "" if heading else ADVICE.get(status, ""),
        "again": request.get_full_path() if status in WORTH_REPEATING and request.method == "GET" else "",
        "signed_out": signed_out,
        "moment": timezone.now(),
    }
    return HttpResponse(render_to_string("errors/error.html", facts), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, TooManyFilesSent):
        return respond(
            request, status=413, code="too_many_files", detail=_("Too many files were sent at once.")
        )
    if isinstance(exception, FileTooBig):
        error = too_many_bytes()
        return respond(request, status=error.status, code=error.code, detail=error.detail)
    if isinstance(exception, RequestDataTooBig | TooManyFieldsSent):
        return respond(
            request, status=413, code="request_too_large", detail=_("More was sent than is taken at once.")
        )
    return respond(
        request, status=400, code="bad_request", detail=_("The request was incomplete or malformed.")
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return respond(
        request, status=403, code="not_allowed", detail=_("This needs a role that you do not have.")
    )


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django writes the reason into the log, and makes harmless what a stranger has sent with it."""
    return respond(
        request,
        status=403,
        code="form_expired",
        heading=_("This form has expired"),
        detail=_("Go back, load the page again and repeat what you did; nothing was changed."),
    )


def method_not_allowed(request: HttpRequest, refused: HttpResponse) -> HttpResponse:
    response = respond(
        request,
        status=405,
        code="method_not_allowed",
        detail=_("This address only takes what a form or a program sends."),
    )
    response["Allow"] = refused["Allow"]
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return respond(
        request,
        status=404,
        code="not_found",
        detail=_("The address is wrong, or what it names is not open to you."),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Django calls this while the exception is being handled; a database that is away gets a 503.

    The log keeps silent about answers of 503, so what is behind one is told here.
    """
    error = sys.exception()
    if is_full_disk(error):
        logger.error("A disk is full", exc_info=error)
        full = NoRoom()
        return respond(request, status=full.status, code=full.code, detail=full.detail)
    if isinstance(error, OperationalError | InterfaceError):
        logger.error("The database does not answer: %s", type(error).__name__, exc_info=error)
        response = respond(
            request,
            status=503,
            code="database_unavailable",
            detail=_("The database does not answer. Nothing was lost; try again in a minute."),
        )
        response["Retry-After"] = "30"
        return response
    return respond(
        request,
        status=500,
        code="internal_error",
        detail=_("The error is in the server's log. What was stored before is safe."),
    )
