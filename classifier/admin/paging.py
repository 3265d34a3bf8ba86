"""Pages of tables that are too large to be counted."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator

if TYPE_CHECKING:
    from django.db.models import QuerySet

    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator


class BoundedPaginator(_Paginator):
    """Knows the first ``REACH`` rows and never counts further; the rest is found by search and filters."""

    REACH = 5_000
    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return min(self._counted, self.REACH)

    @property
    def is_cut(self) -> bool:
        return self._counted > self.REACH

    @cached_property
    def _counted(self) -> int:
        return self.object_list.order_by().values("pk")[: self.REACH + 1].count()
