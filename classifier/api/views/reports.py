"""Signed reports: every version of a case, each with its frozen content and as PDF."""

import uuid

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.inputs import PageQuery, PdfQuery, SignForm, body_of, query_of
from classifier.api.pagination import page_schema
from classifier.api.reading_serializers import ReportDetailSerializer, ReportSerializer
from classifier.api.views.base import READ, ApiView, FileView
from classifier.api.views.lists import page_response
from classifier.models.tokens import Scope
from classifier.services import cases, report_document, reports


class ReportsView(ApiView):
    scopes = READ | {"POST": Scope.REPORTS_SIGN}

    @extend_schema(
        operation_id="reports_list",
        parameters=[PageQuery],
        responses=page_schema("Report", ReportSerializer),
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """Every version of the case's report, newest first; none while it is not signed."""
        query = query_of(request, PageQuery)
        case = cases.view_case(actor=self.actor, case_id=pk)
        return page_response(self, reports.list_reports(case=case), ReportSerializer, query)

    @extend_schema(operation_id="reports_sign", request=SignForm, responses={201: ReportDetailSerializer})
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        """Sign the case off, or amend the version that holds."""
        fields = body_of(request, SignForm)
        case = cases.find_case(actor=self.actor, case_id=pk)
        if "amends" in fields:
            fields.setdefault("reason", "")
            report = reports.amend_report(actor=self.actor, case=case, **fields)
        else:
            fields.pop("reason", None)
            report = reports.sign_report(actor=self.actor, case=case, **fields)
        body = self.shown(ReportDetailSerializer, report)
        return Response(body, status=201, headers={"Location": body["url"]})


class ReportView(ApiView):
    scopes = READ

    @extend_schema(operation_id="reports_read", responses=ReportDetailSerializer)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """One version, with everything that it froze."""
        return Response(
            self.shown(ReportDetailSerializer, reports.view_report(actor=self.actor, report_id=pk))
        )


class ReportPdfView(FileView):
    @extend_schema(
        operation_id="reports_pdf",
        parameters=[PdfQuery],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: uuid.UUID) -> HttpResponse:
        """The same as a tagged PDF; the same version and language are the same bytes."""
        language = query_of(request, PdfQuery)["language"]
        report, pdf = report_document.download_report(actor=self.actor, report_id=pk, language=language)
        response = HttpResponse(pdf, content_type="application/pdf")
        response["Content-Disposition"] = (
            f'attachment; filename="report-{str(report.case_id)[:8]}-v{report.version}-{language}.pdf"'
        )
        return response
