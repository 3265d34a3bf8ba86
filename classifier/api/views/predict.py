"""One image in, one answer out: for programs that cannot ask twice."""

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from classifier.api.inputs import PredictForm, body_of, files_of, removes_identity
from classifier.api.parsers import UploadParser
from classifier.api.problems import Problem
from classifier.api.serializers import PredictionSerializer, ScanSerializer
from classifier.api.views.base import ApiView
from classifier.api.views.scans import IDEMPOTENCY_KEY
from classifier.models import Analysis, Patient, Scan
from classifier.models.tokens import Scope
from classifier.services import intake, listing, reviews
from classifier.services.reading import answer_is_hidden
from classifier.services.waiting import wait_until_finished

STATUS_OF_FAILURE = {
    "time_limit": 504,
    "worker_lost": 503,
    "storage_unavailable": 503,
    "internal_error": 500,
    "file_altered": 500,
    "file_lost": 500,
}


class PredictView(ApiView):
    """The scan is kept: its case is opened on the patient `UNASSIGNED` of your department."""

    scopes = {"POST": Scope.SCANS_WRITE}
    parser_classes = [UploadParser]

    @extend_schema(
        operation_id="predict",
        request={"multipart/form-data": PredictForm},
        parameters=[IDEMPOTENCY_KEY],
        responses={200: PredictionSerializer, 202: ScanSerializer},
    )
    def post(self, request: Request) -> Response | Problem:
        """Wait up to 30 s for the answer; 202 with the scan's address when it takes longer."""
        fields = body_of(request, PredictForm)
        files = files_of(request, fields)
        [upload] = intake.receive_scans(
            actor=self.actor,
            files=files,
            remove_identity=removes_identity(fields),
            destination=intake.Destination(patient=Patient.UNASSIGNED, **fields),
            key=request.headers.get("Idempotency-Key", ""),
            one_scan=True,
        )
        return self._answer(request, upload.scan)

    def _answer(self, request: Request, scan: Scan) -> Response | Problem:
        newest = scan.analyses.order_by("-created_at", "-id")[0]
        if not wait_until_finished(analysis_id=newest.pk, seconds=settings.PREDICT_WAIT_S):
            return self._later(scan)
        analysis = reviews.view_analysis(actor=self.actor, analysis_id=newest.pk)
        if analysis.answer_hidden:
            hidden = answer_is_hidden()
            return Problem(
                status=hidden.status,
                code=hidden.code,
                detail=hidden.detail,
                scan=reverse("api:scan", args=[scan.pk], request=request),
            )
        if analysis.status == Analysis.Status.FAILED:
            return Problem(
                status=STATUS_OF_FAILURE.get(analysis.error_code, 422),
                code=analysis.error_code,
                detail=analysis.error_detail,
                scan=reverse("api:scan", args=[scan.pk], request=request),
            )
        return Response(self.shown(PredictionSerializer, analysis))

    def _later(self, scan: Scan) -> Response:
        listing.complete(actor=self.actor, scans=[scan])
        body = self.shown(ScanSerializer, scan)
        return Response(body, status=202, headers={"Location": body["url"]})
