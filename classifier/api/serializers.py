"""What the API tells of patients, scans and the model's answers, each of which is for research only."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from classifier.models import Analysis, Case, ModelVersion, Patient, Scan, ScanFile
from classifier.models.analysis import Label, Outcome

NOTICE = "Research use only, not a medical device."


class TextOrNull(serializers.CharField):
    """An empty text is null, so that no program takes "" for an answer."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, allow_null=True, **kwargs)

    def to_representation(self, value: str) -> Any:
        return value or None


class ChoiceOrNull(serializers.ChoiceField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, allow_null=True, **kwargs)

    def to_representation(self, value: str) -> Any:
        return value or None


class ResearchOnlyField(serializers.BooleanField):
    """Stands as true on every result, whatever the result."""

    def __init__(self) -> None:
        super().__init__(read_only=True, source="*")

    def to_representation(self, row: object) -> bool:
        return True


class NoticeField(serializers.CharField):
    def __init__(self) -> None:
        super().__init__(read_only=True, source="*")

    def to_representation(self, row: object) -> str:
        return NOTICE


class ProbabilitiesSerializer(serializers.Serializer[Any]):
    """Calibrated, by class; they add up to 1."""

    glioma = serializers.FloatField()
    meningioma = serializers.FloatField()
    notumor = serializers.FloatField()
    pituitary = serializers.FloatField()


@extend_schema_field(ProbabilitiesSerializer(allow_null=True))
class ProbabilitiesField(serializers.JSONField):
    pass


class FindingSerializer(serializers.Serializer[Any]):
    """What the model has outlined. Measures are those of the slice `slice_index`."""

    slice_index = serializers.IntegerField()
    box = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="left, top, right, bottom in pixels; right and bottom excluded",
    )
    area_px = serializers.IntegerField()
    area_mm2 = serializers.FloatField(allow_null=True)
    diameter_px = serializers.FloatField()
    diameter_mm = serializers.FloatField(allow_null=True)
    centre = serializers.ListField(child=serializers.FloatField(), help_text="x, y in pixels")
    side = serializers.ChoiceField(choices=["left", "right"], allow_null=True, help_text="of the patient")
    components = serializers.IntegerField(help_text="separate areas in the slice")
    slices = serializers.ListField(child=serializers.IntegerField(), help_text="those with an outline")


@extend_schema_field(FindingSerializer(allow_null=True))
class FindingField(serializers.JSONField):
    pass


class SliceResultSerializer(serializers.Serializer[Any]):
    """`refusal` is a reason code; where there is one, the probabilities mean nothing."""

    index = serializers.IntegerField()
    probabilities = ProbabilitiesSerializer()
    tumour_probability = serializers.FloatField()
    refusal = serializers.CharField(allow_null=True)
    mask_area_px = serializers.IntegerField(allow_null=True)


@extend_schema_field(SliceResultSerializer(many=True, allow_null=True))
class SlicesField(serializers.JSONField):
    pass


class ProgressSerializer(serializers.Serializer[Any]):
    """Slices done, and all of them."""

    done = serializers.IntegerField(source="slices_done")
    total = serializers.IntegerField(source="slices_total")


class AnalysisErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()


class AnalysisSerializer(serializers.ModelSerializer[Analysis]):
    """`outcome` is the clinical answer: a class, `uncertain` or `refused`. `label` is the most probable
    class whatever the outcome and is not an answer."""

    url = serializers.HyperlinkedIdentityField(view_name="api:analysis")
    outcome = ChoiceOrNull(choices=Outcome.choices)
    label = ChoiceOrNull(choices=Label.choices)  # type: ignore[assignment]
    probabilities = ProbabilitiesField(read_only=True)
    reason = TextOrNull()
    reason_text = TextOrNull()
    finding = FindingField(read_only=True)
    progress = serializers.SerializerMethodField()
    requested_version = TextOrNull(source="requested_version.version")
    model_version = TextOrNull(source="model_version.version")
    error = serializers.SerializerMethodField()
    answer_hidden = serializers.BooleanField(
        read_only=True, help_text="read blind: shown when your own read is recorded"
    )
    research_use_only = ResearchOnlyField()
    notice = NoticeField()

    class Meta:
        model = Analysis
        fields: tuple[str, ...] = (
            "id",
            "url",
            "scan",
            "status",
            "outcome",
            "label",
            "probabilities",
            "tumour_probability",
            "reason",
            "reason_text",
            "slice_index",
            "finding",
            "progress",
            "requested_version",
            "model_version",
            "attempts",
            "created_at",
            "started_at",
            "finished_at",
            "error",
            "answer_hidden",
            "research_use_only",
            "notice",
        )
        read_only_fields = fields

    @extend_schema_field(ProgressSerializer(allow_null=True))
    def get_progress(self, analysis: Analysis) -> Any:
        return ProgressSerializer(analysis).data if analysis.tells_progress else None

    @extend_schema_field(AnalysisErrorSerializer(allow_null=True))
    def get_error(self, analysis: Analysis) -> dict[str, str] | None:
        if not analysis.error_code:
            return None
        return {"code": analysis.error_code, "detail": analysis.error_detail}


class AnalysisDetailSerializer(AnalysisSerializer):
    """With the probabilities of every slice and the milliseconds of every stage."""

    slices = SlicesField(read_only=True)
    reviews = serializers.HyperlinkedIdentityField(view_name="api:reviews")

    class Meta(AnalysisSerializer.Meta):
        fields = (*AnalysisSerializer.Meta.fields, "slices", "timings", "reviews")
        read_only_fields = fields


class ScanFileSerializer(serializers.ModelSerializer[ScanFile]):
    name = serializers.CharField(source="original_name")
    url = serializers.SerializerMethodField()

    class Meta:
        model = ScanFile
        fields = ("position", "name", "kind", "size", "sha256", "url")

    def get_url(self, file: ScanFile) -> str:
        address = reverse("api:scan-file", args=[file.scan_id], request=self.context["request"])
        return f"{address}?position={file.position}"


class ScanSerializer(serializers.ModelSerializer[Scan]):
    """With its files in slice order and its latest analysis."""

    url = serializers.HyperlinkedIdentityField(view_name="api:scan")
    patient = serializers.CharField(source="case.patient.reference")
    files = ScanFileSerializer(many=True)
    analysis = serializers.SerializerMethodField()
    analyses = serializers.HyperlinkedIdentityField(view_name="api:scan-analyses")

    class Meta:
        model = Scan
        fields: tuple[str, ...] = (
            "id",
            "url",
            "case",
            "patient",
            "facts",
            "created_at",
            "files",
            "analysis",
            "analyses",
        )
        read_only_fields = fields

    @extend_schema_field(AnalysisSerializer)
    def get_analysis(self, scan: Scan) -> Any:
        latest = max(scan.analyses.all(), key=lambda analysis: (analysis.created_at, analysis.pk))
        return AnalysisSerializer(latest, context=self.context).data


class UploadedSerializer(ScanSerializer):
    """The first scan of an upload, and all of them in the order of the files."""

    scans = ScanSerializer(many=True)

    class Meta(ScanSerializer.Meta):
        fields = (*ScanSerializer.Meta.fields, "scans")
        read_only_fields = fields


class PatientSerializer(serializers.ModelSerializer[Patient]):
    url = serializers.HyperlinkedIdentityField(view_name="api:patient")
    department = serializers.CharField(source="department.name")

    class Meta:
        model = Patient
        fields = ("id", "url", "department", "reference", "name", "birth_year", "sex", "created_at")
        read_only_fields = fields


class CasePatientSerializer(serializers.ModelSerializer[Patient]):
    url = serializers.HyperlinkedIdentityField(view_name="api:patient")

    class Meta:
        model = Patient
        fields = ("id", "url", "reference")


class CaseSerializer(serializers.ModelSerializer[Case]):
    url = serializers.HyperlinkedIdentityField(view_name="api:case")
    department = serializers.CharField(source="department.name")
    patient = CasePatientSerializer()
    triage = serializers.SerializerMethodField()
    scans = serializers.SerializerMethodField()

    reports = serializers.HyperlinkedIdentityField(view_name="api:reports")

    class Meta:
        model = Case
        fields: tuple[str, ...] = (
            "id",
            "url",
            "department",
            "patient",
            "question",
            "study_date",
            "triage",
            "created_at",
            "scans",
            "reports",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=[triage.name.lower() for triage in Case.Triage]))
    def get_triage(self, case: Case) -> str:
        return Case.Triage(case.triage).name.lower()

    @extend_schema_field(serializers.URLField())
    def get_scans(self, case: Case) -> str:
        return f"{reverse('api:scans', request=self.context['request'])}?case={case.pk}"


class CaseDetailSerializer(CaseSerializer):
    """Also tells whether the DICOM files of the case name more than one patient."""

    names_several_patients = serializers.BooleanField()

    class Meta(CaseSerializer.Meta):
        fields = (*CaseSerializer.Meta.fields, "names_several_patients")
        read_only_fields = fields


class ModelVersionSerializer(serializers.ModelSerializer[ModelVersion]):
    class Meta:
        model = ModelVersion
        fields = ("version", "is_active", "sha256", "registered_at")
        read_only_fields = fields


class PredictionSerializer(serializers.ModelSerializer[Analysis]):
    """`prediction` is the outcome: a class, or the word `uncertain` or `refused`."""

    prediction = serializers.ChoiceField(source="outcome", choices=Outcome.choices)
    probabilities = ProbabilitiesField(read_only=True)
    scan = serializers.HyperlinkedRelatedField[Scan](view_name="api:scan", read_only=True)
    analysis = serializers.HyperlinkedIdentityField(view_name="api:analysis")
    finding = FindingField(read_only=True)
    reason = TextOrNull()
    reason_text = TextOrNull()
    model_version = serializers.CharField(source="model_version.version")
    research_use_only = ResearchOnlyField()
    notice = NoticeField()

    class Meta:
        model = Analysis
        fields = (
            "prediction",
            "probabilities",
            "scan",
            "analysis",
            "tumour_probability",
            "slice_index",
            "finding",
            "reason",
            "reason_text",
            "model_version",
            "research_use_only",
            "notice",
        )
        read_only_fields = fields
