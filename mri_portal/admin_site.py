"""The admin site, behind the portal's own sign-in: one door, one lock-out, one audit."""

from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, cast

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from classifier.pages.requests import SignedInRequest

UNUSED = {"password_change_done", "autocomplete", "view_on_site"}


class PortalAdminSite(AdminSite):
    site_header = _("MRI portal administration")
    site_title = _("MRI portal")
    index_title = _("Research use only, not a medical device")

    def get_urls(self) -> Any:
        return [url for url in super().get_urls() if getattr(url, "name", "") not in UNUSED]

    def has_permission(self, request: HttpRequest) -> bool:
        """Auditors and administrators, by their role; the staff mark alone opens nothing."""
        return bool(getattr(request.user, "may_audit", False))

    def admin_view(  # type: ignore[override]
        self, view: Callable[..., HttpResponse], cacheable: bool = False
    ) -> Callable[..., HttpResponse]:
        inner = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.user.is_authenticated and not self.has_permission(request):
                raise PermissionDenied
            return inner(request, *args, **kwargs)

        return update_wrapper(guarded, inner)

    def login(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        return redirect_to_login(request.GET.get("next", request.get_full_path()))

    def logout(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        from classifier.pages.accounts import sign_out  # the project is wired before its apps are ready

        return sign_out(cast("SignedInRequest", request))

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        return redirect("change_password")
