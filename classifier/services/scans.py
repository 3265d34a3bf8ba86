"""Scans: taking them in, and the one way to their bytes."""

import hashlib
import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from classifier import inference
from classifier.audit import Action, Actor, record
from classifier.errors import NotAllowed, NotFound, UserFacingError
from classifier.models import Case, Scan, ScanFile
from classifier.services.analyses import queue_analysis
from classifier.services.files import STORAGE_ERRORS, CheckedFile, Shelf, check_files, stored
from classifier.services.triage import raise_triage_to_waiting

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Upload:
    """One scan of an upload; ``created`` is False when the case already held the same bytes."""

    scan: Scan
    created: bool


def upload_scans(*, actor: Actor, case: Case, files: Sequence[File]) -> list[Upload]:  # type: ignore[type-arg]
    """Store each file as a scan of ``case`` and queue its analysis: all of them or none.

    Every file is decoded before anything is kept; bad input leaves no row and no file behind.
    """
    check_may_upload(actor=actor, case=case)
    checked = check_files(files)
    with stored(new_to(case, checked)) as shelf, transaction.atomic():
        uploads = take_in(actor=actor, case=case, files=checked, shelf=shelf)
        shelf.seal()
    return uploads


def check_may_upload(*, actor: Actor, case: Case) -> None:
    user = actor.require_user()
    if not Case.objects.visible_to(user).filter(pk=case.pk).exists():
        raise NotFound("case")
    if not user.may_upload:
        raise NotAllowed(_("Only clinicians upload scans."))


def new_to(case: Case, files: Sequence[CheckedFile]) -> list[CheckedFile]:
    """The files that are not yet scans of ``case``."""
    known = _known(case, files)
    return [item for item in files if item.scan_digest not in known]


def take_in(
    *, actor: Actor, case: Case, files: Sequence[CheckedFile], shelf: Shelf, just_opened: bool = False
) -> list[Upload]:
    """The rows of each file, inside the caller's transaction, which may have ``just_opened`` the case."""
    known = {} if just_opened else _known_from_here_on(case, files)
    uploads = []
    for item in files:
        created = item.scan_digest not in known
        if created:
            known[item.scan_digest] = _create(actor, case, item, shelf.take(item))
        uploads.append(Upload(known[item.scan_digest], created=created))
    if any(upload.created for upload in uploads):
        raise_triage_to_waiting(case_id=case.pk)
    return uploads


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
    record_scan_view(actor=actor, scan=scan)
    return scan


def record_scan_view(*, actor: Actor, scan: Scan) -> None:
    record(Action.SCAN_VIEWED, actor=actor, about=scan)


def download_file(*, actor: Actor, scan_id: uuid.UUID | str, position: int = 0) -> tuple[ScanFile, File]:  # type: ignore[type-arg]
    """The stored file as it was uploaded, with the look at it recorded."""
    file = _file(find_scan(actor=actor, scan_id=scan_id), position)
    with _storage_may_be_away():
        handle = _open(file)
    record(Action.FILE_DOWNLOADED, actor=actor, about=file)
    return file, handle


def view_picture(
    *, actor: Actor, scan_id: uuid.UUID | str, index: int = 0, max_side: int | None = None
) -> bytes:
    """A slice of the scan as PNG for a browser, with the look at it recorded."""
    file = _file(find_scan(actor=actor, scan_id=scan_id), 0)
    with _storage_may_be_away(), _open(file) as handle:
        png = inference.picture(handle, index=index, max_side=max_side)
    record(Action.IMAGE_VIEWED, actor=actor, about=file, index=index)
    return png


def scan_bytes(scan: Scan) -> list[bytes]:
    """All files of a scan in order, each compared with the digest taken at upload."""
    contents = []
    for file in scan.files.all():
        with _open(file) as handle:
            data = handle.read()
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise UserFacingError("file_altered", _("A stored image differs from what was uploaded."))
        contents.append(data)
    return contents


@contextmanager
def _storage_may_be_away() -> Iterator[None]:
    """For a person at a door, who can try again; a worker's attempts are counted instead."""
    try:
        yield
    except STORAGE_ERRORS as error:
        logger.exception("The storage does not answer")
        raise UserFacingError(
            "storage_unavailable", _("The image cannot be read for the moment; try again later."), status=503
        ) from error


def _open(file: ScanFile) -> File:  # type: ignore[type-arg]
    try:
        return default_storage.open(file.name)
    except FileNotFoundError as error:
        logger.error("A stored file of scan %s is missing", file.scan_id)
        raise UserFacingError(
            "file_lost", _("A stored image is missing; tell whoever runs the portal."), status=500
        ) from error


def _known(case: Case, files: Sequence[CheckedFile]) -> dict[str, Scan]:
    digests = {item.scan_digest for item in files}
    return {scan.digest: scan for scan in Scan.objects.filter(case=case, digest__in=digests)}


def _known_from_here_on(case: Case, files: Sequence[CheckedFile]) -> dict[str, Scan]:
    """The lock lets one upload at a time into a case, so that the same bytes sent twice at once meet here."""
    Case.objects.select_for_update(no_key=True).values_list("pk").get(pk=case.pk)
    return _known(case, files)


def _create(actor: Actor, case: Case, item: CheckedFile, name: str) -> Scan:
    scan = Scan.objects.create(
        case=case, digest=item.scan_digest, facts=item.facts, uploaded_by=actor.require_user()
    )
    file = ScanFile.objects.create(
        scan=scan,
        name=name,
        original_name=item.original_name,
        kind=item.facts["kind"],
        size=item.size,
        sha256=item.sha256,
    )
    record(Action.SCAN_UPLOADED, actor=actor, about=scan, sha256=file.sha256, size=file.size, kind=file.kind)
    queue_analysis(actor=actor, scan=scan)
    return scan


def _file(scan: Scan, position: int) -> ScanFile:
    file = scan.files.select_related("scan").filter(position=position).first()
    if file is None:
        raise NotFound("file")
    return file
