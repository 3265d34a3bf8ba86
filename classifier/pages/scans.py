"""Scans: uploading them, looking at one, its picture, its file, analysing it anew."""

import uuid
from typing import Any

from django.conf import settings
from django.http import FileResponse, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from classifier.errors import NotAllowed
from classifier.models import Case
from classifier.pages.middleware import takes_files
from classifier.pages.panes import pane_of
from classifier.pages.pictures import inert
from classifier.pages.requests import SignedInRequest, page_actor, wants_json
from classifier.services import analyses, cases, priors, results, scans
from classifier.services.model_versions import registered_versions
from classifier.services.uploads import FileResult, upload_each


@takes_files
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: SignedInRequest, case_id: uuid.UUID) -> HttpResponse:
    """A page for a person; for the script that sends one file at a time, the answer as JSON."""
    case = cases.find_case(actor=page_actor(request), case_id=case_id)
    if not request.user.may_upload:
        raise NotAllowed(_("Only clinicians upload scans."))
    if request.method != "POST":
        return render(request, "cases/upload.html", _upload_facts(case, []))
    done = upload_each(actor=page_actor(request), case=case, files=request.FILES.getlist("file"))
    status = 200 if any(result.scan for result in done) else done[0].status
    if wants_json(request):
        return JsonResponse({"results": [_as_json(result) for result in done]}, status=status)
    return render(request, "cases/upload.html", _upload_facts(case, done), status=status)


def _upload_facts(case: Case, done: list[FileResult]) -> dict[str, Any]:
    return {
        "case": case,
        "done": done,
        "max_megabytes": settings.MAX_UPLOAD_BYTES // 2**20,
    }


def _as_json(result: FileResult) -> dict[str, str]:
    url = reverse("scan", args=[result.scan.pk]) if result.scan else ""
    return {
        "name": result.name,
        "state": result.state,
        "code": result.code,
        "words": result.words,
        "url": url,
    }


@require_safe
def scan_page(request: SignedInRequest, scan_id: uuid.UUID) -> HttpResponse:
    """The viewer: one scan slice by slice, or two of the same patient beside one another."""
    actor = page_actor(request)
    scan = scans.view_scan(actor=actor, scan_id=scan_id)
    chosen = [scan]
    if beside := _key(request.GET.get("beside", "")):
        chosen.append(priors.view_prior(actor=actor, scan=scan, prior_id=beside))
    slices = (request.GET.get("slice", ""), request.GET.get("beside_slice", ""))
    panes = [
        pane_of(
            results.scan_result(actor=actor, scan=one),
            number=number,
            slice_text=slice_text,
            analysis_id=request.GET.get("analysis", "") if number == 1 else "",
        )
        for number, (one, slice_text) in enumerate(zip(chosen, slices, strict=False), start=1)
    ]
    facts = {
        "case": scan.case,
        "panes": panes,
        "many_slices": any(pane.result.slices > 1 for pane in panes),
        "has_outline": any(pane.outlined for pane in panes),
        "has_decided": any(pane.tells_decided for pane in panes),
        "three_planes": len(panes) == 1 and panes[0].result.slices > 1,
        "result": panes[0].result,
        "beside": chosen[1] if len(chosen) > 1 else None,
        "priors": priors.priors_of(actor=actor, scan=scan),
        "versions": registered_versions(),
        "open": [] if panes[0].result.analysis.is_finished else [panes[0].result.analysis],
    }
    return render(request, "scans/scan.html", facts)


def _key(text: str) -> uuid.UUID | None:
    """None where nothing, or nothing that could be a key, was given."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


@require_safe
def file(request: SignedInRequest, scan_id: uuid.UUID, position: int) -> HttpResponseBase:
    """The file as it was uploaded, to be saved and never to be shown."""
    stored, handle = scans.download_file(
        actor=page_actor(request), scan_id=scan_id, position=min(position, 2**31 - 1)
    )
    name = stored.original_name or f"scan.{stored.kind}"
    return inert(
        FileResponse(handle, as_attachment=True, filename=name, content_type="application/octet-stream")
    )


@require_POST
def analyse(request: SignedInRequest, scan_id: uuid.UUID) -> HttpResponse:
    scan = scans.find_scan(actor=page_actor(request), scan_id=scan_id)
    version = request.POST.get("version", "")
    analyses.request_analysis(actor=page_actor(request), scan=scan, version=version)
    return redirect(f"{reverse('case', args=[scan.case_id])}#scan-{scan.pk}")
