"""Model versions, which an administrator registers and activates, and the workers that hold one."""

from __future__ import annotations

import json

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from classifier.admin.base import Act, ReadOnlyAdmin, Tool, admin_actor, may_administer
from classifier.models import ModelVersion, WorkerHeartbeat
from classifier.services import model_versions


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    fields = ("version", "is_active", "sha256", "registered_at", "model_card")
    readonly_fields = ("model_card",)
    list_display = ("version", "is_active", "sha256", "registered_at")
    ordering = ("-registered_at", "-id")
    search_fields = ("version",)

    def get_urls(self) -> list[URLPattern]:
        return [
            self.act_url("register/", self.register_view, "register"),
            self.act_url("<int:pk>/activate/", self.activate_view, "activate"),
            *super().get_urls(),
        ]

    @admin.display(description=_("model card"))
    def model_card(self, model_version: ModelVersion) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(model_version.card, indent=2, sort_keys=True))

    def tools(self, request: HttpRequest, obj: ModelVersion) -> list[Tool]:
        if obj.is_active or not may_administer(request):
            return []
        return [(_("Activate"), reverse("admin:classifier_modelversion_activate", args=[obj.pk]))]

    def list_tools(self, request: HttpRequest) -> list[Tool]:
        if not may_administer(request):
            return []
        return [(_("Register installed bundles"), reverse("admin:classifier_modelversion_register"))]

    def activate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        model_version = get_object_or_404(ModelVersion, pk=pk)
        active = ModelVersion.objects.filter(is_active=True).first()

        def do(_given: object) -> str:
            model_versions.activate_model(actor=admin_actor(request), version=model_version.version)
            return _("Model %(version)s answers from now on.") % {"version": model_version}

        intro = _(
            "Model %(active)s answers now. From the next analysis on %(version)s answers; "
            "results that exist stay as they are."
        ) % {"active": active or _("none"), "version": model_version}
        act = Act(
            title=_("Activate model %(version)s") % {"version": model_version},
            submit=_("Activate"),
            intro=intro,
            do=do,
        )
        return self.act(request, act, about=model_version)

    def register_view(self, request: HttpRequest) -> HttpResponse:
        found = [bundle for bundle in model_versions.installed_bundles() if not bundle.is_registered]

        def do(_given: object) -> str:
            for bundle in found:
                model_versions.register_model(actor=admin_actor(request), directory=bundle.directory)
            return _("Model versions registered: %(count)d. None of them is active yet.") % {
                "count": len(found)
            }

        names = ", ".join(bundle.version for bundle in found) or _("none that is new")
        intro = _(
            "Bundles found in the portal's folder: %(names)s. Each is verified before it is registered."
        ) % {"names": names}
        act = Act(title=_("Register installed bundles"), submit=_("Register"), intro=intro, do=do)
        return self.act(request, act)


@admin.register(WorkerHeartbeat)
class WorkerHeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("name", "model_version", "load_seconds", "rss_bytes", "loaded_at", "seen_at")
    ordering = ("-seen_at",)
