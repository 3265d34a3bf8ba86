"""Scans: upload, status, file, and analysing anew."""

import uuid
from collections.abc import Sequence
from typing import Any, ClassVar

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.etags import IF_NONE_MATCH, unless_known
from classifier.api.inputs import (
    AnalyseForm,
    FileQuery,
    PageQuery,
    ScanQuery,
    UploadForm,
    body_of,
    files_of,
    query_of,
    removes_identity,
)
from classifier.api.pagination import page_schema
from classifier.api.parsers import UploadParser
from classifier.api.serializers import AnalysisSerializer, ScanSerializer, UploadedSerializer
from classifier.api.views.base import READ, READ_WRITE, ApiView, FileView
from classifier.api.views.lists import Listing, ListView, page_response
from classifier.models import Scan
from classifier.services import analyses, intake, listing, scans

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Your own word for this upload, 1 to 255 printable ASCII letters without spaces: a retry"
    " with it returns what the first attempt made.",
)


@extend_schema_view(
    get=extend_schema(
        operation_id="scans_list", parameters=[ScanQuery], responses=page_schema("Scan", ScanSerializer)
    )
)
class ScansView(ListView):
    """Scans of your departments with their latest analysis, newest first."""

    scopes = READ_WRITE
    parser_classes = [UploadParser]
    kind, query, row = "scans", ScanQuery, ScanSerializer
    listing: ClassVar[Listing] = listing.list_scans

    @extend_schema(
        operation_id="scans_upload",
        request={"multipart/form-data": UploadForm},
        parameters=[IDEMPOTENCY_KEY],
        responses={202: UploadedSerializer, 200: UploadedSerializer},
    )
    def post(self, request: Request) -> Response:
        """Upload images: a series of DICOM files is one scan, an archive what it holds. All or none.

        202 when at least one is new, 200 when all were there before.
        """
        fields = body_of(request, UploadForm)
        uploads = intake.receive_scans(
            actor=self.actor,
            files=files_of(request, fields),
            remove_identity=removes_identity(fields),
            destination=intake.Destination(case_id=fields.pop("case", None), **fields),
            key=request.headers.get("Idempotency-Key", ""),
        )
        for scan in {upload.scan.pk: upload.scan for upload in uploads if not upload.created}.values():
            scans.record_scan_view(actor=self.actor, scan=scan)  # it comes with what it has been answered
        body = self._uploaded([upload.scan for upload in uploads])
        created = any(upload.created for upload in uploads)
        return Response(body, status=202 if created else 200, headers={"Location": body["url"]})

    def _uploaded(self, uploaded: Sequence[Scan]) -> dict[str, Any]:
        listing.complete(actor=self.actor, scans=uploaded)
        bodies = self.shown(ScanSerializer, uploaded, many=True)
        return {**bodies[0], "scans": bodies}


class ScanView(ApiView):
    scopes = READ

    @extend_schema(
        operation_id="scans_read", parameters=[IF_NONE_MATCH], responses={200: ScanSerializer, 304: None}
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """A scan with its latest analysis: ask again until its status is `succeeded` or `failed`."""
        scan = scans.find_scan(actor=self.actor, scan_id=pk)
        return unless_known(
            request,
            listing.latest_state(actor=self.actor, scan=scan),
            lambda: self._body(scan),
            seen=lambda: scans.record_scan_view(actor=self.actor, scan=scan),
        )

    def _body(self, scan: Scan) -> dict[str, Any]:
        listing.complete(actor=self.actor, scans=[scan])
        body: dict[str, Any] = self.shown(ScanSerializer, scan)
        return body


class ScanAnalysesView(ApiView):
    scopes = READ_WRITE

    @extend_schema(
        operation_id="scans_analyses_list",
        parameters=[PageQuery],
        responses=page_schema("Analysis", AnalysisSerializer),
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """Every analysis of the scan, newest first: a re-run leaves the earlier ones."""
        query = query_of(request, PageQuery)
        scan = scans.view_scan(actor=self.actor, scan_id=pk)
        return page_response(self, listing.list_analyses(scan=scan), AnalysisSerializer, query)

    @extend_schema(
        operation_id="scans_analyse_anew", request=AnalyseForm, responses={202: AnalysisSerializer}
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        """Analyse the scan anew, with the active model or a chosen version; earlier results stay."""
        fields = body_of(request, AnalyseForm)
        scan = scans.find_scan(actor=self.actor, scan_id=pk)
        analysis = analyses.request_analysis(actor=self.actor, scan=scan, **fields)
        body = self.shown(AnalysisSerializer, analysis)
        return Response(body, status=202, headers={"Location": body["url"]})


class ScanFileView(FileView):
    @extend_schema(
        operation_id="scans_file",
        parameters=[FileQuery],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: uuid.UUID) -> FileResponse:
        """The file as it was uploaded, with everything that it says of the patient."""
        position = query_of(request, FileQuery)["position"]
        file, handle = scans.download_file(actor=self.actor, scan_id=pk, position=position)
        return FileResponse(
            handle,
            as_attachment=True,
            filename=f"scan-{pk}-{position}.{file.kind}",
            content_type="application/octet-stream",
        )
