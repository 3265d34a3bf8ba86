"""Slices, outlines and volumes as files for a viewer."""

import uuid

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from classifier.api.inputs import OverlayQuery, PictureQuery, query_of
from classifier.api.views.base import FileView
from classifier.services import pictures

PNG, GZIP = "image/png", "application/gzip"
AS_PNG = {(200, PNG): OpenApiTypes.BINARY}
AS_NIFTI = {(200, GZIP): OpenApiTypes.BINARY}


class SliceView(FileView):
    @extend_schema(operation_id="scans_slice", parameters=[PictureQuery], responses=AS_PNG)
    def get(self, request: Request, pk: uuid.UUID, index: int) -> HttpResponse:
        """A slice, counted from 0, in grey."""
        side = query_of(request, PictureQuery).get("side")
        png = pictures.view_picture(actor=self.actor, scan_id=pk, index=index, max_side=side)
        return _file(png, PNG)


class VolumeView(FileView):
    @extend_schema(operation_id="scans_volume", responses=AS_NIFTI)
    def get(self, request: Request, pk: uuid.UUID) -> HttpResponse:
        """All slices as gzipped NIfTI, for looking and not for registering."""
        return _file(pictures.view_volume(actor=self.actor, scan_id=pk), GZIP)


class OverlayView(FileView):
    @extend_schema(operation_id="analyses_overlay", parameters=[OverlayQuery], responses=AS_PNG)
    def get(self, request: Request, pk: uuid.UUID, index: int) -> HttpResponse:
        """A slice in colour, with what the analysis has outlined."""
        shown = query_of(request, OverlayQuery)
        return _file(pictures.view_overlay(actor=self.actor, analysis_id=pk, index=index, **shown), PNG)


class MaskView(FileView):
    @extend_schema(operation_id="analyses_mask", responses=AS_PNG)
    def get(self, request: Request, pk: uuid.UUID, index: int) -> HttpResponse:
        """What is outlined in a slice, of the slice's size and clear elsewhere."""
        return _file(pictures.view_mask(actor=self.actor, analysis_id=pk, index=index), PNG)


class MaskVolumeView(FileView):
    @extend_schema(operation_id="analyses_mask_volume", responses=AS_NIFTI)
    def get(self, request: Request, pk: uuid.UUID) -> HttpResponse:
        """What is outlined in all slices as gzipped NIfTI, in the space of the scan's volume."""
        return _file(pictures.view_mask_volume(actor=self.actor, analysis_id=pk), GZIP)


def _file(content: bytes, media_type: str) -> HttpResponse:
    return HttpResponse(content, content_type=media_type)
