"""Filters of the lists."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from classifier.models import Role


class DepartmentFilter(admin.SimpleListFilter):
    """The departments, without the four roles that are groups too."""

    title = _("department")
    parameter_name = "department"
    path = "department"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        departments = Group.objects.exclude(name__in=Role.values).order_by("name")
        return [(str(pk), name) for pk, name in departments.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if not chosen or not chosen.isdecimal():
            return queryset
        return queryset.filter(**{self.path: int(chosen)})


class CaseDepartmentFilter(DepartmentFilter):
    path = "case__department"


class ScanDepartmentFilter(DepartmentFilter):
    path = "scan__case__department"
