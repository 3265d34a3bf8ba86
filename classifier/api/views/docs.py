"""The API's description, for anybody with a token or signed in to the pages. It tells nothing of patients."""

from django.contrib.auth.views import redirect_to_login
from django.http.response import HttpResponseBase
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import NotAuthenticated

from classifier.api.authentication import TokenAuthentication
from classifier.api.permissions import IsKnown


class SchemaView(SpectacularAPIView):
    authentication_classes = [TokenAuthentication, SessionAuthentication]
    permission_classes = [IsKnown]
    http_method_names = ["get", "head"]


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from this server's own files: no inline script, nothing from elsewhere."""

    authentication_classes = [TokenAuthentication, SessionAuthentication]
    permission_classes = [IsKnown]
    http_method_names = ["get", "head"]
    url_name = "api:schema"
    template_name = "api/swagger.html"

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        """A person is sent to the sign-in page, a program gets its 401."""
        if isinstance(exc, NotAuthenticated) and "text/html" in self.request.headers.get("Accept", ""):
            return redirect_to_login(self.request.get_full_path())
        return super().handle_exception(exc)
