"""Lists: filtered, paged by position, each look recorded once."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Protocol

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.inputs import query_of
from classifier.api.pagination import page_body, page_of
from classifier.api.views.base import ApiView
from classifier.audit import Actor
from classifier.services.listing import hide_answers, record_list

PAGING = frozenset({"cursor", "page_size"})


class Listing(Protocol):
    def __call__(self, *, actor: Actor, filters: Mapping[str, Any]) -> QuerySet[Any]: ...


def page_response(
    view: ApiView,
    rows: QuerySet[Any],
    serializer: type[serializers.BaseSerializer[Any]],
    query: Mapping[str, Any],
    *,
    seen: Callable[[Sequence[Any]], object] = lambda _: None,
) -> Response:
    """One page of ``rows``, of which ``seen`` hears; ``query`` is a checked `PageQuery`."""
    found, cursor = page_of(rows, size=query["page_size"], cursor=query.get("cursor", ""))
    hide_answers(actor=view.actor, rows=found)
    seen(found)
    return Response(page_body(view.request, view.shown(serializer, found, many=True), cursor))


class ListView(ApiView):
    kind: ClassVar[str]
    query: ClassVar[type[serializers.Serializer[Any]]]
    row: ClassVar[type[serializers.BaseSerializer[Any]]]
    listing: ClassVar[Listing]

    def get(self, request: Request) -> Response:
        query = query_of(request, self.query)
        filters = {name: value for name, value in query.items() if name not in PAGING}
        rows = type(self).listing(actor=self.actor, filters=filters)
        record = partial(record_list, actor=self.actor, kind=self.kind, filters=filters)
        return page_response(self, rows, self.row, query, seen=lambda found: record(rows=found))
