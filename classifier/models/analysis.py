"""ModelVersion, Analysis, Review: what the machine said, with what, and what the human said."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .access import DepartmentQuerySet
from .append_only import AppendOnlyModel, AppendOnlyRows
from .cases import Scan


class Label(models.TextChoices):
    """The classes of `ml.labels.CLASSES`; a test keeps the two in step."""

    GLIOMA = "glioma", _("Glioma")
    MENINGIOMA = "meningioma", _("Meningioma")
    NO_TUMOUR = "notumor", _("No tumour")
    PITUITARY = "pituitary", _("Pituitary tumour")


class Outcome(models.TextChoices):
    """The clinical answer, apart from the technical status: a class, or none given."""

    GLIOMA = "glioma", _("Glioma suspected")
    MENINGIOMA = "meningioma", _("Meningioma suspected")
    NO_TUMOUR = "notumor", _("No tumour seen")
    PITUITARY = "pituitary", _("Pituitary tumour suspected")
    UNCERTAIN = "uncertain", _("Uncertain")
    REFUSED = "refused", _("Refused")


TUMOUR_OUTCOMES = (Outcome.GLIOMA, Outcome.MENINGIOMA, Outcome.PITUITARY)


class ModelVersion(models.Model):
    """A bundle that was registered. Never edited; exactly one is active."""

    version = models.CharField(max_length=100, unique=True)
    sha256 = models.CharField(_("bundle SHA-256"), max_length=64)
    card = models.JSONField(default=dict)
    is_active = models.BooleanField(default=False)
    registered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_active"], condition=Q(is_active=True), name="model_version_one_active"
            )
        ]

    def __str__(self) -> str:
        return self.version


class AnalysisQuerySet(DepartmentQuerySet["Analysis"]):
    department_path = "scan__case__department"


class Analysis(models.Model):
    """DICOM's structured report: one model's run over one scan. Finished rows never change."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        SUCCEEDED = "succeeded", _("Finished")
        FAILED = "failed", _("Failed")

    FINISHED = (Status.SUCCEEDED, Status.FAILED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scan = models.ForeignKey(Scan, on_delete=models.PROTECT, related_name="analyses")
    # Set by the claim: the version asked for, otherwise the one that is active when work starts.
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="analyses"
    )
    requested_version = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="requested_analyses"
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    rung_at = models.DateTimeField(default=timezone.now, help_text=_("when the broker was last told"))
    started_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    label = models.CharField(max_length=10, choices=Label.choices, blank=True)
    probabilities = models.JSONField(null=True, blank=True, help_text=_("calibrated, by class name"))
    tumour_probability = models.FloatField(null=True, blank=True)
    reason = models.CharField(max_length=40, blank=True, help_text=_("why uncertain or refused"))
    reason_text = models.CharField(max_length=500, blank=True)
    slice_index = models.PositiveIntegerField(null=True, blank=True, help_text=_("the slice that decided"))
    slices = models.JSONField(null=True, blank=True, help_text=_("probabilities by slice"))
    # Written by the attempt at work about once a second.
    slices_done = models.PositiveIntegerField(default=0)
    slices_total = models.PositiveIntegerField(default=0, help_text=_("0 until the model knows"))
    finding = models.JSONField(
        null=True, blank=True, help_text=_("where the tumour lies, and how large it is")
    )
    # The stored masks of every slice, compressed: a storage key of random letters, and the SHA-256 of it.
    masks_name = models.CharField(max_length=100, blank=True)
    masks_sha256 = models.CharField(max_length=64, blank=True)
    timings = models.JSONField(null=True, blank=True, help_text=_("milliseconds by stage"))
    error_code = models.CharField(max_length=40, blank=True)
    error_detail = models.CharField(max_length=500, blank=True)

    objects = AnalysisQuerySet.as_manager()

    # What the model said, as opposed to how the work went; hidden from who reads blind.
    ANSWER_FIELDS = (
        "outcome",
        "label",
        "probabilities",
        "tumour_probability",
        "reason",
        "reason_text",
        "slice_index",
        "slices",
        "finding",
        "masks_name",
        "masks_sha256",
        # What is suspected is looked at twice, which takes its time.
        "timings",
    )
    # Set by `services.reading.veil` on rows in memory for one user; never stored.
    answer_hidden = False
    reads_hidden = False

    class Meta:
        verbose_name_plural = _("analyses")
        constraints = [
            models.UniqueConstraint(
                fields=["scan"],
                condition=Q(status__in=["queued", "running"]),
                name="analysis_one_open_per_scan",
            ),
            models.CheckConstraint(
                condition=~Q(status="succeeded")
                | (
                    ~Q(outcome="")
                    & Q(finished_at__isnull=False, model_version__isnull=False, error_code="")
                    & (Q(outcome="refused") | Q(probabilities__isnull=False))
                ),
                name="analysis_succeeded_has_outcome",
            ),
            models.CheckConstraint(
                condition=~Q(status="failed")
                | (~Q(error_code="") & Q(finished_at__isnull=False, outcome="")),
                name="analysis_failed_has_code",
            ),
            models.CheckConstraint(
                condition=~Q(status="running")
                | Q(started_at__isnull=False, lease_until__isnull=False, attempts__gt=0),
                name="analysis_running_has_lease",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["succeeded", "failed"]) | Q(outcome="", finished_at__isnull=True),
                name="analysis_open_has_no_outcome",
            ),
            models.CheckConstraint(
                condition=Q(masks_name="", masks_sha256="")
                | (~Q(masks_name="") & ~Q(masks_sha256="") & Q(status="succeeded")),
                name="analysis_masks_have_digest",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="analysis_newest"),
            models.Index(fields=["scan", "-created_at"], name="analysis_of_scan"),
            models.Index(
                fields=["status", "rung_at"],
                condition=Q(status__in=["queued", "running"]),
                name="analysis_open",
            ),
            # Few among very many, and what an administrator looks for.
            models.Index(
                fields=["-created_at", "-id"],
                condition=Q(status="failed") | Q(outcome="refused"),
                name="analysis_unanswered",
            ),
        ]

    def __str__(self) -> str:
        return gettext("Analysis %s") % str(self.id)[:8]

    @property
    def is_finished(self) -> bool:
        return self.status in self.FINISHED

    @property
    def state(self) -> str:
        """What a page that waits compares with what it shows."""
        return f"{self.status}.{self.slices_done}" if self.tells_progress else self.status

    @property
    def tells_progress(self) -> bool:
        return self.status == self.Status.RUNNING and self.slices_total > 0

    @property
    def names_a_class(self) -> bool:
        """Whether a reader can agree with it."""
        return self.outcome in Label.values

    @property
    def told_probability(self) -> float | None:
        """Of any tumour; None where there is none or, refused, it means nothing."""
        return None if self.outcome == Outcome.REFUSED else self.tumour_probability

    @property
    def suspects_tumour(self) -> bool:
        return self.outcome in TUMOUR_OUTCOMES


class ReviewQuerySet(AppendOnlyRows, DepartmentQuerySet["Review"]):
    department_path = "analysis__scan__case__department"


class Review(AppendOnlyModel):
    """DICOM's Verification: the human verdict beside the machine's. Append-only."""

    class Verdict(models.TextChoices):
        AGREE = "agree", _("Agree")
        CORRECT = "correct", _("Another answer")
        CANNOT_TELL = "cannot_tell", _("Cannot tell")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    analysis = models.ForeignKey(Analysis, on_delete=models.PROTECT, related_name="reviews")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reviews")
    verdict = models.CharField(max_length=12, choices=Verdict.choices)
    label = models.CharField(max_length=10, choices=Label.choices, blank=True)
    comment = models.TextField(max_length=4000, blank=True)
    wrong_region = models.BooleanField(default=False)
    # Where the reader sees the tumour: instead of where the model outlined it, or where it named none.
    region = models.JSONField(
        null=True, blank=True, help_text=_("slice, and box as left, top, right, bottom in its pixels")
    )
    blind = models.BooleanField(default=False, help_text=_("given before the machine's answer was seen"))
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.CheckConstraint(
                condition=(Q(verdict="cannot_tell") & Q(label=""))
                | (~Q(verdict="cannot_tell") & ~Q(label="")),
                name="review_label_fits_verdict",
            ),
            models.CheckConstraint(
                condition=Q(wrong_region=True)
                | Q(region__isnull=True)
                | Q(label__in=["glioma", "meningioma", "pituitary"]),
                name="review_region_is_of_tumour",
            ),
            models.CheckConstraint(
                condition=Q(blind=False) | Q(wrong_region=False), name="review_blind_saw_no_region"
            ),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="review_newest")]

    def __str__(self) -> str:
        return gettext("Review %s") % str(self.id)[:8]


class WorkerHeartbeat(models.Model):
    """A worker child that has loaded a model and says so every few seconds."""

    ALIVE_FOR = timedelta(seconds=30)

    name = models.CharField(max_length=200, primary_key=True)
    model_version = models.CharField(max_length=100)
    load_seconds = models.FloatField()
    rss_bytes = models.PositiveBigIntegerField()
    loaded_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.name
