"""Model versions, which an administrator registers and activates, and the workers that hold one."""

from __future__ import annotations

import json

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

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

    @admin.display
    def model_card(self, model_version: ModelVersion) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(model_version.card, indent=2, sort_keys=True))

    def tools(self, request: HttpRequest, obj: ModelVersion) -> list[Tool]:
        if obj.is_active or not may_administer(request):
            return []
        return [("Activate", reverse("admin:classifier_modelversion_activate", args=[obj.pk]))]

    def list_tools(self, request: HttpRequest) -> list[Tool]:
        if not may_administer(request):
            return []
        return [("Register installed bundles", reverse("admin:classifier_modelversion_register"))]

    def activate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        model_version = get_object_or_404(ModelVersion, pk=pk)
        active = ModelVersion.objects.filter(is_active=True).first()

        def do(_: object) -> str:
            model_versions.activate_model(actor=admin_actor(request), version=model_version.version)
            return f"Model {model_version} answers from now on."

        intro = (
            f"Model {active or 'none'} answers now. From the next analysis on {model_version} answers; "
            "results that exist stay as they are."
        )
        act = Act(title=f"Activate model {model_version}", submit="Activate", intro=intro, do=do)
        return self.act(request, act, about=model_version)

    def register_view(self, request: HttpRequest) -> HttpResponse:
        found = [bundle for bundle in model_versions.installed_bundles() if not bundle.is_registered]

        def do(_: object) -> str:
            for bundle in found:
                model_versions.register_model(actor=admin_actor(request), directory=bundle.directory)
            return f"{len(found)} model versions were registered; none of them is active yet."

        names = ", ".join(bundle.version for bundle in found) or "none that is new"
        intro = f"Bundles found in the portal's folder: {names}. Each is verified before it is registered."
        act = Act(title="Register installed bundles", submit="Register", intro=intro, do=do)
        return self.act(request, act)


@admin.register(WorkerHeartbeat)
class WorkerHeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("name", "model_version", "load_seconds", "rss_bytes", "loaded_at", "seen_at")
    ordering = ("-seen_at",)
