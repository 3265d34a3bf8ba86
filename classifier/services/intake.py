"""Uploads by programs: into a known case or a new one, all or none, and once however often they are sent."""

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date

from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from classifier.audit import Actor
from classifier.errors import Conflict, NotFound, UserFacingError
from classifier.models import Case, IdempotencyKey, Scan, User
from classifier.services.cases import clean_reference, find_case, open_case
from classifier.services.files import CheckedScan, Incoming, read_scans, stored, telling_which, unpacked
from classifier.services.identity import identity_removed
from classifier.services.scans import Upload, check_may_upload, new_to, take_in

KEY_PATTERN = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True)
class Destination:
    """An existing case, or what is needed to open one.

    With ``case_id`` the other fields are empty, save ``patient``, which then must be the case's own.
    """

    case_id: uuid.UUID | None = None
    patient: str = ""
    department: str = ""
    question: str = ""
    study_date: date | None = None


class _KeyTaken(Exception):
    """Another request has used the key since we looked."""


def receive_scans(
    *,
    actor: Actor,
    files: Sequence[File],  # type: ignore[type-arg]
    destination: Destination,
    key: str = "",
    one_scan: bool = False,
    remove_identity: bool | None = None,
) -> list[Upload]:
    """Take in ``files`` as scans, opening a case when ``destination`` names none: everything or nothing.

    With ``one_scan`` files that are several scans are refused. ``remove_identity`` takes the patient out of
    DICOM files; None is what the installation does.

    A ``key`` makes a retry return what the first attempt made; an attempt that failed leaves it free.
    """
    case = _named_case(actor, destination)
    wanted = settings.REMOVE_IDENTITY if remove_identity is None else remove_identity
    with _nameless(files, wanted=wanted) as incoming:
        scans = read_scans(incoming, sent=len(files))
        if one_scan and len(scans) > 1:
            raise UserFacingError("one_scan_only", _("Send the files of one scan at a time here."))
        digest = _digest(destination, scans)
        if key and (row := _used(actor, _clean_key(key))):
            return _replay(actor, row, digest, scans)
        try:
            return _take_in(actor, case, destination, scans, key, digest)
        except _KeyTaken:
            return _replay(actor, IdempotencyKey.objects.get(user=actor.user, key=key), digest, scans)


@contextmanager
def _nameless(files: Sequence[File], *, wanted: bool) -> Iterator[list[Incoming]]:  # type: ignore[type-arg]
    sent = len(files)
    with (
        unpacked(files) as incoming,
        telling_which(incoming, sent=sent),
        identity_removed(incoming, wanted=wanted) as items,
    ):
        yield items


def _named_case(actor: Actor, destination: Destination) -> Case | None:
    if destination.case_id is None:
        return None
    if destination.department or destination.question or destination.study_date:
        raise UserFacingError(
            "case_exists", _("The department, question and study date belong to a new case; leave them out.")
        )
    case = find_case(actor=actor, case_id=destination.case_id)
    check_may_upload(actor=actor, case=case)
    if destination.patient and clean_reference(destination.patient) != case.patient.reference:
        raise Conflict("patient_mismatch", _("The case is of another patient than the one named."))
    return case


def _take_in(
    actor: Actor,
    case: Case | None,
    destination: Destination,
    scans: Sequence[CheckedScan],
    key: str,
    digest: str,
) -> list[Upload]:
    with stored(new_to(case, scans) if case else scans) as shelf, transaction.atomic():
        row = _claim(actor.require_user(), key, digest) if key else None
        uploads = take_in(
            actor=actor,
            case=case or _open(actor, destination),
            scans=scans,
            shelf=shelf,
            just_opened=case is None,
        )
        if row is not None:
            row.scans.set(upload.scan for upload in uploads)
        shelf.seal()
    return uploads


def _open(actor: Actor, destination: Destination) -> Case:
    return open_case(
        actor=actor,
        patient_reference=destination.patient,
        department=destination.department,
        question=destination.question,
        study_date=destination.study_date,
    )


def _claim(user: User, key: str, digest: str) -> IdempotencyKey:
    """The row comes first: a second request with the key waits here until the first has ended."""
    try:
        with transaction.atomic():
            return IdempotencyKey.objects.create(user=user, key=key, request_digest=digest)
    except IntegrityError as error:
        raise _KeyTaken from error


def _used(actor: Actor, key: str) -> IdempotencyKey | None:
    return IdempotencyKey.objects.filter(user=actor.require_user(), key=key).first()


def _replay(actor: Actor, row: IdempotencyKey, digest: str, scans: Sequence[CheckedScan]) -> list[Upload]:
    if row.request_digest != digest:
        raise UserFacingError(
            "idempotency_key_reused", _("This Idempotency-Key came with another upload before."), status=422
        )
    visible = Scan.objects.visible_to(actor.require_user()).filter(pk__in=row.scans.values("pk"))
    kept = {scan.digest: scan for scan in visible.select_related("case__patient", "case__department")}
    if not kept:
        raise NotFound("scan")
    return [Upload(kept[scan.digest], created=False) for scan in scans]


def _clean_key(key: str) -> str:
    if not KEY_PATTERN.fullmatch(key):
        raise UserFacingError(
            "idempotency_key_invalid",
            _("An Idempotency-Key has 1 to 255 printable ASCII letters, no spaces."),
        )
    return key


def _digest(destination: Destination, scans: Sequence[CheckedScan]) -> str:
    described = asdict(destination) | {"files": [item.sha256 for scan in scans for item in scan.files]}
    return hashlib.sha256(json.dumps(described, default=str, sort_keys=True).encode()).hexdigest()
