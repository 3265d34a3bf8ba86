"""Answers that a poller already has: 304 without a body, and without an event in the audit trail."""

import hashlib
from collections.abc import Callable
from typing import Any

from django.utils.cache import patch_cache_control
from django.utils.http import parse_etags, quote_etag
from drf_spectacular.utils import OpenApiParameter
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="the ETag of the answer you have; 304 if it holds",
)


def unless_known(request: Request, body: Any, *, seen: Callable[[], object]) -> Response:
    """``body`` with its ETag, after ``seen`` has recorded the look; 304 when If-None-Match names it."""
    tag = quote_etag(hashlib.sha256(JSONRenderer().render(body)).hexdigest()[:32])
    known = [item.removeprefix("W/") for item in parse_etags(request.headers.get("If-None-Match", ""))]
    if tag in known or "*" in known:
        response = Response(status=304)
    else:
        seen()
        response = Response(body)
    response["ETag"] = tag
    patch_cache_control(response, private=True, no_cache=True)
    return response
