"""The admin site, behind the portal's own sign-in: one door, one lock-out, one audit."""

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse


class PortalAdminSite(AdminSite):
    site_header = "MRI portal administration"
    site_title = "MRI portal"
    index_title = "Research use only, not a medical device"

    def login(self, request: HttpRequest, extra_context: dict[str, object] | None = None) -> HttpResponse:
        return redirect_to_login(request.GET.get("next", request.get_full_path()))
