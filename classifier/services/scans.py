"""Taking in image files, and the one way to their bytes."""

import hashlib
import logging
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from classifier import inference, storage
from classifier.audit import Action, Actor, record
from classifier.errors import NotAllowed, NotFound, UserFacingError
from classifier.models import Case, Scan, ScanFile
from classifier.services.analyses import queue_analysis
from classifier.services.triage import refresh_triage

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upload:
    """One scan of an upload; ``created`` is False when the case already held the same bytes."""

    scan: Scan
    created: bool


@dataclass(frozen=True)
class _Checked:
    file: File  # type: ignore[type-arg]
    original_name: str
    sha256: str
    facts: dict[str, Any]


def upload_scans(*, actor: Actor, case: Case, files: Sequence[File]) -> list[Upload]:  # type: ignore[type-arg]
    """Store each file as a scan of ``case`` and queue its analysis: all of them or none.

    Every file is decoded before anything is kept; bad input leaves no row and no file behind.
    """
    _check_may_upload(actor, case)
    checked = [_check(file) for file in _within_count(files)]
    stored: list[str] = []
    try:
        with transaction.atomic():
            return [_take_in(actor, case, item, stored) for item in checked]
    except BaseException:
        _delete_quietly(stored)
        raise


def find_scan(*, actor: Actor, scan_id: uuid.UUID | str) -> Scan:
    scan = (
        Scan.objects.visible_to(actor.require_user())
        .select_related("case__patient", "case__department")
        .filter(pk=scan_id)
        .first()
    )
    if scan is None:
        raise NotFound("scan")
    return scan


def view_scan(*, actor: Actor, scan_id: uuid.UUID | str) -> Scan:
    """The scan, with the look at it recorded."""
    scan = find_scan(actor=actor, scan_id=scan_id)
    record(Action.SCAN_VIEWED, actor=actor, about=scan)
    return scan


def download_file(*, actor: Actor, scan_id: uuid.UUID | str, position: int = 0) -> tuple[ScanFile, File]:  # type: ignore[type-arg]
    """The stored file as it was uploaded, with the look at it recorded."""
    file = _file(find_scan(actor=actor, scan_id=scan_id), position)
    handle = default_storage.open(file.name)
    record(Action.FILE_DOWNLOADED, actor=actor, about=file)
    return file, handle


def view_picture(
    *, actor: Actor, scan_id: uuid.UUID | str, index: int = 0, max_side: int | None = None
) -> bytes:
    """A slice of the scan as PNG for a browser, with the look at it recorded."""
    file = _file(find_scan(actor=actor, scan_id=scan_id), 0)
    with default_storage.open(file.name) as handle:
        png = inference.picture(handle, index=index, max_side=max_side)
    record(Action.IMAGE_VIEWED, actor=actor, about=file, index=index)
    return png


def scan_bytes(scan: Scan) -> list[bytes]:
    """All files of a scan in order, each compared with the digest taken at upload."""
    contents = []
    for file in scan.files.all():
        with default_storage.open(file.name) as handle:
            data = handle.read()
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise UserFacingError("file_altered", "A stored image differs from what was uploaded.")
        contents.append(data)
    return contents


def _check_may_upload(actor: Actor, case: Case) -> None:
    user = actor.require_user()
    if not Case.objects.visible_to(user).filter(pk=case.pk).exists():
        raise NotFound("case")
    if not user.may_upload:
        raise NotAllowed("Only clinicians upload scans.")


def _within_count(files: Sequence[File]) -> Sequence[File]:  # type: ignore[type-arg]
    if not files:
        raise UserFacingError("file_missing", "Send at least one image in the field “file”.")
    if len(files) > settings.MAX_UPLOAD_FILES:
        raise UserFacingError(
            "too_many_files", f"At most {settings.MAX_UPLOAD_FILES} files are taken at once.", status=413
        )
    return files


def _check(file: File) -> _Checked:  # type: ignore[type-arg]
    if (file.size or 0) > settings.MAX_UPLOAD_BYTES:
        megabytes = settings.MAX_UPLOAD_BYTES // 2**20
        raise UserFacingError("image_too_many_bytes", f"A file may have at most {megabytes} MB.", status=413)
    file.seek(0)
    data = file.read()
    image = inference.read_image(data)
    return _Checked(
        file=file,
        original_name=safe_name(file.name or ""),
        sha256=hashlib.sha256(data).hexdigest(),
        facts=image.facts.as_dict(),
    )


def safe_name(name: str) -> str:
    """What may be shown of a name a stranger chose: no folders, no control letters, at most 255 letters."""
    name = PurePosixPath(PureWindowsPath(name.replace("\0", "")).name).name
    printable = "".join(letter for letter in name if unicodedata.category(letter)[0] != "C")
    return printable[-255:]


def _take_in(actor: Actor, case: Case, item: _Checked, stored: list[str]) -> Upload:
    digest = hashlib.sha256(item.sha256.encode()).hexdigest()
    known = Scan.objects.filter(case=case, digest=digest).first()
    if known is None:
        try:
            with transaction.atomic():
                return Upload(_create(actor, case, digest, item, stored), created=True)
        except IntegrityError:
            # The same bytes arrived twice at once; the other request won.
            known = Scan.objects.get(case=case, digest=digest)
    return Upload(known, created=False)


def _create(actor: Actor, case: Case, digest: str, item: _Checked, stored: list[str]) -> Scan:
    scan = Scan.objects.create(case=case, digest=digest, facts=item.facts, uploaded_by=actor.require_user())
    item.file.seek(0)
    name = default_storage.save(storage.new_name(), item.file)
    stored.append(name)
    file = ScanFile.objects.create(
        scan=scan,
        name=name,
        original_name=item.original_name,
        kind=item.facts["kind"],
        size=item.file.size,
        sha256=item.sha256,
    )
    record(Action.SCAN_UPLOADED, actor=actor, about=scan, sha256=file.sha256, size=file.size, kind=file.kind)
    queue_analysis(actor=actor, scan=scan)
    refresh_triage(case_id=case.pk)
    return scan


def _file(scan: Scan, position: int) -> ScanFile:
    file = scan.files.select_related("scan").filter(position=position).first()
    if file is None:
        raise NotFound("file")
    return file


def _delete_quietly(names: Sequence[str]) -> None:
    for name in names:
        try:
            default_storage.delete(name)
        except OSError:
            logger.exception("A file of a failed upload could not be deleted")
