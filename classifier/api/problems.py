"""Every error of the API as problem+json (RFC 9457): type, title, status, detail and a stable ``code``."""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse, UnreadablePostError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions

from classifier.errors import NoRoom, UserFacingError, is_full_disk
from classifier.services.files import too_many_bytes
from classifier.uploads import FileTooBig

logger = logging.getLogger(__name__)
RETRY_AFTER_S = 5
NO_SUCH_URL = gettext_lazy("There is nothing at this address. Every address of the API ends with a slash.")


class Problem(JsonResponse):
    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        body = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "code": code,
            **more,
        }
        super().__init__(
            body,
            status=status,
            content_type="application/problem+json",
            headers={"Cache-Control": "no-store", **(headers or {})},
        )


def problem_response(error: Exception, context: Mapping[str, Any]) -> Problem | None:
    """DRF's exception handler; None leaves the unexpected to the log and to ``handler500``."""
    match error:
        case UserFacingError():
            return Problem(status=error.status, code=error.code, detail=error.detail)
        case exceptions.APIException():
            return _api_problem(error)
        case Http404():  # DRF's word for a `format` that it does not have
            wrong = exceptions.ErrorDetail(_("Answers are JSON; leave it out."), code="invalid_choice")
            return _api_problem(exceptions.ValidationError({"format": [wrong]}))
        case PermissionDenied():
            return Problem(status=403, code="not_allowed", detail=_("This is not allowed."))
    return _transport_problem(error)


def _api_problem(error: exceptions.APIException) -> Problem:
    if isinstance(error, exceptions.ValidationError):
        return Problem(
            status=400,
            code="invalid",
            detail=_("Some of what was sent is not as it should be; see errors."),
            errors=_field_errors(error),
        )
    return Problem(
        status=error.status_code,
        code=str(error.get_codes()),
        detail=str(error.detail),
        headers=_headers(error),
    )


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if isinstance(error, exceptions.Throttled):
        headers["Retry-After"] = str(max(1, math.ceil(getattr(error, "wait", None) or 1)))
    return headers


def _field_errors(error: exceptions.ValidationError) -> dict[str, list[dict[str, str]]]:
    details = error.get_full_details()
    if not isinstance(details, dict):
        details = {"body": details}
    return {str(field): _flat(found) for field, found in details.items()}


def _flat(found: Any) -> list[dict[str, str]]:
    """DRF nests by field and index; a caller needs the sentences and their codes."""
    if isinstance(found, dict) and isinstance(found.get("message"), str):
        return [{"code": str(found["code"]), "detail": str(found["message"])}]
    parts = found.values() if isinstance(found, dict) else found
    return [flat for part in parts for flat in _flat(part)]


def _transport_problem(error: Exception) -> Problem | None:
    match error:
        case FileTooBig():
            return problem_response(too_many_bytes(), {})
        case RequestDataTooBig() | TooManyFieldsSent():
            return Problem(status=413, code="request_too_large", detail=_("The request is too large."))
        case TooManyFilesSent():
            return Problem(status=413, code="too_many_files", detail=_("Too many files were sent at once."))
        case SuspiciousOperation() | UnreadablePostError():
            return Problem(status=400, code="bad_request", detail=_("The request could not be read."))
        case OperationalError() | InterfaceError():
            logger.error("The database does not answer: %s", type(error).__name__, exc_info=error)
            return Problem(
                status=503,
                code="database_unavailable",
                detail=_("The database does not answer; nothing was changed. Try again."),
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        case OSError() if is_full_disk(error):
            logger.error("A disk is full", exc_info=error)
            return problem_response(NoRoom(), {})
    return None


@csrf_exempt
@login_not_required
def unknown_address(request: HttpRequest, *args: Any, **kwargs: Any) -> Problem:
    """Catches what no other pattern under /api/ matches, before a redirect could drop a body."""
    return Problem(status=404, code="not_found", detail=str(NO_SUCH_URL))
