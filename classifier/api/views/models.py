"""The models that can be asked."""

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.serializers import ModelVersionSerializer
from classifier.api.views.base import READ, ApiView
from classifier.services.model_versions import registered_versions


class ModelsView(ApiView):
    scopes = READ

    @extend_schema(
        operation_id="models_list",
        responses=inline_serializer("Models", {"results": ModelVersionSerializer(many=True)}),
    )
    def get(self, request: Request) -> Response:
        """Every registered version, the active one first: each can be asked for a new analysis."""
        return Response({"results": self.shown(ModelVersionSerializer, registered_versions(), many=True)})
