"""Patients and cases."""

import uuid
from typing import ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.inputs import CaseForm, CaseQuery, PatientQuery, body_of
from classifier.api.pagination import page_schema
from classifier.api.serializers import CaseDetailSerializer, CaseSerializer, PatientSerializer
from classifier.api.views.base import READ, READ_WRITE, ApiView
from classifier.api.views.lists import Listing, ListView
from classifier.services import cases, listing


@extend_schema_view(
    get=extend_schema(
        operation_id="patients_list",
        parameters=[PatientQuery],
        responses=page_schema("Patient", PatientSerializer),
    )
)
class PatientsView(ListView):
    """Patients of your departments, newest first."""

    scopes = READ
    kind, query, row = "patients", PatientQuery, PatientSerializer
    listing: ClassVar[Listing] = listing.list_patients


class PatientView(ApiView):
    scopes = READ

    @extend_schema(operation_id="patients_read", responses=PatientSerializer)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """One patient."""
        patient = cases.view_patient(actor=self.actor, patient_id=pk)
        return Response(self.shown(PatientSerializer, patient))


@extend_schema_view(
    get=extend_schema(
        operation_id="cases_list", parameters=[CaseQuery], responses=page_schema("Case", CaseSerializer)
    )
)
class CasesView(ListView):
    """Cases of your departments, newest first."""

    scopes = READ_WRITE
    kind, query, row = "cases", CaseQuery, CaseSerializer
    listing: ClassVar[Listing] = listing.list_cases

    @extend_schema(operation_id="cases_open", request=CaseForm, responses={201: CaseSerializer})
    def post(self, request: Request) -> Response:
        """Open a case; the patient is created when new to the department."""
        fields = body_of(request, CaseForm)
        details = cases.PatientDetails(
            **{name: fields.pop(name) for name in ("name", "birth_year", "sex") if name in fields}
        )
        case = cases.open_case(
            actor=self.actor, patient_reference=fields.pop("patient"), details=details, **fields
        )
        body = self.shown(CaseSerializer, case)
        return Response(body, status=201, headers={"Location": body["url"]})


class CaseView(ApiView):
    scopes = READ

    @extend_schema(operation_id="cases_read", responses=CaseDetailSerializer)
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """One case."""
        return Response(self.shown(CaseDetailSerializer, cases.view_case(actor=self.actor, case_id=pk)))
