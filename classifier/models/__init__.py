"""The tables, in DICOM's and radiology's words. Models know neither services nor requests."""

from .analysis import Analysis, ModelVersion, Review, WorkerHeartbeat
from .audit import AuditEvent
from .cases import Case, Patient, Scan, ScanFile
from .tokens import ApiToken, IdempotencyKey
from .users import Role, User

__all__ = [
    "Analysis",
    "ApiToken",
    "AuditEvent",
    "Case",
    "IdempotencyKey",
    "ModelVersion",
    "Patient",
    "Review",
    "Role",
    "Scan",
    "ScanFile",
    "User",
    "WorkerHeartbeat",
]
