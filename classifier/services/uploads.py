"""Uploads by people: each file on its own, with what became of it in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.files.base import File
from django.utils.translation import gettext as _

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import Case, Scan
from classifier.services.files import safe_name
from classifier.services.scans import Upload, upload_scans

ACCEPTED, ALREADY_THERE, REFUSED = "accepted", "already_there", "refused"


@dataclass(frozen=True)
class FileResult:
    """``status`` is the HTTP status this file alone would get; ``code`` is empty unless it was refused."""

    name: str
    state: str
    words: str
    status: int
    code: str = ""
    scan: Scan | None = None


def upload_each(*, actor: Actor, case: Case, files: Sequence[File]) -> list[FileResult]:  # type: ignore[type-arg]
    """Take in every file that is an image; a bad one does not keep the others out.

    Raises `UserFacingError` for what concerns all of them: no file at all, or too many.
    """
    if not files:
        raise UserFacingError("file_missing", _("Choose at least one image."))
    if len(files) > settings.MAX_UPLOAD_FILES:
        raise UserFacingError(
            "too_many_files",
            _("At most %(count)d files are taken at once.") % {"count": settings.MAX_UPLOAD_FILES},
            status=413,
        )
    return [_upload(actor, case, file) for file in files]


def _upload(actor: Actor, case: Case, file: File) -> FileResult:  # type: ignore[type-arg]
    name = safe_name(file.name or "") or _("file without a name")
    try:
        [upload] = upload_scans(actor=actor, case=case, files=[file])
    except UserFacingError as error:
        return FileResult(name, REFUSED, error.detail, error.status, code=error.code)
    return _taken(name, upload)


def _taken(name: str, upload: Upload) -> FileResult:
    if upload.created:
        return FileResult(
            name, ACCEPTED, _("Accepted; the analysis has been asked for."), 201, scan=upload.scan
        )
    return FileResult(
        name, ALREADY_THERE, _("This case already holds the same image."), 200, scan=upload.scan
    )
