"""The tables, in DICOM's and radiology's words. Models know neither services nor requests."""

from .analysis import Analysis, ModelVersion, Review, WorkerHeartbeat
from .audit import AuditEvent
from .cases import Case, Patient, Scan, ScanFile
from .reading import Adjudication, Answer, DepartmentPolicy, Report, ReportedAnalysis
from .tokens import ApiToken, IdempotencyKey
from .users import Role, User
from .worklist import SavedView

__all__ = [
    "Adjudication",
    "Analysis",
    "Answer",
    "ApiToken",
    "AuditEvent",
    "Case",
    "DepartmentPolicy",
    "IdempotencyKey",
    "ModelVersion",
    "Patient",
    "Report",
    "ReportedAnalysis",
    "Review",
    "Role",
    "SavedView",
    "Scan",
    "ScanFile",
    "User",
    "WorkerHeartbeat",
]
