"""Request bodies, bounded before they are read."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http.multipartparser import MultiPartParser as DjangoMultiPartParser
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles, JSONParser

from classifier.errors import UserFacingError

LONGEST_NAME = 255
LONGEST_END = 256
"""Longer than a closing boundary may be, with what senders put behind it."""
FORM_OVERHEAD_BYTES = 2**20


class BoundedJSONParser(JSONParser):
    """DRF reads JSON of any length; this stops where Django would for a form."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        _check_length(parser_context, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        try:
            parsed = super().parse(stream, media_type, parser_context)
        except ParseError as error:
            raise ParseError(f"{error.detail}.") from error
        except RecursionError as error:
            raise ParseError(_("The JSON is nested too deeply.")) from error
        if not isinstance(parsed, dict):
            raise ParseError(_("The body must be a JSON object."))
        return parsed


class UploadParser(BaseParser):
    """multipart/form-data that is whole, and whose file names are ordinary ones."""

    media_type = "multipart/form-data"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> DataAndFiles[Any, Any]:
        most = settings.MAX_UPLOAD_TOTAL_BYTES + FORM_OVERHEAD_BYTES
        request = _check_length(parser_context, most)
        meta = {**request.META, "CONTENT_TYPE": media_type}
        try:
            return DataAndFiles(*_StrictForm(meta, stream, request.upload_handlers, "utf-8").parse())
        except MultiPartParserError as error:
            raise ParseError(
                _("The form could not be read: it is incomplete or malformed, or a name in it is too long.")
            ) from error


class _Remembering:
    """A stream that knows how it ended."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.end = b""

    def read(self, size: int) -> bytes:
        chunk: bytes = self._stream.read(size)
        self.end = (self.end + chunk)[-LONGEST_END:]
        return chunk


class _StrictForm(DjangoMultiPartParser):
    def __init__(self, meta: Mapping[str, Any], stream: Any, *args: Any) -> None:
        self._body = _Remembering(stream)
        body: Any = self._body
        super().__init__(meta, body, *args)

    def parse(self) -> Any:
        """Django takes a form that breaks off for one that ends there; a series would lose slices."""
        fields, files = super().parse()
        closing = b"--%b--" % self._boundary  # type: ignore[attr-defined]
        if self._body.end and closing not in self._body.end:
            for file in (file for _name, found in files.lists() for file in found):
                file.close()
            raise MultiPartParserError("The closing boundary is missing.")
        return fields, files

    def sanitize_file_name(self, file_name: str) -> str:
        """Django strips what looks like an attack from a name and leaves out a file without one; here both
        are refused."""
        parts = file_name.replace("\\", "/").split("/")
        cleaned = super().sanitize_file_name(file_name)
        name = parts[-1]
        if not cleaned or posixpath.pardir in parts or len(name) > LONGEST_NAME or not name.isprintable():
            detail = _(
                "The file's name is not an ordinary one: at most %(letters)d letters, and no way up "
                "through folders."
            )
            raise UserFacingError("file_name_invalid", detail % {"letters": LONGEST_NAME})
        return cleaned


def _check_length(parser_context: Mapping[str, Any] | None, most: int) -> Any:
    request = (parser_context or {})["request"]
    if int(request.META.get("CONTENT_LENGTH") or 0) > most:
        raise RequestDataTooBig
    return request
