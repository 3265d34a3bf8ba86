"""AuditEvent: who did what to what, from where, when. Reads are recorded too; append-only."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .append_only import AppendOnlyModel, AppendOnlyRows


class AuditEventQuerySet(AppendOnlyRows, models.QuerySet["AuditEvent"]):
    pass


class AuditEvent(AppendOnlyModel):
    class Action(models.TextChoices):
        SIGNED_IN = "signed_in", _("Signed in")
        SIGN_IN_FAILED = "sign_in_failed", _("Sign-in failed")
        LOCKED_OUT = "locked_out", _("Locked out")
        SIGNED_OUT = "signed_out", _("Signed out")
        PASSWORD_CHANGED = "password_changed", _("Password changed")
        PATIENT_VIEWED = "patient_viewed", _("Patient viewed")
        CASE_OPENED = "case_opened", _("Case opened")
        CASE_VIEWED = "case_viewed", _("Case viewed")
        CASE_ASSIGNED = "case_assigned", _("Case assigned")
        WORKLIST_VIEWED = "worklist_viewed", _("Worklist viewed")
        SCAN_UPLOADED = "scan_uploaded", _("Scan uploaded")
        SCAN_VIEWED = "scan_viewed", _("Scan viewed")
        IMAGE_VIEWED = "image_viewed", _("Image viewed")
        FILE_DOWNLOADED = "file_downloaded", _("File downloaded")
        ANALYSIS_REQUESTED = "analysis_requested", _("Analysis requested")
        ANALYSIS_FINISHED = "analysis_finished", _("Analysis finished")
        ANALYSIS_FAILED = "analysis_failed", _("Analysis failed")
        ANALYSIS_RECOVERED = "analysis_recovered", _("Analysis recovered")
        ANALYSIS_VIEWED = "analysis_viewed", _("Analysis viewed")
        REVIEW_SUBMITTED = "review_submitted", _("Review submitted")
        ADJUDICATED = "adjudicated", _("Adjudicated")
        REPORT_SIGNED = "report_signed", _("Report signed")
        REPORT_AMENDED = "report_amended", _("Report amended")
        REPORT_VIEWED = "report_viewed", _("Report viewed")
        REPORT_DOWNLOADED = "report_downloaded", _("Report downloaded")
        EXPORTED = "exported", _("Exported")
        RESTORED = "restored", _("Restored from a backup")
        TOKEN_ISSUED = "token_issued", _("Token issued")
        TOKEN_REVOKED = "token_revoked", _("Token revoked")
        MODEL_REGISTERED = "model_registered", _("Model registered")
        MODEL_ACTIVATED = "model_activated", _("Model activated")
        USER_CREATED = "user_created", _("User created")
        USER_CHANGED = "user_changed", _("User changed")
        PERMISSIONS_CHANGED = "permissions_changed", _("Permissions changed")
        DEPARTMENT_CREATED = "department_created", _("Department created")
        DEPARTMENT_RENAMED = "department_renamed", _("Department renamed")
        POLICY_CHANGED = "policy_changed", _("Reading policy changed")

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
    via = models.CharField(max_length=24, blank=True, help_text=_("page, api, admin, command or worker"))
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
