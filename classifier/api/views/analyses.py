"""Analyses and the human verdicts on them."""

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.etags import IF_NONE_MATCH, unless_known
from classifier.api.inputs import AdjudicationForm, PageQuery, ReviewForm, body_of, query_of
from classifier.api.pagination import page_schema
from classifier.api.reading_serializers import AdjudicationSerializer, ReviewSerializer
from classifier.api.serializers import AnalysisDetailSerializer
from classifier.api.views.base import READ, ApiView
from classifier.api.views.lists import page_response
from classifier.models.tokens import Scope
from classifier.services import listing, reviews


class AnalysisView(ApiView):
    scopes = READ

    @extend_schema(
        operation_id="analyses_read",
        parameters=[IF_NONE_MATCH],
        responses={200: AnalysisDetailSerializer, 304: None},
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """An analysis: ask again until its status is `succeeded` or `failed`."""
        analysis = reviews.find_analysis(actor=self.actor, analysis_id=pk)
        return unless_known(
            request,
            analysis,
            lambda: self.shown(AnalysisDetailSerializer, analysis),
            seen=lambda: reviews.record_analysis_view(actor=self.actor, analysis=analysis),
        )


class ReviewsView(ApiView):
    scopes = READ | {"POST": Scope.REVIEWS_WRITE}

    @extend_schema(
        operation_id="reviews_list",
        parameters=[PageQuery],
        responses=page_schema("Review", ReviewSerializer),
    )
    def get(self, request: Request, pk: uuid.UUID) -> Response:
        """The reviews of the analysis, newest first."""
        query = query_of(request, PageQuery)
        analysis = reviews.view_analysis(actor=self.actor, analysis_id=pk)
        return page_response(self, listing.list_reviews(analysis=analysis), ReviewSerializer, query)

    @extend_schema(operation_id="reviews_submit", request=ReviewForm, responses={201: ReviewSerializer})
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        """Add your verdict; earlier ones stay."""
        fields = body_of(request, ReviewForm)
        analysis = reviews.find_analysis(actor=self.actor, analysis_id=pk)
        review = reviews.submit_review(actor=self.actor, analysis=analysis, **fields)
        return Response(self.shown(ReviewSerializer, review), status=201)


class AdjudicationView(ApiView):
    scopes = {"POST": Scope.REVIEWS_WRITE}

    @extend_schema(
        operation_id="analyses_adjudicate", request=AdjudicationForm, responses={201: AdjudicationSerializer}
    )
    def post(self, request: Request, pk: uuid.UUID) -> Response:
        """Decide between two reads that differ, as a third person and once for all."""
        fields = body_of(request, AdjudicationForm)
        analysis = reviews.find_analysis(actor=self.actor, analysis_id=pk)
        decided = reviews.adjudicate(actor=self.actor, analysis=analysis, **fields)
        return Response(self.shown(AdjudicationSerializer, decided), status=201)
