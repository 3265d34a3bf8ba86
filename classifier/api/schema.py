"""What the OpenAPI description says of every operation: that its errors are problem+json."""

from typing import Any

STRING = {"type": "string"}
PROBLEM = {
    "type": "object",
    "description": "RFC 9457, with a stable `code`.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": STRING,
        "title": STRING,
        "status": {"type": "integer"},
        "detail": {**STRING, "description": "one sentence for a person"},
        "code": {**STRING, "description": "stable, for a program"},
        "errors": {
            "type": "object",
            "description": "by field, when a form, body or query is not as it should be",
            "additionalProperties": {
                "type": "array",
                "items": {"type": "object", "properties": {"code": STRING, "detail": STRING}},
            },
        },
    },
}
RESPONSE = {
    "description": "Any error",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def describe_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A drf-spectacular post-processing hook."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"]["default"] = RESPONSE
    return result
