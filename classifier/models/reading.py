"""How a department reads, and what follows the reads: adjudication and the signed report."""

import uuid

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .access import DepartmentQuerySet
from .analysis import Analysis, Label, Review
from .append_only import AppendOnlyModel, AppendOnlyRows
from .cases import Case


class Answer(models.TextChoices):
    """What a person concludes: a class, or that the images do not tell."""

    GLIOMA = Label.GLIOMA.value, _("Glioma")
    MENINGIOMA = Label.MENINGIOMA.value, _("Meningioma")
    NO_TUMOUR = Label.NO_TUMOUR.value, _("No tumour")
    PITUITARY = Label.PITUITARY.value, _("Pituitary tumour")
    CANNOT_TELL = "cannot_tell", _("Cannot tell")


class DepartmentPolicy(models.Model):
    """How a department's cases are read; a department without a row reads once, with the answer in sight."""

    department = models.OneToOneField(
        Group, on_delete=models.PROTECT, primary_key=True, related_name="reading_policy"
    )
    second_reader = models.BooleanField(
        _("two independent reads"),
        default=False,
        help_text=_("Every scan is read by two persons; who reads second does not see the first read."),
    )
    blind = models.BooleanField(
        _("blind reading"),
        default=False,
        help_text=_("The machine's answer stays hidden from each reader until their own read is recorded."),
    )

    class Meta:
        verbose_name = _("reading policy")
        verbose_name_plural = _("reading policies")

    def __str__(self) -> str:
        return f"Reading policy of {self.department_id}"


class AdjudicationQuerySet(AppendOnlyRows, DepartmentQuerySet["Adjudication"]):
    department_path = "analysis__scan__case__department"


class Adjudication(AppendOnlyModel):
    """A third person's decision between two reads that differ. One for an analysis, and final for it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    analysis = models.OneToOneField(Analysis, on_delete=models.PROTECT, related_name="adjudication")
    first_read = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="+")
    second_read = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="+")
    # Whose reads they are stands here as well, so that a constraint can tell three persons apart.
    first_reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    second_reader = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    adjudicator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="adjudications"
    )
    answer = models.CharField(max_length=12, choices=Answer.choices)
    comment = models.TextField(max_length=4000, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AdjudicationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(first_read=F("second_read")), name="adjudication_between_two_reads"
            ),
            models.CheckConstraint(
                condition=~Q(first_reader=F("second_reader"))
                & ~Q(adjudicator=F("first_reader"))
                & ~Q(adjudicator=F("second_reader")),
                name="adjudication_by_a_third_person",
            ),
            models.CheckConstraint(condition=Q(answer__in=Answer.values), name="adjudication_has_an_answer"),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="adjudication_newest")]

    def __str__(self) -> str:
        return gettext("Adjudication %s") % str(self.id)[:8]


class ReportQuerySet(AppendOnlyRows, DepartmentQuerySet["Report"]):
    department_path = "case__department"


class Report(AppendOnlyModel):
    """What was signed on a case. Version 1 is the sign-off; a later one amends it and says why.

    ``content`` holds what the report says of the study, the machine's answers, the model and the reads,
    as they were when it was signed, so that no later row changes an old report.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="reports")
    version = models.PositiveSmallIntegerField(default=1)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reports")
    answer = models.CharField(_("final answer"), max_length=12, choices=Answer.choices)
    impression = models.TextField(max_length=8000, blank=True)
    reason = models.CharField(max_length=500, blank=True, help_text=_("why it was amended"))
    analyses = models.ManyToManyField(Analysis, through="ReportedAnalysis", related_name="reports")
    content = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "version"], name="report_version_of_case"),
            models.CheckConstraint(condition=Q(version__gte=1), name="report_version_from_one"),
            models.CheckConstraint(
                condition=(Q(version=1) & Q(reason="")) | (Q(version__gt=1) & ~Q(reason="")),
                name="report_amendment_has_reason",
            ),
            models.CheckConstraint(condition=Q(answer__in=Answer.values), name="report_has_an_answer"),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="report_newest")]

    def __str__(self) -> str:
        named = {"id": str(self.id)[:8], "version": self.version}
        return gettext("Report %(id)s, version %(version)d") % named


class ReportedAnalysisRows(AppendOnlyRows, models.QuerySet["ReportedAnalysis"]):
    pass


class ReportedAnalysis(AppendOnlyModel):
    """That a report speaks of an analysis; from then on the analysis takes no more reviews."""

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="reported")
    analysis = models.ForeignKey(Analysis, on_delete=models.PROTECT, related_name="reported")

    objects = ReportedAnalysisRows.as_manager()

    class Meta:
        verbose_name_plural = _("reported analyses")
        constraints = [models.UniqueConstraint(fields=["report", "analysis"], name="reported_analysis_once")]

    def __str__(self) -> str:
        return f"Analysis {str(self.analysis_id)[:8]} in report {str(self.report_id)[:8]}"
