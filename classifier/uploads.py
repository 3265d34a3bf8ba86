"""Files of a form on their way to the disk: how many bytes, and what becomes of them when it is full.

A sender that is cut off would never see the answer, so whatever is wrong, the form is read to its end.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload, TemporaryFileUploadHandler

ZIP = b"PK\x03\x04"


class FileTooBig(RequestDataTooBig):
    """A file of a form is over PORTAL_MAX_UPLOAD_MB, or an archive over PORTAL_MAX_UPLOAD_TOTAL_MB."""


class BoundedUploadHandler(FileUploadHandler):
    """Drops what is beyond the limit; first of FILE_UPLOAD_HANDLERS."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._too_big = False
        self._most = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        if start == 0:
            is_archive = raw_data.startswith(ZIP)
            self._most = settings.MAX_UPLOAD_TOTAL_BYTES if is_archive else settings.MAX_UPLOAD_BYTES
        self._too_big = self._too_big or start + len(raw_data) > self._most
        return None if self._too_big else raw_data

    def file_complete(self, file_size: int) -> None:
        return None

    def upload_complete(self) -> None:
        if self._too_big:
            raise FileTooBig("A file of the form is too large.")


class SpoolUploadHandler(TemporaryFileUploadHandler):
    """Raises the spool's trouble, a full disk for example, once there is nothing left to be sent."""

    _trouble: OSError | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        with self._trouble_noted():
            super().new_file(*args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        with self._trouble_noted():
            return super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> UploadedFile | None:  # type: ignore[type-arg]
        with self._trouble_noted():
            return super().file_complete(file_size)

    def upload_complete(self) -> None:
        if self._trouble:
            raise self._trouble

    @contextmanager
    def _trouble_noted(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._trouble = error
            if hasattr(self, "file"):
                with suppress(OSError):  # what it still holds has no more room than before
                    self.file.close()
            raise StopUpload(connection_reset=False) from error
