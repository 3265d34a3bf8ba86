"""What the API tells of what persons have made of an answer: reads, decisions between them, and reports."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from classifier.api.serializers import ChoiceOrNull, NoticeField, ResearchOnlyField, TextOrNull
from classifier.models import Adjudication, Report, Review
from classifier.models.analysis import Label


class RegionSerializer(serializers.Serializer[Any]):
    """In pixels of the slice, right and bottom excluded; slices are counted from 0."""

    slice = serializers.IntegerField()
    box = serializers.ListField(child=serializers.IntegerField(), help_text="left, top, right, bottom")


@extend_schema_field(RegionSerializer(allow_null=True))
class RegionField(serializers.JSONField):
    pass


class ReviewSerializer(serializers.ModelSerializer[Review]):
    """`blind`: given before the machine's answer was seen."""

    reviewer = serializers.CharField(source="reviewer.username")
    label = ChoiceOrNull(choices=Label.choices)  # type: ignore[assignment]
    region = RegionField(read_only=True)

    class Meta:
        model = Review
        fields = (
            "id",
            "analysis",
            "reviewer",
            "verdict",
            "label",
            "comment",
            "wrong_region",
            "region",
            "blind",
            "created_at",
        )
        read_only_fields = fields


class AdjudicationSerializer(serializers.ModelSerializer[Adjudication]):
    adjudicator = serializers.CharField(source="adjudicator.username")

    class Meta:
        model = Adjudication
        fields = (
            "id",
            "analysis",
            "first_read",
            "second_read",
            "adjudicator",
            "answer",
            "comment",
            "created_at",
        )
        read_only_fields = fields


class ReportSerializer(serializers.ModelSerializer[Report]):
    """One version of a case's report; the highest is the one that holds."""

    url = serializers.HyperlinkedIdentityField(view_name="api:report")
    pdf = serializers.HyperlinkedIdentityField(view_name="api:report-pdf")
    author = serializers.CharField(source="author.username")
    reason = TextOrNull()
    research_use_only = ResearchOnlyField()
    notice = NoticeField()

    class Meta:
        model = Report
        fields: tuple[str, ...] = (
            "id",
            "url",
            "case",
            "version",
            "author",
            "answer",
            "impression",
            "reason",
            "created_at",
            "pdf",
            "research_use_only",
            "notice",
        )
        read_only_fields = fields


class ReportDetailSerializer(ReportSerializer):
    """With what it froze: the study, the machine's answers, the model's card and the reads."""

    class Meta(ReportSerializer.Meta):
        fields = (*ReportSerializer.Meta.fields, "content")
        read_only_fields = fields
