"""What every answer must keep to."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpResponse

from classifier.models import Analysis, AuditEvent, Case, IdempotencyKey, Patient, Scan, ScanFile

FACTS = (Patient, Case, Scan, ScanFile, Analysis, IdempotencyKey)


def assert_problem(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """``response`` is problem+json of that status and code; returns its body."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "code"} <= set(body)
    assert (body["status"], body["code"]) == (status, code), body
    assert body["detail"].endswith((".", "!", "?")), body["detail"]
    return body


def rows() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in FACTS}


def stored_files() -> list[Path]:
    return [path for path in Path(settings.SCANS_DIR).rglob("*") if path.is_file()]


def actions() -> list[str]:
    """The audit trail's words, oldest first."""
    return list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))
