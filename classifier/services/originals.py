"""The stored files of scans: every one compared with what was uploaded before anybody works with it."""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from classifier import storage
from classifier.errors import UserFacingError
from classifier.models import Scan, ScanFile

logger = logging.getLogger(__name__)


@contextmanager
def originals(scan: Scan) -> Iterator[list[Path]]:
    """The files of a scan in slice order, on this machine's disk for as long as the context lasts.

    Raises `UserFacingError` file_lost or file_altered; the storage's own errors where it is away.
    """
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        yield [_verified(file, Path(folder)) for file in scan.files.all()]


def open_stored(file: ScanFile) -> File:  # type: ignore[type-arg]
    try:
        return default_storage.open(file.name)
    except FileNotFoundError as error:
        raise _lost(file) from error


@contextmanager
def storage_may_be_away() -> Iterator[None]:
    """For a person at a door, who can try again; a worker puts its analysis off."""
    try:
        yield
    except storage.ERRORS as error:
        logger.exception("The storage does not answer")
        raise UserFacingError(
            "storage_unavailable", _("The image cannot be read for the moment; try again later."), status=503
        ) from error


def _verified(file: ScanFile, folder: Path) -> Path:
    try:
        path = _on_disk(file, folder)
        with path.open("rb") as handle:
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise _lost(file) from error
    if sha256 != file.sha256:
        logger.error("A stored file of scan %s was altered", file.scan_id)
        raise UserFacingError("file_altered", _("A stored image differs from what was uploaded."), status=500)
    return path


def _on_disk(file: ScanFile, folder: Path) -> Path:
    """Where it is stored, or a copy in ``folder`` of what is stored elsewhere."""
    try:
        return Path(default_storage.path(file.name))
    except NotImplementedError:  # what Django's storages say that keep no local files
        copy = folder / str(file.position)
        with default_storage.open(file.name) as stored, copy.open("wb") as target:
            shutil.copyfileobj(stored, target)
        return copy


def _lost(file: ScanFile) -> UserFacingError:
    logger.error("A stored file of scan %s is missing", file.scan_id)
    return UserFacingError(
        "file_lost", _("A stored image is missing; tell whoever runs the portal."), status=500
    )
