"""AuditEvent: who did what to what, from where, when. Reads are recorded too; append-only."""

from django.conf import settings
from django.db import models

from .append_only import AppendOnlyModel, AppendOnlyRows


class AuditEventQuerySet(AppendOnlyRows, models.QuerySet["AuditEvent"]):
    pass


class AuditEvent(AppendOnlyModel):
    class Action(models.TextChoices):
        SIGNED_IN = "signed_in", "Signed in"
        SIGN_IN_FAILED = "sign_in_failed", "Sign-in failed"
        LOCKED_OUT = "locked_out", "Locked out"
        SIGNED_OUT = "signed_out", "Signed out"
        PASSWORD_CHANGED = "password_changed", "Password changed"
        PATIENT_VIEWED = "patient_viewed", "Patient viewed"
        CASE_OPENED = "case_opened", "Case opened"
        CASE_VIEWED = "case_viewed", "Case viewed"
        WORKLIST_VIEWED = "worklist_viewed", "Worklist viewed"
        SCAN_UPLOADED = "scan_uploaded", "Scan uploaded"
        SCAN_VIEWED = "scan_viewed", "Scan viewed"
        IMAGE_VIEWED = "image_viewed", "Image viewed"
        FILE_DOWNLOADED = "file_downloaded", "File downloaded"
        ANALYSIS_REQUESTED = "analysis_requested", "Analysis requested"
        ANALYSIS_FINISHED = "analysis_finished", "Analysis finished"
        ANALYSIS_FAILED = "analysis_failed", "Analysis failed"
        ANALYSIS_RECOVERED = "analysis_recovered", "Analysis recovered"
        ANALYSIS_VIEWED = "analysis_viewed", "Analysis viewed"
        REVIEW_SUBMITTED = "review_submitted", "Review submitted"
        EXPORTED = "exported", "Exported"
        RESTORED = "restored", "Restored from a backup"
        TOKEN_ISSUED = "token_issued", "Token issued"
        TOKEN_REVOKED = "token_revoked", "Token revoked"
        MODEL_REGISTERED = "model_registered", "Model registered"
        MODEL_ACTIVATED = "model_activated", "Model activated"
        USER_CREATED = "user_created", "User created"
        USER_CHANGED = "user_changed", "User changed"
        PERMISSIONS_CHANGED = "permissions_changed", "Permissions changed"
        DEPARTMENT_CREATED = "department_created", "Department created"
        DEPARTMENT_RENAMED = "department_renamed", "Department renamed"

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="audit_events"
    )
    # The name survives a rename and tells who tried when no account matched.
    actor_name = models.CharField(max_length=150, blank=True)
    action = models.CharField(max_length=24, choices=Action.choices)
    object_type = models.CharField(max_length=24, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    # Unconstrained copy of the case's key, so that a case's history is one index lookup.
    case_id = models.UUIDField(null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    via = models.CharField(max_length=24, blank=True, help_text="page, api, admin, command or worker")
    detail = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="audit_newest"),
            models.Index(fields=["case_id", "-created_at"], name="audit_of_case"),
            models.Index(fields=["actor_name", "-created_at"], name="audit_of_name"),
            models.Index(fields=["action", "-created_at"], name="audit_of_action"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name or 'system'} {self.action} {self.object_type} {self.object_id}".strip()
