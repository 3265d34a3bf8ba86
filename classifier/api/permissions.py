"""Closed by default: a method whose scope a view does not declare answers 403 to everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from classifier.models import ApiToken

if TYPE_CHECKING:
    from rest_framework.views import APIView


class HasScope(BasePermission):
    """``view.scopes`` names the scope of each method; what rows may be seen is for the services."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, ApiToken):
            return False
        if request.method not in view.allowed_methods:
            return True  # the view answers 405
        scopes = getattr(view, "scopes", {})
        scope = scopes.get("GET" if request.method == "HEAD" else request.method)
        if scope is None:
            return False
        if scope not in request.auth.scopes:
            raise PermissionDenied(f"This token lacks the scope {scope}.", code="scope_missing")
        return True


class IsKnown(BasePermission):
    """Anybody with a token or signed in to the pages: for what tells nothing of a patient."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user is not None and request.user.is_authenticated
