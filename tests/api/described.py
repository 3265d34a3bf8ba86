"""A program that holds every answer against the description, down to the names and types of its fields."""

from functools import cache
from typing import Any

from django.http import HttpResponse
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft7Validator
from rest_framework.test import APIClient


class DescribedClient(APIClient):
    def request(self, **request: Any) -> HttpResponse:
        response: HttpResponse = super().request(**request)
        if response.status_code < 400 and request["REQUEST_METHOD"] in ("GET", "POST"):
            assert_as_described(response, request["REQUEST_METHOD"].lower(), request["PATH_INFO"])
        return response


def assert_as_described(response: HttpResponse, method: str, path: str) -> None:
    schema = _description()
    template = "/" + resolve(path).route.replace("<uuid:pk>", "{id}").replace("<int:index>", "{index}")
    if template not in schema["paths"]:
        return  # the description itself
    answers = schema["paths"][template][method]["responses"]
    assert str(response.status_code) in answers, (method, template, response.status_code)
    content = answers[str(response.status_code)].get("content", {})
    media_type = response.get("Content-Type", "").partition(";")[0]
    assert media_type in content or not (content or media_type), (template, media_type, set(content))
    if media_type == "application/json":
        strict = {**content[media_type]["schema"], "components": schema["components"]}
        Draft7Validator(strict).validate(response.json())


@cache
def _description() -> Any:
    return _strict(SchemaGenerator().get_schema(request=None, public=True))


def _strict(part: Any) -> Any:
    """As JSON schema: OpenAPI's `nullable` in its words, and no property that is not described."""
    if isinstance(part, list):
        return [_strict(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept = {name: _strict(value) for name, value in part.items() if name != "nullable"}
    if "properties" in kept:
        kept.setdefault("additionalProperties", False)
    return {"anyOf": [kept, {"type": "null"}]} if part.get("nullable") is True else kept
