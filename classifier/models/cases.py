"""Patient, Case, Scan and ScanFile: what was asked, on whom, with which images."""

import uuid

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .access import DepartmentQuerySet
from .append_only import AppendOnlyModel, AppendOnlyRows


def searchable(reference: str, question: str) -> str:
    """What `Case.search_text` holds."""
    return f"{reference} {question}".casefold()[:600]


class PatientQuerySet(DepartmentQuerySet["Patient"]):
    department_path = "department"


class Patient(models.Model):
    """DICOM's Patient. Identifying text lives here and nowhere in paths, URLs or logs."""

    # The reference of scans that came without one, which are not of one person.
    UNASSIGNED = "UNASSIGNED"
    BORN_FROM = 1850

    class Sex(models.TextChoices):
        FEMALE = "F", _("Female")
        MALE = "M", _("Male")
        OTHER = "O", _("Other")
        UNKNOWN = "", _("Unknown")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    department = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="patients")
    reference = models.CharField(_("patient reference"), max_length=64)
    # Searched by prefix without regard to case; a folded copy keeps that on an index in every database.
    reference_folded = models.CharField(max_length=64, editable=False, db_index=True)
    name = models.CharField(max_length=200, blank=True)
    birth_year = models.PositiveSmallIntegerField(null=True, blank=True)
    sex = models.CharField(max_length=1, choices=Sex.choices, blank=True, default=Sex.UNKNOWN)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PatientQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["department", "reference"], name="patient_reference_in_department"
            ),
            models.CheckConstraint(condition=~Q(reference=""), name="patient_reference_not_empty"),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="patient_newest")]

    def __str__(self) -> str:
        return self.reference

    def save(self, *args: object, **kwargs: object) -> None:
        self.reference_folded = self.reference.casefold()[:64]
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    @property
    def is_one_person(self) -> bool:
        return self.reference != self.UNASSIGNED


class CaseQuerySet(DepartmentQuerySet["Case"]):
    department_path = "department"


class Case(models.Model):
    """DICOM's Study: one clinical question on one patient; the unit of access."""

    class Triage(models.IntegerChoices):
        """Worklist order, most pressing last so that a descending index reads it first."""

        SIGNED = 0, _("Signed")
        REVIEWED = 5, _("Reviewed")
        NO_TUMOUR = 10, _("No tumour seen")
        EMPTY = 20, _("No images yet")
        WAITING = 30, _("Analysis under way")
        FAILED = 40, _("Refused or failed")
        SECOND_READ = 45, _("Second read needed")
        UNCERTAIN = 50, _("Uncertain")
        ADJUDICATION = 55, _("Adjudication needed")
        # Read blind: the place in the list must not tell what the machine has said.
        TO_READ = 58, _("To be read")
        SUSPECTED = 60, _("Tumour suspected")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    department = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="cases")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="cases")
    question = models.CharField(_("clinical question"), max_length=500, blank=True)
    study_date = models.DateField(null=True, blank=True)
    # Worklist order, derived from the analyses and reviews by services.triage; not a medical fact.
    triage = models.PositiveSmallIntegerField(choices=Triage.choices, default=Triage.EMPTY)
    # Within the ranked triages: the highest calibrated tumour probability, per mille; otherwise 0.
    urgency = models.PositiveSmallIntegerField(default=0)
    # Also for the worklist alone: the most pressing answer of the latest analyses, and who read last.
    outcome = models.CharField(max_length=10, blank=True)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="assigned_cases",
        db_index=False,
        verbose_name=_("assigned to"),
    )
    # The patient's reference and the question without regard to case.
    search_text = models.CharField(max_length=600, blank=True, editable=False)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="opened_cases"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CaseQuerySet.as_manager()

    # By descending probability of a tumour; every other triage is by arrival alone.
    RANKED = (Triage.SUSPECTED, Triage.UNCERTAIN)
    ORDER = ("-triage", "-urgency", "-created_at", "-id")

    class Meta:
        indexes = [
            models.Index(
                fields=["department", "-triage", "-urgency", "-created_at", "-id"], name="case_worklist"
            ),
            models.Index(
                fields=["-triage", "-urgency", "-created_at", "-id"], name="case_worklist_everywhere"
            ),
            models.Index(
                fields=["outcome", "-triage", "-urgency", "-created_at", "-id"], name="case_of_outcome"
            ),
            models.Index(
                fields=["reviewer", "-triage", "-urgency", "-created_at", "-id"],
                condition=Q(reviewer__isnull=False),
                name="case_of_reviewer",
            ),
            models.Index(
                fields=["assignee", "-triage", "-urgency", "-created_at", "-id"],
                condition=Q(assignee__isnull=False),
                name="case_of_assignee",
            ),
            models.Index(fields=["-created_at", "-id"], name="case_newest"),
        ]

    def __str__(self) -> str:
        return gettext("Case %s") % str(self.id)[:8]

    def save(self, *args: object, **kwargs: object) -> None:
        self.search_text = searchable(self.patient.reference, self.question)
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    @property
    def is_settled(self) -> bool:
        """Read as far as its department wants it, signed or not."""
        return self.triage <= self.Triage.REVIEWED

    @property
    def names_several_patients(self) -> bool:
        """Whether the files of its scans name more than one; those that name none say nothing."""
        digests = self.scans.exclude(patient_digest="").values_list("patient_digest", flat=True)
        return len(digests.distinct()[:2]) > 1


class ScanQuerySet(AppendOnlyRows, DepartmentQuerySet["Scan"]):
    department_path = "case__department"


class Scan(AppendOnlyModel):
    """DICOM's Series: one image series of one or more files. Never changed after the upload."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="scans")
    # SHA-256 over the files' digests in order: the same bytes in a case are the same scan.
    digest = models.CharField(max_length=64)
    facts = models.JSONField(default=dict)
    # Of the PatientID in its files and the case; empty where they name none.
    patient_digest = models.CharField(max_length=64, blank=True, editable=False)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="uploaded_scans"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScanQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "digest"], name="scan_bytes_once_in_case")]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="scan_newest"),
            models.Index(fields=["case", "created_at"], name="scan_in_case"),
        ]

    def __str__(self) -> str:
        return gettext("Scan %s") % str(self.id)[:8]

    @property
    def slices(self) -> int:
        return int(self.facts.get("frames") or 1)


class ScanFileQuerySet(AppendOnlyRows, DepartmentQuerySet["ScanFile"]):
    department_path = "scan__case__department"


class ScanFile(AppendOnlyModel):
    """One stored file. ``name`` is the storage key, made of random letters only."""

    scan = models.ForeignKey(Scan, on_delete=models.PROTECT, related_name="files")
    position = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=100, unique=True)
    original_name = models.CharField(max_length=255, blank=True)
    kind = models.CharField(max_length=16)
    size = models.PositiveBigIntegerField(help_text=_("bytes"))
    sha256 = models.CharField(max_length=64)

    objects = ScanFileQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["scan", "position"], name="scan_file_position"),
            models.CheckConstraint(condition=Q(size__gt=0), name="scan_file_not_empty"),
        ]

    def __str__(self) -> str:
        return f"File {self.position} of scan {str(self.scan_id)[:8]}"
