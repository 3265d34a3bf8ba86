"""Slices, outlines and volumes for the viewer, and what it draws beside them."""

import uuid
from typing import TypeVar

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from classifier.models import Analysis
from classifier.pages.middleware import refreshes_itself
from classifier.pages.requests import SignedInRequest, page_actor
from classifier.services import pictures, reviews, thumbnails

Response = TypeVar("Response", bound=HttpResponseBase)
SIDES = (256, 512, 1024)
OPACITY = 0.4
# What a stranger made must not act in our name, even when it is opened on its own.
INERT = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def inert(response: Response) -> Response:
    for name, value in INERT.items():
        response[name] = value
    return response


@require_safe
def picture(request: SignedInRequest, scan_id: uuid.UUID, index: int) -> HttpResponse:
    return _png(
        pictures.view_picture(
            actor=page_actor(request), scan_id=scan_id, index=index, max_side=_side(request)
        )
    )


@refreshes_itself
@require_safe
def thumbnail(request: SignedInRequest, scan_id: uuid.UUID) -> HttpResponse:
    """For a list, which brings new ones by itself. A browser may keep it, but asks each time whether it may
    still show it.
    """
    scan = thumbnails.look_at_thumbnail(
        actor=page_actor(request), scan_id=scan_id, word=request.GET.get("list", "")
    )
    mark = f'"{scan.digest[:32]}-{thumbnails.SIDE}"'
    response = get_conditional_response(request, etag=mark)
    if response is None:
        response = inert(HttpResponse(thumbnails.thumbnail_png(scan), content_type="image/png"))
    response["ETag"] = mark
    response["Cache-Control"] = "private, no-cache"
    return response


@require_safe
def overlay(request: SignedInRequest, analysis_id: uuid.UUID, index: int) -> HttpResponse:
    return _png(
        pictures.view_overlay(
            actor=page_actor(request),
            analysis_id=analysis_id,
            index=index,
            opacity=_opacity(request),
            outline=request.GET.get("outline") == "1",
        )
    )


@require_safe
def mask(request: SignedInRequest, analysis_id: uuid.UUID, index: int) -> HttpResponse:
    return _png(pictures.view_mask(actor=page_actor(request), analysis_id=analysis_id, index=index))


@require_safe
def border(request: SignedInRequest, analysis_id: uuid.UUID, index: int) -> HttpResponse:
    """To be laid over `picture` of the same side."""
    return _png(
        pictures.view_border(
            actor=page_actor(request), analysis_id=analysis_id, index=index, side=_side(request)
        )
    )


@require_safe
def volume(request: SignedInRequest, scan_id: uuid.UUID) -> HttpResponse:
    return _nifti(pictures.view_volume(actor=page_actor(request), scan_id=scan_id))


@require_safe
def mask_volume(request: SignedInRequest, analysis_id: uuid.UUID) -> HttpResponse:
    return _nifti(pictures.view_mask_volume(actor=page_actor(request), analysis_id=analysis_id))


@require_safe
def result(request: SignedInRequest, analysis_id: uuid.UUID) -> HttpResponse:
    """What a viewer draws beside the picture: the finding, and the suspicion slice by slice."""
    analysis = reviews.view_analysis(actor=page_actor(request), analysis_id=analysis_id)
    return inert(JsonResponse(_as_json(analysis)))


def _as_json(analysis: Analysis) -> dict[str, object]:
    done = {"done": analysis.slices_done, "total": analysis.slices_total}
    return {
        "id": str(analysis.pk),
        "scan": str(analysis.scan_id),
        "status": analysis.status,
        "outcome": analysis.outcome or None,
        "slice_index": analysis.slice_index,
        "finding": analysis.finding,
        "slices": analysis.slices,
        "progress": done if analysis.tells_progress else None,
        "model_version": analysis.model_version.version if analysis.model_version else None,
        "facts": analysis.scan.facts,
    }


def _side(request: HttpRequest) -> int:
    """The longer side of a picture in pixels, as the page asks for it."""
    side = request.GET.get("side", "")
    return int(side) if side.isdecimal() and int(side) in SIDES else SIDES[-1]


def _opacity(request: HttpRequest) -> float:
    try:
        given = float(request.GET.get("opacity", OPACITY))
    except ValueError:
        return OPACITY
    return given if 0 <= given <= 1 else OPACITY


def _png(content: bytes) -> HttpResponse:
    return inert(HttpResponse(content, content_type="image/png"))


def _nifti(content: bytes) -> HttpResponse:
    return inert(HttpResponse(content, content_type="application/gzip"))
