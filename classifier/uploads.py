"""How many bytes of an upload reach the disk before it is refused; first of FILE_UPLOAD_HANDLERS."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

ZIP = b"PK\x03\x04"


class FileTooBig(RequestDataTooBig):
    """A file of a form is over PORTAL_MAX_UPLOAD_MB, or an archive over PORTAL_MAX_UPLOAD_TOTAL_MB."""


class BoundedUploadHandler(FileUploadHandler):
    """Drops what is beyond the limit but reads on: a sender that is cut off would never see the answer."""

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
