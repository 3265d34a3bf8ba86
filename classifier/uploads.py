"""How many bytes of an upload reach the disk before it is refused; first of FILE_UPLOAD_HANDLERS."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler


class FileTooBig(RequestDataTooBig):
    """A file of a form is over PORTAL_MAX_UPLOAD_MB."""


class BoundedUploadHandler(FileUploadHandler):
    """Drops what is beyond the limit but reads on: a sender that is cut off would never see the answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._too_big = False

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        self._too_big = self._too_big or start + len(raw_data) > settings.MAX_UPLOAD_BYTES
        return None if self._too_big else raw_data

    def file_complete(self, file_size: int) -> None:
        return None

    def upload_complete(self) -> None:
        if self._too_big:
            raise FileTooBig("A file of the form is too large.")
