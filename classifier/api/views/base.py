"""What every view of the API has in common."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from classifier.actors import actor_of
from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models.tokens import Scope

READ = {"GET": Scope.SCANS_READ}
READ_WRITE = READ | {"POST": Scope.SCANS_WRITE}


class ApiView(APIView):
    """``scopes`` opens each method to tokens of that scope; a method left out stays closed."""

    http_method_names = ["get", "head", "post"]
    scopes: ClassVar[Mapping[str, Scope]] = {}

    @property
    def actor(self) -> Actor:
        return actor_of(self.request, via="api")

    def shown(
        self, serializer: type[serializers.BaseSerializer[Any]], rows: Any, *, many: bool = False
    ) -> Any:
        return serializer(rows, many=many, context={"request": self.request}).data

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "Transfer-Encoding" in request.headers and "Content-Length" not in request.headers:
            # Django would take such a body for an empty one.
            raise UserFacingError("length_required", _("Send the body with its Content-Length."), status=411)

    def finalize_response(  # type: ignore[override]
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, no_store=True)
        return response


class AnyAccept(BaseContentNegotiation):
    """A file is what it is, whatever the client would rather have."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class FileView(ApiView):
    """What a stranger made must not act in our name, even when it is opened on its own."""

    scopes = READ
    content_negotiation_class = AnyAccept

    def finalize_response(  # type: ignore[override]
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return response
