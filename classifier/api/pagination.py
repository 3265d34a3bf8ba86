"""Pages by position, newest first: rows created meanwhile neither shift nor repeat what follows."""

import base64
import binascii
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

M = TypeVar("M", bound=Model)


def page_of(rows: QuerySet[M], *, size: int, cursor: str = "") -> tuple[list[M], str | None]:
    """At most ``size`` rows below ``cursor``, and the cursor of the next page."""
    rows = rows.order_by("-created_at", "-id")
    if cursor:
        created_at, pk = _decode(cursor)
        # The first condition is the one an index on created_at can follow.
        rows = rows.filter(Q(created_at__lt=created_at) | Q(id__lt=pk), created_at__lte=created_at)
    found = list(rows[: size + 1])
    return found[:size], _encode(found[size - 1]) if len(found) > size else None


def page_body(request: Request, results: Sequence[Mapping[str, Any]], cursor: str | None) -> dict[str, Any]:
    address = request.build_absolute_uri()
    return {"results": results, "next": cursor and replace_query_param(address, "cursor", cursor)}


def page_schema(name: str, row: type[serializers.BaseSerializer[Any]]) -> serializers.Serializer[Any]:
    """What the OpenAPI description says of a page of ``row``."""
    return inline_serializer(
        name=f"{name}Page",
        fields={
            "results": row(many=True),
            "next": serializers.URLField(allow_null=True, help_text="null on the last page"),
        },
    )


def _encode(row: Any) -> str:
    text = f"{row.created_at.isoformat()}|{row.pk.hex}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, uuid.UUID]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, pk = text.split("|")
        created_at = datetime.fromisoformat(moment)
        if created_at.tzinfo is None or not 1970 < created_at.year < 9999:
            raise ValueError
        return created_at, uuid.UUID(pk)
    except (ValueError, binascii.Error) as error:
        wrong = ErrorDetail(_("This is not the cursor of a page."), code="cursor_invalid")
        raise ValidationError({"cursor": [wrong]}) from error
