"""API tokens: who holds which, issuing one for somebody, ending one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from classifier.admin.base import Act, AdministratorsAdmin, Tool, admin_actor
from classifier.models import ApiToken, User
from classifier.models.tokens import Scope
from classifier.services import tokens
from classifier.services.people import may_manage


class IssueForm(forms.Form):
    user = forms.ModelChoiceField(label=_("User"), queryset=User.objects.none())
    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("What the token is for."))
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple
    )
    days = forms.IntegerField(label=_("Days"), min_value=1, max_value=tokens.MAX_DAYS)

    def __init__(self, *args: Any, users: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].queryset = users  # type: ignore[attr-defined]


@admin.register(ApiToken)
class ApiTokenAdmin(AdministratorsAdmin):
    fields = (
        "user",
        "name",
        "prefix",
        "scope_names",
        ("created_at", "expires_at", "last_used_at", "revoked_at"),
    )
    readonly_fields = ("scope_names",)
    list_display = ("name", "user", "prefix", "scope_names", "usable", "expires_at", "last_used_at")
    list_filter = ("expires_at", "revoked_at")
    list_select_related = ("user",)
    ordering = ("-created_at", "-id")
    search_fields = ("name__icontains", "prefix__startswith", "user__username__icontains")

    def get_urls(self) -> list[URLPattern]:
        return [
            self.act_url("add/", self.issue_view, "add"),
            self.act_url("<int:pk>/revoke/", self.revoke_view, "revoke"),
            *super().get_urls(),
        ]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return "secret" not in lookup and super().lookup_allowed(lookup, value, request)

    @admin.display(description=_("scopes"))
    def scope_names(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    @admin.display(boolean=True, description=_("usable"))
    def usable(self, token: ApiToken) -> bool:
        return token.is_usable and token.user.is_active

    def tools(self, request: HttpRequest, obj: ApiToken) -> list[Tool]:
        if obj.revoked_at or not may_manage(actor=admin_actor(request), user=obj.user):
            return []
        return [(_("Revoke"), reverse("admin:classifier_apitoken_revoke", args=[obj.pk]))]

    def list_tools(self, request: HttpRequest) -> list[Tool]:
        return [(_("Issue a token"), reverse("admin:classifier_apitoken_add"))]

    def issue_view(self, request: HttpRequest) -> HttpResponse:
        @sensitive_variables()
        def do(given: dict[str, Any]) -> HttpResponse:
            token, secret = tokens.issue_token(actor=admin_actor(request), **given)
            return self._issued(request, token, secret)

        initial = {"user": request.GET.get("user"), "days": tokens.DEFAULT_DAYS}
        options = {"users": _may_get_tokens(request), "initial": initial}
        act = Act(
            title=_("Issue a token"),
            submit=_("Issue"),
            intro=_("The secret is shown once, on the next page. Whoever holds it acts as this user."),
            do=do,
            form_class=IssueForm,
            form_options=options,
        )
        return self.act(request, act)

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        token = get_object_or_404(ApiToken.objects.select_related("user"), pk=pk)

        def do(_given: object) -> str:
            tokens.revoke_token(actor=admin_actor(request), token=token)
            return _("Token %(token)s is revoked.") % {"token": token}

        intro = _(
            "Programs of %(user)s that use %(token)s are refused from now on. This cannot be undone."
        ) % {"user": token.user, "token": token}
        act = Act(
            title=_("Revoke token %(token)s") % {"token": token}, submit=_("Revoke"), intro=intro, do=do
        )
        return self.act(request, act, about=token)

    @sensitive_variables()
    def _issued(self, request: HttpRequest, token: ApiToken, secret: str) -> HttpResponse:
        """The secret stands in this one answer and nowhere else."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Token issued"),
            "token": token,
            "secret": secret,
        }
        return TemplateResponse(request, "admin/portal/issued.html", context)


def _may_get_tokens(request: HttpRequest) -> QuerySet[User]:
    users = User.objects.filter(is_active=True).order_by("username")
    actor = admin_actor(request).require_user()
    return users if actor.is_superuser else users.filter(is_superuser=False)
