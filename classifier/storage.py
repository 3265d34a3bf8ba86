"""Private storage of scan files: local disk or S3-compatible objects, without public URLs."""

import os
import secrets
from pathlib import Path
from typing import Any, NoReturn

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.storage import FileSystemStorage
from storages.backends.s3 import S3Storage

ERRORS = (OSError, BotoCoreError, ClientError)
"""What a storage that is away, full or broken raises."""


def new_name() -> str:
    """A storage key that tells nothing: 256 random bits, spread over folders."""
    token = secrets.token_hex(32)
    return f"{token[:2]}/{token[2:]}"


class PrivateStorageMixin:
    def url(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Scan files have no URL; they are served by one audited view.")


class LocalScanStorage(PrivateStorageMixin, FileSystemStorage):
    def __init__(self) -> None:
        super().__init__(location=settings.SCANS_DIR)

    def _save(self, name: str, content: Any) -> str:
        """On the disk before any row names it: after a power cut no row is without its file."""
        saved: str = super()._save(name, content)  # type: ignore[misc] # Django's stubs leave it out
        path = Path(self.path(saved))
        for place in (path, path.parent, path.parent.parent):
            _flush(place)
        return saved


def _flush(place: Path) -> None:
    """A file's content, or the names in a folder."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class ObjectScanStorage(PrivateStorageMixin, S3Storage):  # type: ignore[misc]
    """Objects are private, encrypted by the bucket's own rule, and never overwritten."""

    default_acl = None
    file_overwrite = False
    # An object store that is away must cost a request seconds, not the minutes of botocore's defaults.
    # Checksum trailers beyond the protocol's own are Amazon's: other S3-compatible stores refuse them.
    client_config = Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 2},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
