"""The audit trail. Filters and search are those that an index answers, however long the trail is."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from classifier.admin.base import ReadOnlyAdmin
from classifier.admin.links import link
from classifier.admin.search import SHOWN_DIGITS, case_of, id_range
from classifier.models import AuditEvent, Case


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    fields = (
        "created_at",
        ("actor_name", "actor"),
        ("action", "object_type", "object_id"),
        "case",
        ("via", "address"),
        "detail",
    )
    readonly_fields = ("case",)
    list_display = ("created_at", "actor_name", "action", "about", "case", "via", "address")
    list_filter = ("action", "created_at")
    ordering = ("-created_at", "-id")
    search_fields = ("actor_name",)
    search_help_text = _("A user name as it is written, or the id of a case, scan, analysis or review.")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        ids = id_range(term)
        case_id = case_of(ids) if ids else None
        if case_id is not None:
            return queryset.filter(case_id=case_id), False
        return queryset.filter(actor_name=term), False

    @admin.display(description=_("about"))
    def about(self, event: AuditEvent) -> str:
        return f"{_kind_words(event.object_type)} {event.object_id[:SHOWN_DIGITS]}".strip()

    @admin.display(description=_("case"))
    def case(self, event: AuditEvent) -> SafeString | str:
        return link(Case(pk=event.case_id)) if event.case_id else "-"


def _kind_words(kind: str) -> str:
    """What the table of that name is called in the reader's language."""
    tables: list[type[Model]] = [*apps.get_app_config("classifier").get_models(), Group]
    names = {table._meta.model_name: table._meta.verbose_name for table in tables}
    return str(names.get(kind, kind))
