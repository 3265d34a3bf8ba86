"""What every page of the admin site shares: it shows rows and never edits them.

What an administrator may do is an act: a small page that says what will happen, and on POST calls one
service, which checks the right and writes the audit event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from classifier.actors import actor_of
from classifier.admin.links import admin_url, list_url, trail_url
from classifier.admin.paging import BoundedPaginator
from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import User
from classifier.services.listing import record_list

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin

Tool = tuple["StrOrPromise", str]
ROWS_IN_TABLE = 50


@dataclass(frozen=True)
class Table:
    """Rows that hang on the one shown. ``more`` says that there are others."""

    title: StrOrPromise
    headers: Sequence[StrOrPromise]
    rows: Sequence[Sequence[Any]]
    more: bool = False

    @classmethod
    def of(
        cls,
        title: StrOrPromise,
        headers: Sequence[StrOrPromise],
        found: Any,
        cells: Callable[[Any], Sequence[Any]],
    ) -> Table:
        """The first rows of the queryset ``found``, each turned into ``cells``."""
        rows = list(found[: ROWS_IN_TABLE + 1])
        return cls(title, headers, [cells(row) for row in rows[:ROWS_IN_TABLE]], len(rows) > ROWS_IN_TABLE)


@dataclass(frozen=True)
class Act:
    """One thing an administrator may do.

    ``do`` gets the cleaned form and returns what to say, or the page that shows what was done.
    """

    title: StrOrPromise
    submit: StrOrPromise
    do: Callable[[dict[str, Any]], str | HttpResponse]
    intro: StrOrPromise = ""
    form_class: type[forms.Form] = forms.Form
    form_options: dict[str, Any] | None = None


class ReadOnlyAdmin(_ModelAdmin):
    """``looks_at_patients``: the list names patients, so that opening it is recorded."""

    actions = None
    change_form_template = "admin/portal/change_form.html"
    change_list_template = "admin/portal/change_list.html"
    list_per_page = 50
    looks_at_patients = False
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    sortable_by = ()
    view_on_site = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return isinstance(request.user, User) and request.user.may_audit

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        found = self.get_object(request, unquote(object_id))
        context = dict(extra_context or {})
        if found is not None and self.has_view_permission(request, found):
            context |= {"tools": self.tools(request, found), "tables": self.tables(found)}
        response = super().change_view(request, object_id, form_url, context)
        if found is not None and isinstance(response, TemplateResponse):
            self.note_look(admin_actor(request), found)
        return response

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if "%00" in request.META.get("QUERY_STRING", ""):  # PostgreSQL cannot be asked for a NUL
            return redirect(list_url(self.model))
        context = {**(extra_context or {}), "tools": self.list_tools(request)}
        response = super().changelist_view(request, context)
        if self.looks_at_patients and isinstance(response, TemplateResponse):
            self._record_list(request, response)
        return response

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The audit trail is the only history there is."""
        found = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, found):
            raise PermissionDenied
        if found is None or not self.trail_term(found):
            raise Http404
        return redirect(trail_url(self.trail_term(found)))

    def trail_term(self, obj: Any) -> str:
        """What finds the row's events in the audit trail, if anything does."""
        return ""

    def tools(self, request: HttpRequest, obj: Any) -> list[Tool]:
        """Links beside the row shown."""
        return [(_("Audit trail"), trail_url(self.trail_term(obj)))] if self.trail_term(obj) else []

    def list_tools(self, request: HttpRequest) -> list[Tool]:
        """Links beside the list."""
        return []

    def tables(self, obj: Any) -> list[Table]:
        """What hangs on the row shown."""
        return []

    def note_look(self, actor: Actor, obj: Any) -> None:
        """Record that ``obj`` was opened, where that is a look at a patient."""

    def act_url(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        """An administrator's page under this model's address."""
        full_name = f"{self.opts.app_label}_{self.opts.model_name}_{name}"
        return path(route, self.admin_site.admin_view(_administrators_only(view)), name=full_name)

    def act(self, request: HttpRequest, act: Act, *, about: Model | None = None) -> HttpResponse:
        """Ask, and on POST do it once; what is refused is said beside the form."""
        form = act.form_class(request.POST if request.method == "POST" else None, **(act.form_options or {}))
        if form.is_valid():
            try:
                done = act.do(form.cleaned_data)
            except UserFacingError as error:
                form.add_error(None, error.detail)
            else:
                return done if isinstance(done, HttpResponse) else self._said(request, done, about)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": about,
            "title": act.title,
            "act": act,
            "form": form,
            "media": self.media + form.media,
        }
        status = 400 if form.is_bound else 200
        return TemplateResponse(request, "admin/portal/act.html", context, status=status)

    def _record_list(self, request: HttpRequest, response: TemplateResponse) -> None:
        rows = list((response.context_data or {})["cl"].result_list)
        kind = self.opts.model_name or ""
        record_list(actor=admin_actor(request), kind=kind, filters=request.GET, rows=rows)

    def _said(self, request: HttpRequest, done: str, about: Model | None) -> HttpResponse:
        messages.success(request, done)
        return redirect(admin_url(about) if about else list_url(self.model))


class AdministratorsAdmin(ReadOnlyAdmin):
    """Tables of people and their tokens, which auditors do not see."""

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may_administer(request)


def admin_actor(request: HttpRequest) -> Actor:
    return actor_of(request, via="admin")


def may_administer(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.may_administer


def _administrators_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may_administer(request):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded
