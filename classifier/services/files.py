"""Files on their way in: checked by their content, then stored before any row names them."""

import hashlib
import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from classifier import inference, storage
from classifier.errors import UserFacingError

logger = logging.getLogger(__name__)
STORAGE_ERRORS = (OSError, BotoCoreError, ClientError)


@dataclass(frozen=True)
class CheckedFile:
    """A file that holds an image; ``sha256`` is of its bytes, ``facts`` identify nobody."""

    file: File  # type: ignore[type-arg]
    original_name: str
    size: int
    sha256: str
    facts: dict[str, Any]

    @cached_property
    def scan_digest(self) -> str:
        """The digest of the scan that consists of this file alone."""
        return hashlib.sha256(self.sha256.encode()).hexdigest()


class Shelf:
    """Stored files that wait for their rows."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()

    def put(self, item: CheckedFile) -> None:
        if item.sha256 in self._names:
            return
        item.file.seek(0)
        # Noted first: a disk that fills up leaves half a file.
        self._names[item.sha256] = storage.new_name()
        try:
            self._names[item.sha256] = default_storage.save(self._names[item.sha256], item.file)
        except STORAGE_ERRORS as error:
            logger.exception("A file could not be stored")
            raise UserFacingError(
                "storage_unavailable", _("The image could not be stored; try again later."), status=503
            ) from error

    def take(self, item: CheckedFile) -> str:
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
            except STORAGE_ERRORS:
                logger.exception("A file of a failed upload could not be deleted")


@contextmanager
def stored(files: Iterable[CheckedFile]) -> Iterator[Shelf]:
    """The files on a shelf; those that no sealed row has taken go again at the end.

    Opened outside the transaction, so that a slow disk or bucket never holds a lock.
    """
    shelf = Shelf()
    try:
        for item in files:
            shelf.put(item)
        yield shelf
    finally:
        shelf.clear()


def check_files(files: Sequence[File]) -> list[CheckedFile]:  # type: ignore[type-arg]
    """Decode every file; nothing is kept unless all of them are images."""
    if not files:
        raise UserFacingError("file_missing", _("Send at least one image in the field “file”."))
    if len(files) > settings.MAX_UPLOAD_FILES:
        raise UserFacingError(
            "too_many_files",
            _("At most %(count)d files are taken at once.") % {"count": settings.MAX_UPLOAD_FILES},
            status=413,
        )
    return [_check_one_of(files, index) for index in range(len(files))]


def safe_name(name: str) -> str:
    """What may be shown of a name a stranger chose: no folders, no control letters, at most 255 letters."""
    name = PurePosixPath(PureWindowsPath(name.replace("\0", "")).name).name
    printable = "".join(letter for letter in name if unicodedata.category(letter)[0] != "C")
    return "" if printable == ".." else printable[-255:]


def too_many_bytes() -> UserFacingError:
    megabytes = settings.MAX_UPLOAD_BYTES // 2**20
    return UserFacingError(
        "image_too_many_bytes",
        _("A file may have at most %(megabytes)d MB.") % {"megabytes": megabytes},
        status=413,
    )


def _check_one_of(files: Sequence[File], index: int) -> CheckedFile:  # type: ignore[type-arg]
    try:
        return _check(files[index])
    except UserFacingError as error:
        if len(files) == 1:
            raise
        place = {"number": index + 1, "count": len(files), "what": error.detail}
        detail = _("File %(number)d of %(count)d: %(what)s") % place
        raise UserFacingError(error.code, detail, status=error.status) from error


def _check(file: File) -> CheckedFile:  # type: ignore[type-arg]
    if (file.size or 0) > settings.MAX_UPLOAD_BYTES:
        raise too_many_bytes()
    file.seek(0)
    data = file.read()
    image = inference.read_image(data)
    return CheckedFile(
        file=file,
        original_name=safe_name(file.name or ""),
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        facts=image.facts.as_dict(),
    )
