"""Uploads by people: each scan on its own, with what became of each file in words."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.files.base import File
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classifier import inference
from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import Case, Scan, ScanFile
from classifier.services.files import Incoming, check_count, safe_name, scans_in, unpack_one, within_limits
from classifier.services.identity import identity_removed
from classifier.services.scans import Upload, check_may_upload, store_scans

ACCEPTED, ALREADY_THERE, PARTLY, REFUSED = "accepted", "already_there", "partly", "refused"
ARRIVED = 20
"""So many scans a page of uploads names."""


@dataclass(frozen=True)
class FileResult:
    """``status`` is the HTTP status this file alone would get; ``code`` is empty unless it, or
    something in it, was refused.

    ``scan`` is the one that the file belongs to, or the first of an archive.
    """

    name: str
    state: str
    words: str
    status: int
    code: str = ""
    scan: Scan | None = None


def upload_each(
    *,
    actor: Actor,
    case: Case,
    files: Sequence[File],  # type: ignore[type-arg]
    remove_identity: bool = False,
) -> list[FileResult]:
    """Take in every scan; a bad file keeps out the series it belongs to, and no other.

    ``remove_identity`` takes the patient out of DICOM files before anything is stored. One result for each
    file, in their order. Raises `UserFacingError` for what concerns all of them:
    no file at all, or too many.
    """
    check_may_upload(actor=actor, case=case)
    if not files:
        raise UserFacingError("file_missing", _("Choose at least one image."))
    check_count(len(files))
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        found = [_unpacked(file, Path(folder) / str(place)) for place, file in enumerate(files)]
        items = within_limits(item for one in found if isinstance(one, list) for item in one)
        results = iter(_take_in(actor, case, items, remove_identity))
        return [
            one if isinstance(one, FileResult) else _of_one_file(file, [next(results) for _item in one])
            for file, one in zip(files, found, strict=True)
        ]


def arrived_from(*, actor: Actor, case: Case) -> QuerySet[Scan]:
    """The newest scans that this person has added, with the ``first_name`` and ``file_count`` of each."""
    files = ScanFile.objects.filter(scan=OuterRef("pk"))
    return (
        Scan.objects.visible_to(actor.require_user())
        .filter(case=case, uploaded_by=actor.require_user())
        .annotate(
            first_name=Subquery(files.order_by("position").values("original_name")[:1]),
            file_count=Subquery(files.order_by().values("scan").annotate(many=Count("pk")).values("many")),
        )
        .order_by("-created_at", "-pk")[:ARRIVED]
    )


def _unpacked(file: File, folder: Path) -> list[Incoming] | FileResult:  # type: ignore[type-arg]
    folder.mkdir()
    try:
        return unpack_one(file, folder)
    except UserFacingError as error:
        return _refused(_shown(file), error)


def _take_in(actor: Actor, case: Case, items: Sequence[Incoming], remove_identity: bool) -> list[FileResult]:
    """One result for each item, in their order."""
    results: dict[int, FileResult] = {}
    for group in inference.grouped([item.content for item in items]):
        members = [items[index] for index in group]
        results |= zip(group, _take_in_group(actor, case, members, remove_identity), strict=True)
    return [results[index] for index in range(len(items))]


def _take_in_group(
    actor: Actor, case: Case, items: Sequence[Incoming], remove_identity: bool
) -> Iterator[FileResult]:
    """The files of one series, all of them or none."""
    try:
        with identity_removed(items, wanted=remove_identity) as kept:
            uploads = _store(actor, case, kept)
    except UserFacingError as error:
        yield from _refusals(items, error)
        return
    for item, upload in zip(items, uploads, strict=True):
        yield _taken(item.name, upload)


def _store(actor: Actor, case: Case, items: Sequence[Incoming]) -> list[Upload]:
    """For each file the scan that it is part of."""
    scans = scans_in(items)
    uploads = store_scans(actor=actor, case=case, scans=scans)
    upload_of = {
        file.sha256: upload for scan, upload in zip(scans, uploads, strict=True) for file in scan.files
    }
    elsewhere = Upload(uploads[0].scan, created=False)  # for a copy of an image that is there in other bytes
    return [upload_of.get(item.sha256, elsewhere) for item in items]


def _refusals(items: Sequence[Incoming], error: UserFacingError) -> Iterator[FileResult]:
    """The file at fault says why; the others of its series say which one it is."""
    at_fault = getattr(error, "member", None)
    for index, item in enumerate(items):
        if at_fault is None or at_fault == index:
            yield _refused(item.name, error)
            continue
        words = _("Not taken: “%(name)s” of the same series cannot be read.") % {"name": items[at_fault].name}
        yield FileResult(item.name, REFUSED, words, 422, code="series_incomplete")


def _of_one_file(file: File, results: Sequence[FileResult]) -> FileResult:  # type: ignore[type-arg]
    """What became of a file that was sent: of all that it holds, where it is an archive."""
    name = _shown(file)
    if len(results) == 1:
        [one] = results
        return FileResult(name, one.state, one.words, one.status, one.code, one.scan)
    refused = next((one for one in results if one.state == REFUSED and one.code != "series_incomplete"), None)
    scans = {one.scan.pk: one for one in results if one.scan}
    if not scans and refused:
        return FileResult(name, REFUSED, _named(refused), refused.status, refused.code)
    first = next(iter(scans.values()))
    state = ACCEPTED if any(one.state == ACCEPTED for one in results) else ALREADY_THERE
    count = len(scans)
    words = ngettext("Holds %(count)d scan.", "Holds %(count)d scans.", count) % {"count": count}
    if refused is None:
        return FileResult(name, state, words, first.status, scan=first.scan)
    return FileResult(
        name, PARTLY, f"{words} {_left_out(results, refused)}", first.status, refused.code, first.scan
    )


def _left_out(results: Sequence[FileResult], refused: FileResult) -> str:
    count = sum(one.state == REFUSED for one in results)
    return ngettext(
        "%(count)d file was not taken: %(what)s", "%(count)d files were not taken, among them %(what)s", count
    ) % {"count": count, "what": _named(refused)}


def _named(refused: FileResult) -> str:
    return _("“%(name)s”: %(what)s") % {"name": refused.name, "what": refused.words}


def _refused(name: str, error: UserFacingError) -> FileResult:
    return FileResult(name, REFUSED, error.detail, error.status, code=error.code)


def _taken(name: str, upload: Upload) -> FileResult:
    if upload.created:
        return FileResult(
            name, ACCEPTED, _("Accepted; the analysis has been asked for."), 201, scan=upload.scan
        )
    return FileResult(
        name, ALREADY_THERE, _("This case already holds the same image."), 200, scan=upload.scan
    )


def _shown(file: File) -> str:  # type: ignore[type-arg]
    return safe_name(file.name or "") or _("file without a name")
