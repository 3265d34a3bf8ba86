"""Scans: looking at one, its picture, its file, analysing it anew."""

import uuid

from django.http import FileResponse, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from classifier.pages.panes import pane_of
from classifier.pages.pictures import inert
from classifier.pages.requests import SignedInRequest, page_actor
from classifier.services import analyses, priors, results, scans
from classifier.services.model_versions import registered_versions


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
        "place": results.place_in_case(scan),
        "panes": panes,
        "many_slices": any(pane.result.slices > 1 for pane in panes),
        "has_outline": any(pane.outlined for pane in panes),
        "has_decided": any(pane.tells_decided for pane in panes),
        "three_planes": len(panes) == 1 and panes[0].result.is_volume,
        "result": panes[0].result,
        "beside": chosen[1] if len(chosen) > 1 else None,
        "priors": priors.priors_of(actor=actor, scan=scan),
        "versions": registered_versions(),
        "open": [] if panes[0].result.analysis.is_finished else [panes[0].result.analysis],
        "look": results.word_of_look(actor=actor, case=scan.case),
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
