"""Adding scans to a case: from the page of uploads or, dropped, from the page of the case."""

import uuid
from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from classifier.errors import NotAllowed, UserFacingError
from classifier.models import Case
from classifier.pages.middleware import takes_files
from classifier.pages.requests import SignedInRequest, page_actor, wants_json
from classifier.services import cases
from classifier.services.uploads import FileResult, arrived_from, upload_each

KEEP, REMOVE = "keep", "remove"


@takes_files
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: SignedInRequest, case_id: uuid.UUID) -> HttpResponse:
    """A page for a person; for the script that sends files in parts, the answer as JSON."""
    case = cases.find_case(actor=page_actor(request), case_id=case_id)
    if not request.user.may_upload:
        raise NotAllowed(_("Only clinicians upload scans."))
    if request.method != "POST":
        return _page(request, case, [], status=200)
    done = upload_each(
        actor=page_actor(request),
        case=case,
        files=request.FILES.getlist("file"),
        remove_identity=_identity(request) == REMOVE,
    )
    status = 200 if any(result.scan for result in done) else done[0].status
    if wants_json(request):
        return JsonResponse({"results": [_as_json(result) for result in done]}, status=status)
    return _page(request, case, done, status=status)


def _page(request: SignedInRequest, case: Case, done: list[FileResult], *, status: int) -> HttpResponse:
    """A look at the case, also where it comes back with what became of files."""
    cases.record_case_view(actor=page_actor(request), case=case)
    return render(request, "cases/upload.html", _facts(request, case, done), status=status)


def upload_form(case: Case) -> dict[str, Any]:
    """What the form needs wherever it stands."""
    return {
        "case": case,
        "max_megabytes": settings.MAX_UPLOAD_BYTES // 2**20,
        "max_total_megabytes": settings.MAX_UPLOAD_TOTAL_BYTES // 2**20,
        "max_files": settings.MAX_UPLOAD_FILES,
        "identity": REMOVE if settings.REMOVE_IDENTITY else KEEP,
    }


def _facts(request: SignedInRequest, case: Case, done: list[FileResult]) -> dict[str, Any]:
    facts = upload_form(case) | {"done": done, "arrived": arrived_from(actor=page_actor(request), case=case)}
    if request.method == "POST":
        facts["identity"] = _identity(request)
    return facts


def _identity(request: SignedInRequest) -> str:
    chosen = request.POST.get("identity", "")
    if not chosen:
        return REMOVE if settings.REMOVE_IDENTITY else KEEP
    if chosen not in {KEEP, REMOVE}:
        raise UserFacingError(
            "identity_unknown", _("Choose whether the patient's identity is kept or removed.")
        )
    return chosen


def _as_json(result: FileResult) -> dict[str, str]:
    url = reverse("scan", args=[result.scan.pk]) if result.scan else ""
    return {
        "name": result.name,
        "state": result.state,
        "code": result.code,
        "words": result.words,
        "url": url,
    }
