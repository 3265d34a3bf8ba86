"""Scans: taking them in, and the one way to their bytes."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext as _

from classifier.audit import Action, Actor, record
from classifier.errors import NotAllowed, NotFound
from classifier.models import Case, Scan, ScanFile
from classifier.services.analyses import queue_analysis
from classifier.services.files import CheckedScan, Shelf, stored
from classifier.services.originals import open_stored, storage_may_be_away
from classifier.services.triage import raise_triage_to_waiting


@dataclass(frozen=True)
class Upload:
    """One scan of an upload; ``created`` is False when the case already held the same bytes."""

    scan: Scan
    created: bool


def store_scans(*, actor: Actor, case: Case, scans: Sequence[CheckedScan]) -> list[Upload]:
    with stored(new_to(case, scans)) as shelf, transaction.atomic():
        uploads = take_in(actor=actor, case=case, scans=scans, shelf=shelf)
        shelf.seal()
    return uploads


def check_may_upload(*, actor: Actor, case: Case) -> None:
    user = actor.require_user()
    if not Case.objects.visible_to(user).filter(pk=case.pk).exists():
        raise NotFound("case")
    if not user.may_upload:
        raise NotAllowed(_("Only clinicians upload scans."))


def new_to(case: Case, scans: Sequence[CheckedScan]) -> list[CheckedScan]:
    """Those that ``case`` does not hold yet."""
    known = _known(case, scans)
    return [scan for scan in scans if scan.digest not in known]


def take_in(
    *, actor: Actor, case: Case, scans: Sequence[CheckedScan], shelf: Shelf, just_opened: bool = False
) -> list[Upload]:
    """The rows of each scan, inside the caller's transaction, which may have ``just_opened`` the case."""
    known = {} if just_opened else _known_from_here_on(case, scans)
    uploads = []
    for scan in scans:
        created = scan.digest not in known
        if created:
            known[scan.digest] = _create(actor, case, scan, shelf)
        uploads.append(Upload(known[scan.digest], created=created))
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
    with storage_may_be_away():
        handle = open_stored(file)
    record(Action.FILE_DOWNLOADED, actor=actor, about=file)
    return file, handle


def _known(case: Case, scans: Sequence[CheckedScan]) -> dict[str, Scan]:
    digests = {scan.digest for scan in scans}
    return {scan.digest: scan for scan in Scan.objects.filter(case=case, digest__in=digests)}


def _known_from_here_on(case: Case, scans: Sequence[CheckedScan]) -> dict[str, Scan]:
    """The lock lets one upload at a time into a case, so that the same bytes sent twice at once meet here."""
    Case.objects.select_for_update(no_key=True).values_list("pk").get(pk=case.pk)
    return _known(case, scans)


def _patient_digest(case: Case, patient: str) -> str:
    """Tells within the case alone whether two files name the same patient; there is no way back."""
    return hashlib.sha256(f"{case.pk} {patient}".encode()).hexdigest() if patient else ""


def _create(actor: Actor, case: Case, checked: CheckedScan, shelf: Shelf) -> Scan:
    scan = Scan.objects.create(
        case=case,
        digest=checked.digest,
        facts=checked.facts,
        patient_digest=_patient_digest(case, checked.patient),
        uploaded_by=actor.require_user(),
    )
    ScanFile.objects.bulk_create(
        ScanFile(
            scan=scan,
            position=position,
            name=shelf.take(item),
            original_name=item.name,
            kind=checked.facts["kind"],
            size=item.size,
            sha256=item.sha256,
        )
        for position, item in enumerate(checked.files)
    )
    record(
        Action.SCAN_UPLOADED,
        actor=actor,
        about=scan,
        sha256=scan.digest,
        files=len(checked.files),
        size=sum(item.size for item in checked.files),
        kind=checked.facts["kind"],
        identity_removed=checked.facts.get("identity_removed", False),
    )
    queue_analysis(actor=actor, scan=scan)
    return scan


def _file(scan: Scan, position: int) -> ScanFile:
    file = scan.files.select_related("scan").filter(position=position).first()
    if file is None:
        raise NotFound("file")
    return file
