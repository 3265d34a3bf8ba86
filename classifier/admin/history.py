"""Patients, cases, scans, analyses and reviews: everything to read, nothing to change."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from classifier.admin.base import ReadOnlyAdmin, Table
from classifier.admin.filters import CaseDepartmentFilter, DepartmentFilter, ScanDepartmentFilter
from classifier.admin.links import link
from classifier.admin.search import HELP, clinical_search
from classifier.audit import Actor
from classifier.models import Adjudication, Analysis, Case, Patient, Report, Review, Scan
from classifier.sentences import percent
from classifier.services import cases, reports, reviews, scans

NEWEST_FIRST = ("-created_at", "-id")
# An analysis of a series has an entry for each slice here, and only its own page shows any of it.
LONG = ("slices", "finding", "timings")
LONG_OF_ANALYSIS = tuple(f"analysis__{name}" for name in LONG)


class HistoryAdmin(ReadOnlyAdmin):
    """``patient_path`` leads from a row to its patient."""

    looks_at_patients = True
    ordering = NEWEST_FIRST
    patient_path: str
    search_fields = ("id",)
    search_help_text = HELP

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (clinical_search(queryset, term, self.patient_path) if term else queryset), False

    def trail_term(self, obj: Any) -> str:
        return str(obj.pk)


@admin.register(Patient)
class PatientAdmin(HistoryAdmin):
    patient_path = ""
    fields = ("reference", "department", "name", "birth_year", "sex", "created_at")
    list_display = ("reference", "department", "name", "birth_year", "sex", "created_at")
    list_filter = (DepartmentFilter, "created_at")
    list_select_related = ("department",)

    def trail_term(self, obj: Any) -> str:
        return ""

    def tables(self, obj: Patient) -> list[Table]:
        found = obj.cases.order_by(*NEWEST_FIRST)
        return [
            Table.of(
                _("Cases"),
                (_("Case"), _("Opened"), _("Triage")),
                found,
                lambda case: (link(case), case.created_at, case.get_triage_display()),
            )
        ]

    def note_look(self, actor: Actor, obj: Patient) -> None:
        cases.view_patient(actor=actor, patient_id=obj.pk)


@admin.register(Case)
class CaseAdmin(HistoryAdmin):
    patient_path = "patient"
    fields = ("id", "patient", "department", "question", "study_date", "triage", "opened_by", "created_at")
    list_display = ("__str__", "patient", "department", "triage", "opened_by", "created_at")
    list_filter = (DepartmentFilter, "triage", "created_at")
    list_select_related = ("patient", "department", "opened_by")

    def tables(self, obj: Case) -> list[Table]:
        return [
            _scans(obj),
            _analyses(Analysis.objects.filter(scan__case=obj)),
            _reviews(Review.objects.filter(analysis__scan__case=obj)),
            _reports(obj),
        ]

    def note_look(self, actor: Actor, obj: Case) -> None:
        cases.view_case(actor=actor, case_id=obj.pk)


@admin.register(Scan)
class ScanAdmin(HistoryAdmin):
    patient_path = "case__patient"
    fields = ("id", "case", "patient", "facts", "digest", "uploaded_by", "created_at")
    readonly_fields = ("patient",)
    list_display = ("__str__", "case", "patient", "department", "uploaded_by", "created_at")
    list_filter = (CaseDepartmentFilter, "created_at")
    list_select_related = ("case__patient", "case__department", "uploaded_by")

    @admin.display(description=_("patient"))
    def patient(self, scan: Scan) -> SafeString | str:
        return link(scan.case.patient)

    @admin.display(description=_("department"))
    def department(self, scan: Scan) -> str:
        return scan.case.department.name

    def tables(self, obj: Scan) -> list[Table]:
        files = Table.of(
            _("Files"),
            (_("Position"), _("Name given at upload"), _("Kind"), _("Bytes"), _("SHA-256")),
            obj.files.all(),
            lambda file: (file.position, file.original_name, file.kind, file.size, file.sha256),
        )
        return [files, _analyses(obj.analyses.all())]

    def note_look(self, actor: Actor, obj: Scan) -> None:
        scans.view_scan(actor=actor, scan_id=obj.pk)


@admin.register(Analysis)
class AnalysisAdmin(HistoryAdmin):
    patient_path = "scan__case__patient"
    fields = (
        ("id", "scan", "case", "patient"),
        ("status", "attempts", "model_version", "requested_by"),
        ("outcome", "label", "tumour", "slice_index"),
        "by_class",
        ("reason", "reason_text"),
        ("error_code", "error_detail"),
        ("created_at", "started_at", "finished_at", "lease_until"),
        "timings",
    )
    readonly_fields = ("case", "patient", "tumour", "by_class")
    list_display = ("__str__", "case", "status", "outcome", "tumour", "model_version", "created_at")
    list_filter = (ScanDepartmentFilter, "status", "outcome", "model_version", "created_at")
    list_select_related = ("scan__case__patient", "model_version")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Analysis]:
        found: QuerySet[Analysis] = super().get_queryset(request)
        return found.defer(*LONG, "model_version__card")

    @admin.display(description=_("case"))
    def case(self, analysis: Analysis) -> SafeString | str:
        return link(analysis.scan.case)

    @admin.display(description=_("patient"))
    def patient(self, analysis: Analysis) -> SafeString | str:
        return link(analysis.scan.case.patient)

    @admin.display(description=_("tumour probability"))
    def tumour(self, analysis: Analysis) -> str:
        return _percent(analysis)

    @admin.display(description=_("probabilities"))
    def by_class(self, analysis: Analysis) -> str:
        return " · ".join(
            f"{name} {percent(chance)}" for name, chance in (analysis.probabilities or {}).items()
        )

    def tables(self, obj: Analysis) -> list[Table]:
        return [_reviews(obj.reviews.all())]

    def note_look(self, actor: Actor, obj: Analysis) -> None:
        reviews.view_analysis(actor=actor, analysis_id=obj.pk)


class VerdictAdmin(HistoryAdmin):
    """What a person says of an analysis; it is read beside the answer that it judges."""

    patient_path = "analysis__scan__case__patient"
    readonly_fields = ("case",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        return found.defer(*LONG_OF_ANALYSIS)

    @admin.display(description=_("case"))
    def case(self, verdict: Review | Adjudication) -> SafeString | str:
        return link(verdict.analysis.scan.case)

    def note_look(self, actor: Actor, obj: Review | Adjudication) -> None:
        reviews.view_analysis(actor=actor, analysis_id=obj.analysis_id)


@admin.register(Review)
class ReviewAdmin(VerdictAdmin):
    fields = (
        "id",
        "analysis",
        "case",
        ("reviewer", "blind"),
        ("verdict", "label"),
        ("wrong_region", "region"),
        "comment",
        "created_at",
    )
    list_display = ("__str__", "analysis", "case", "verdict", "label", "reviewer", "created_at")
    list_filter = ("verdict", "label", "created_at")
    list_select_related = ("analysis__scan__case", "reviewer")


@admin.register(Adjudication)
class AdjudicationAdmin(VerdictAdmin):
    fields = (
        "id",
        "analysis",
        "case",
        ("first_read", "first_reader"),
        ("second_read", "second_reader"),
        ("adjudicator", "answer"),
        "comment",
        "created_at",
    )
    list_display = ("__str__", "analysis", "case", "answer", "adjudicator", "created_at")
    list_filter = ("answer", "created_at")
    list_select_related = ("analysis__scan__case", "adjudicator")


@admin.register(Report)
class ReportAdmin(HistoryAdmin):
    patient_path = "case__patient"
    fields = ("id", ("case", "version"), "author", "answer", "impression", "reason", "content", "created_at")
    list_display = ("__str__", "case", "version", "answer", "author", "created_at")
    list_filter = ("answer", "created_at")
    list_select_related = ("case", "author")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Report]:
        found: QuerySet[Report] = super().get_queryset(request)
        return found.defer("content")

    def note_look(self, actor: Actor, obj: Report) -> None:
        reports.view_report(actor=actor, report_id=obj.pk)


def _scans(case: Case) -> Table:
    return Table.of(
        _("Scans"),
        (_("Scan"), _("Received"), _("Uploaded by"), _("Kind")),
        case.scans.select_related("uploaded_by").order_by("created_at", "id"),
        lambda scan: (link(scan), scan.created_at, scan.uploaded_by, scan.facts.get("kind", "")),
    )


def _analyses(found: Any) -> Table:
    return Table.of(
        _("Analyses"),
        (
            _("Analysis"),
            _("Scan"),
            _("Requested"),
            _("Status"),
            _("Outcome"),
            _("Tumour probability"),
            _("Model version"),
        ),
        found.select_related("scan", "model_version")
        .defer(*LONG, "model_version__card")
        .order_by(*NEWEST_FIRST),
        lambda analysis: (
            link(analysis),
            link(analysis.scan),
            analysis.created_at,
            analysis.get_status_display(),
            analysis.get_outcome_display() or analysis.error_code,
            _percent(analysis),
            link(analysis.model_version),
        ),
    )


def _reviews(found: Any) -> Table:
    return Table.of(
        _("Reviews"),
        (_("Review"), _("Analysis"), _("Submitted"), _("Reviewer"), _("Verdict"), _("Label"), _("Comment")),
        found.select_related("analysis", "reviewer").defer(*LONG_OF_ANALYSIS).order_by(*NEWEST_FIRST),
        lambda review: (
            link(review),
            link(review.analysis),
            review.created_at,
            review.reviewer,
            review.get_verdict_display(),
            review.get_label_display(),
            review.comment,
        ),
    )


def _reports(case: Case) -> Table:
    return Table.of(
        _("Reports"),
        (_("Report"), _("Version"), _("Answer"), _("Signed by"), _("Signed at"), _("Reason")),
        case.reports.select_related("author").defer("content").order_by("-version"),
        lambda report: (
            link(report),
            report.version,
            report.get_answer_display(),
            report.author,
            report.created_at,
            report.reason,
        ),
    )


def _percent(analysis: Analysis) -> str:
    chance = analysis.tumour_probability
    return "-" if chance is None else percent(chance)
