"""What the API is asked with: forms, bodies and query strings. Meaning is for the services."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from classifier.errors import UserFacingError
from classifier.models import Analysis, Answer, Case, Patient, Review
from classifier.models.analysis import Label, Outcome
from classifier.services import reviews
from classifier.services.clock import today_somewhere

SENTENCES = {
    "unknown_field": _("This field is not known here."),
    "repeated_field": _("This field may come once only."),
    "unknown_parameter": _("This parameter is not known here."),
    "repeated_parameter": _("This parameter may come once only."),
    "blank_parameter": _("This parameter needs a value."),
}


def body_of(request: Request, form: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """The checked fields of a form or JSON body; a misspelt `case` must not open another one, nor may the
    last of two patients be taken for the one that was meant."""
    fields = form(data=request.data)
    _refuse(set(request.data) - set(request.FILES) - set(fields.fields), "unknown_field")
    _refuse(_repeated(request.data) - set(request.FILES), "repeated_field")
    fields.is_valid(raise_exception=True)
    return dict(fields.validated_data)


def query_of(request: Request, form: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """The checked parameters; an ignored filter would show too much unnoticed."""
    fields = form(data=request.query_params)
    given = dict(request.query_params.lists())
    _refuse(set(given) - set(fields.fields) - {"format"}, "unknown_parameter")
    _refuse(_repeated(request.query_params), "repeated_parameter")
    _refuse({name for name, values in given.items() if "" in values}, "blank_parameter")
    fields.is_valid(raise_exception=True)
    return dict(fields.validated_data)


def files_of(request: Request, fields: dict[str, Any]) -> list[UploadedFile[bytes]]:
    """The files of the field `file`; one under another name would be lost unnoticed."""
    files: list[UploadedFile[bytes]] = fields.pop("file", [])
    if files and set(request.FILES) != {"file"}:
        raise UserFacingError("file_field_unknown", gettext("Files are taken from the field “file” only."))
    return files


def removes_identity(fields: dict[str, Any]) -> bool | None:
    """What the field `identity` asks for; None where it was left out."""
    chosen = fields.pop("identity", None)
    return None if chosen is None else chosen == "remove"


def _repeated(sent: object) -> set[str]:
    return (
        {name for name, values in sent.lists() if len(values) > 1} if isinstance(sent, QueryDict) else set()
    )


def _refuse(names: set[str], code: str) -> None:
    if names:
        sentence = ErrorDetail(str(SENTENCES[code]), code=code)
        raise ValidationError({name[:100]: [sentence] for name in sorted(names)[:10]})


class DepartmentForm(serializers.Serializer[Any]):
    department = serializers.CharField(
        required=False, allow_blank=True, max_length=150, help_text="needed when you belong to several"
    )


class NewCaseForm(serializers.Serializer[Any]):
    """What was asked, and when the images were made."""

    question = serializers.CharField(required=False, allow_blank=True, max_length=500)
    study_date = serializers.DateField(required=False, allow_null=True)

    def validate_study_date(self, day: date | None) -> date | None:
        if day is not None and day > today_somewhere():
            raise ValidationError(_("The study date lies in the future."), code="max_value")
        return day


class PredictForm(DepartmentForm):
    file = serializers.ListField(child=serializers.FileField(allow_empty_file=True), required=False)
    identity = serializers.ChoiceField(
        choices=["keep", "remove"],
        required=False,
        help_text="of the patient in DICOM files; without it, what the installation does",
    )


class UploadForm(PredictForm, NewCaseForm):
    """With `case` the scans go into that case; without it a case is opened on `patient`."""

    case = serializers.UUIDField(required=False)
    patient = serializers.CharField(required=False, allow_blank=True, max_length=64, help_text="reference")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A blank case is a slip of the sender; it must not open another one."""
        if "case" in self.initial_data and "case" not in attrs:
            raise ValidationError(
                {"case": [ErrorDetail(gettext("Name the case, or leave it out."), code="blank")]}
            )
        return attrs


class CaseForm(DepartmentForm, NewCaseForm):
    """The patient's details are kept from the first time they are told; others are refused."""

    patient = serializers.CharField(max_length=64)
    name = serializers.CharField(required=False, allow_blank=True, max_length=200)
    birth_year = serializers.IntegerField(required=False, allow_null=True, min_value=Patient.BORN_FROM)
    sex = serializers.ChoiceField(choices=Patient.Sex.choices, required=False, allow_blank=True)

    def validate_birth_year(self, year: int | None) -> int | None:
        if year is not None and year > today_somewhere().year:
            raise ValidationError(_("The year of birth lies in the future."), code="max_value")
        return year


class RegionForm(serializers.Serializer[Any]):
    """In pixels of the slice, right and bottom excluded; slices are counted from 0."""

    slice = serializers.IntegerField(min_value=0, max_value=2**31 - 1)
    box = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=2**31 - 1),
        min_length=4,
        max_length=4,
        help_text="left, top, right, bottom",
    )


class ReviewForm(serializers.Serializer[Any]):
    """`label` is needed with the verdict `correct` and implied by `agree`. Who reads blind says `correct`
    with their own answer, or `cannot_tell`. `region` says where the reader sees the tumour: with
    `wrong_region`, or with `correct` and a tumour class."""

    verdict = serializers.ChoiceField(choices=Review.Verdict.choices)
    label = serializers.ChoiceField(choices=Label.choices, required=False, allow_blank=True)  # type: ignore[assignment]
    comment = serializers.CharField(required=False, allow_blank=True, max_length=4000)
    wrong_region = serializers.BooleanField(required=False, help_text="the finding's place is wrong")
    region = RegionForm(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """What would not be kept is a slip: an append-only read must not say less than was meant."""
        if attrs.get("label") and attrs["verdict"] != Review.Verdict.CORRECT:
            sentence = gettext("A label goes with the verdict “correct”; leave it out.")
            raise ValidationError({"label": [ErrorDetail(sentence, code="label_unexpected")]})
        said = {"label": attrs.get("label", ""), "wrong_region": attrs.get("wrong_region", False)}
        if attrs.get("region") and not reviews.takes_region(verdict=attrs["verdict"], **said):
            sentence = reviews.region_unexpected()
            raise ValidationError({"wrong_region": [ErrorDetail(sentence, code="required")]})
        return attrs


class AdjudicationForm(serializers.Serializer[Any]):
    answer = serializers.ChoiceField(choices=Answer.choices)
    comment = serializers.CharField(required=False, allow_blank=True, max_length=4000)


class SignForm(serializers.Serializer[Any]):
    """Without `amends` the case is signed off; with the version that holds, that version is amended."""

    answer = serializers.ChoiceField(
        choices=Answer.choices, required=False, help_text="needed where the reads leave several"
    )
    impression = serializers.CharField(required=False, allow_blank=True, max_length=8000)
    amends = serializers.IntegerField(required=False, min_value=1, max_value=32767)
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=500, help_text="why it is amended"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A reason without a version is a slip: it must not become a first signature."""
        if attrs.get("reason") and "amends" not in attrs:
            raise ValidationError(
                {"amends": [ErrorDetail(gettext("Name the version you amend."), code="required")]}
            )
        return attrs


class PdfQuery(serializers.Serializer[Any]):
    language = serializers.ChoiceField(choices=["en", "es"], required=False, default="en")


class PageQuery(serializers.Serializer[Any]):
    cursor = serializers.CharField(required=False, max_length=200, help_text="from `next` of the page before")
    page_size = serializers.IntegerField(required=False, default=25, min_value=1, max_value=100)


class PeriodQuery(PageQuery):
    created_since = serializers.DateTimeField(required=False, help_text="at or after")
    created_before = serializers.DateTimeField(required=False, help_text="before")


class PatientQuery(PeriodQuery):
    reference = serializers.CharField(required=False, max_length=64)
    department = serializers.CharField(required=False, max_length=150)


class CaseQuery(PeriodQuery):
    patient = serializers.CharField(required=False, max_length=64, help_text="the reference, exactly")
    department = serializers.CharField(required=False, max_length=150)
    triage = serializers.ChoiceField(
        required=False, choices=[triage.name.lower() for triage in Case.Triage], help_text="worklist standing"
    )

    def validate_triage(self, name: str) -> int:
        return int(Case.Triage[name.upper()])


class ScanQuery(PeriodQuery):
    case = serializers.UUIDField(required=False)
    patient = serializers.CharField(required=False, max_length=64, help_text="the reference, exactly")
    status = serializers.ChoiceField(
        required=False, choices=Analysis.Status.choices, help_text="of the latest analysis"
    )
    outcome = serializers.ChoiceField(
        required=False, choices=Outcome.choices, help_text="of the latest analysis"
    )


class PictureQuery(serializers.Serializer[Any]):
    side = serializers.IntegerField(
        required=False, min_value=16, max_value=20_000, help_text="pixels of the long side; never enlarges"
    )


class OverlayQuery(serializers.Serializer[Any]):
    opacity = serializers.FloatField(required=False, default=0.4, min_value=0, max_value=1)
    outline = serializers.BooleanField(required=False, default=False, help_text="the border alone")


class AnalyseForm(serializers.Serializer[Any]):
    """`version` names a registered model; left out, the active one answers."""

    version = serializers.CharField(required=False, max_length=100)


class FileQuery(serializers.Serializer[Any]):
    position = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31 - 1)
