"""Files on their way in: unpacked, read by their content, then stored before any row names them."""

import hashlib
import logging
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeAlias

from django.conf import settings
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from classifier import inference, storage
from classifier.errors import UserFacingError

logger = logging.getLogger(__name__)
Sent: TypeAlias = "File[Any]"


@dataclass(frozen=True)
class Incoming:
    """A file as it was sent, or as it lay in an archive that was sent as file number ``sent``."""

    content: bytes | Path
    name: str
    sent: int
    packed: bool = False
    identity_removed: bool = False

    @cached_property
    def sha256(self) -> str:
        if isinstance(self.content, bytes):
            return hashlib.sha256(self.content).hexdigest()
        with self.content.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()

    @property
    def size(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size

    @contextmanager
    def opened(self) -> Iterator[Sent]:
        if isinstance(self.content, bytes):
            yield ContentFile(self.content)
            return
        with self.content.open("rb") as handle:
            yield File(handle)


@dataclass(frozen=True)
class CheckedScan:
    """Files in slice order that hold one series; ``facts`` identify nobody, ``patient`` (PatientID) does."""

    files: tuple[Incoming, ...]
    facts: dict[str, Any]
    patient: str = ""

    @cached_property
    def digest(self) -> str:
        """Over the files' digests in order: the same bytes are the same scan."""
        return hashlib.sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()


class Shelf:
    """Stored files that wait for their rows."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()

    def put(self, item: Incoming) -> None:
        if item.sha256 in self._names:
            return
        # Noted first: a disk that fills up leaves half a file.
        self._names[item.sha256] = storage.new_name()
        try:
            with item.opened() as file:
                self._names[item.sha256] = default_storage.save(self._names[item.sha256], file)
        except storage.ERRORS as error:
            logger.exception("A file could not be stored")
            raise UserFacingError(
                "storage_unavailable", _("The image could not be stored; try again later."), status=503
            ) from error

    def take(self, item: Incoming) -> str:
        """The storage name for a row."""
        self._taken.add(item.sha256)
        return self._names[item.sha256]

    def seal(self) -> None:
        """Every row is written and only the commit is left.

        From here on no taken file is deleted: a commit may have succeeded though its answer was lost.
        """
        for sha256 in self._taken:
            del self._names[sha256]
        self._taken.clear()

    def clear(self) -> None:
        for name in self._names.values():
            try:
                default_storage.delete(name)
            except storage.ERRORS:
                logger.exception("A file of a failed upload could not be deleted")


@contextmanager
def stored(scans: Iterable[CheckedScan]) -> Iterator[Shelf]:
    """The files on a shelf; those that no sealed row has taken go again at the end.

    Opened outside the transaction, so that a slow disk or bucket never holds a lock.
    """
    shelf = Shelf()
    try:
        for scan in scans:
            for item in scan.files:
                shelf.put(item)
        yield shelf
    finally:
        shelf.clear()


@contextmanager
def unpacked(sent: Sequence[Sent]) -> Iterator[list[Incoming]]:
    """The files that were sent, those of archives in the archives' places, as long as the context lasts."""
    if not sent:
        raise UserFacingError("file_missing", _("Send at least one image in the field “file”."))
    check_count(len(sent))
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        yield within_limits(item for index in range(len(sent)) for item in _unpack(sent, index, Path(folder)))


def unpack_one(sent: Sent, folder: Path) -> list[Incoming]:
    """What one file that was sent stands for: itself, or what it holds."""
    return within_limits(_unpack([sent], 0, folder))


def read_scans(files: Sequence[Incoming], *, sent: int) -> list[CheckedScan]:
    """`scans_in`; a refusal says which of ``sent`` files it is about."""
    with telling_which(files, sent=sent):
        return scans_in(files)


@contextmanager
def telling_which(files: Sequence[Incoming], *, sent: int) -> Iterator[None]:
    """A refusal of one of ``files`` says which of the ``sent`` files it is about."""
    try:
        yield
    except inference.BadImage as error:
        if error.member is None:
            raise
        raise _placed(error, files[error.member], sent) from error


def scans_in(files: Sequence[Incoming]) -> list[CheckedScan]:
    """The scans in the files, in the order of their first files; every file must be an image.

    The same file twice counts once; its scan is named twice all the same where it has no other file.
    """
    first = {item.sha256: index for index, item in reversed(list(enumerate(files)))}
    once = sorted(first.values())
    scan_of = {item.sha256: scan for scan in _read(files, once) for item in scan.files}
    scans: list[CheckedScan] = []
    named: set[str] = set()
    for item in files:
        scan = scan_of.get(item.sha256)  # none for a copy of a DICOM image in other bytes
        if scan and (len(scan.files) == 1 or scan.digest not in named):
            scans.append(scan)
            named.add(scan.digest)
    return scans


def check_count(files: int) -> None:
    if files > settings.MAX_UPLOAD_FILES:
        detail = _("At most %(count)d files are taken at once.") % {"count": settings.MAX_UPLOAD_FILES}
        raise UserFacingError("too_many_files", detail, status=413)


def within_limits(items: Iterable[Incoming]) -> list[Incoming]:
    """All of them, refused as soon as they are too many or too large together."""
    kept, total = [], 0
    for item in items:
        kept.append(item)
        total += item.size
        check_count(len(kept))
        if total > settings.MAX_UPLOAD_TOTAL_BYTES:
            megabytes = settings.MAX_UPLOAD_TOTAL_BYTES // 2**20
            detail = _("An upload may have at most %(megabytes)d MB.") % {"megabytes": megabytes}
            raise UserFacingError("too_many_bytes", detail, status=413)
    return kept


def safe_name(name: str) -> str:
    """What may be shown of a name a stranger chose: no folders, no control letters, at most 255 letters."""
    name = PurePosixPath(PureWindowsPath(name.replace("\0", "")).name).name
    printable = "".join(letter for letter in name if unicodedata.category(letter)[0] != "C")
    return "" if printable == ".." else printable[-255:]


def too_many_bytes() -> UserFacingError:
    megabytes = settings.MAX_UPLOAD_BYTES // 2**20
    detail = _("A file may have at most %(megabytes)d MB.") % {"megabytes": megabytes}
    return UserFacingError("image_too_many_bytes", detail, status=413)


def _unpack(sent: Sequence[Sent], index: int, folder: Path) -> Iterator[Incoming]:
    content, name = _content(sent[index]), safe_name(sent[index].name or "")
    if not inference.is_archive(content):
        if (sent[index].size or 0) > settings.MAX_UPLOAD_BYTES:
            raise too_many_bytes()
        yield Incoming(content, name, index)
        return
    with _telling_where(Incoming(content, name, index), len(sent)):
        for number, (member, data) in enumerate(inference.unpack(content)):
            path = folder / f"{index}-{number}"
            path.write_bytes(data)
            yield Incoming(path, safe_name(member), index, packed=True)


def _content(file: Sent) -> bytes | Path:
    """Where Django has spooled the file; its bytes where it has kept them."""
    if hasattr(file, "temporary_file_path"):
        return Path(file.temporary_file_path())
    file.seek(0)
    return bytes(file.read())


def _read(files: Sequence[Incoming], chosen: Sequence[int]) -> Iterator[CheckedScan]:
    try:
        for series in inference.read_series([files[index].content for index in chosen]):
            members = tuple(files[chosen[member]] for member in series.members)
            told = {"identity_removed": True} if members[0].identity_removed else {}
            yield CheckedScan(members, series.facts | told, series.patient)
    except inference.BadImage as error:
        member = None if error.member is None else chosen[error.member]
        raise inference.BadImage(error.code, error.detail, member=member) from error


@contextmanager
def _telling_where(item: Incoming, sent: int) -> Iterator[None]:
    try:
        yield
    except inference.BadImage as error:
        raise _placed(error, item, sent) from error


def _placed(error: inference.BadImage, item: Incoming, sent: int) -> inference.BadImage:
    """The same refusal, which tells of which file it is where there are several."""
    detail = error.detail
    if item.packed:
        detail = _("“%(name)s”: %(what)s") % {"name": item.name, "what": detail}
    if sent > 1:
        place = {"number": item.sent + 1, "count": sent, "what": detail}
        detail = _("File %(number)d of %(count)d: %(what)s") % place
    return inference.BadImage(error.code, detail)
