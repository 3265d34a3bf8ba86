"""`/readyz`: each part the portal needs, by name; 200 when all are there, 503 otherwise."""

from http import HTTPStatus

from django.http import JsonResponse

from classifier.services.readiness import readiness


def readyz() -> JsonResponse:
    checks = readiness()
    ready = all(check.ok for check in checks.values())
    body = {"status": "ready" if ready else "not ready"} | {
        name: check.as_dict() for name, check in checks.items()
    }
    response = JsonResponse(body, status=HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)
    response["Cache-Control"] = "no-store"
    return response
