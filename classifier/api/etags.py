"""Answers that a poller already has: 304 without a body, and without an event in the audit trail."""

import hashlib
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.cache import patch_cache_control
from django.utils.http import parse_etags, quote_etag
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.models import Analysis

API_VERSION = settings.SPECTACULAR_SETTINGS["VERSION"]
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="the ETag of the answer you have; 304 if it holds",
)


def unless_known(
    request: Request, analysis: Analysis, body: Callable[[], Any], *, seen: Callable[[], object]
) -> Response:
    """``body()`` with its ETag, after ``seen`` has recorded the look; 304 when If-None-Match names it.

    Of an answer about a scan or an analysis only these things of its ``analysis`` change, so that a poller
    that waits costs neither the body nor the questions for it.
    """
    how_far = (analysis.pk, analysis.status, analysis.attempts, analysis.slices_done, analysis.answer_hidden)
    state = (request.build_absolute_uri(), API_VERSION, *how_far)
    tag = quote_etag(hashlib.sha256(repr(state).encode()).hexdigest()[:32])
    known = [item.removeprefix("W/") for item in parse_etags(request.headers.get("If-None-Match", ""))]
    if tag in known or "*" in known:
        response = Response(status=304)
    else:
        seen()
        response = Response(body())
    response["ETag"] = tag
    patch_cache_control(response, private=True, no_cache=True)
    return response
