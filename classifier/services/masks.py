"""The masks of an analysis in the private storage: stored before the row that names them."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, InterfaceError
from django.utils.translation import gettext as _

from classifier import storage
from classifier.errors import NotFound, UserFacingError
from classifier.models import Analysis

logger = logging.getLogger(__name__)


@contextmanager
def stored_masks(analysis: Analysis, data: bytes) -> Iterator[dict[str, str]]:
    """The columns that name ``data`` once it is stored; none where there is nothing to store.

    Unless the row names it in the end, the file goes again.
    """
    if not data:
        yield {}
        return
    name = storage.new_name()
    try:
        default_storage.save(name, ContentFile(data))
        yield {"masks_name": name, "masks_sha256": hashlib.sha256(data).hexdigest()}
    finally:
        if not _may_be_named(analysis, name):
            _remove(name)


def read_masks(analysis: Analysis) -> bytes:
    """What was stored; `NotFound` where the analysis has outlined nothing."""
    if not analysis.masks_name:
        raise NotFound("outline")
    try:
        with default_storage.open(analysis.masks_name) as handle:
            data: bytes = handle.read()
    except FileNotFoundError as error:
        logger.error("The stored masks of analysis %s are missing", analysis.pk)
        raise UserFacingError(
            "file_lost", _("A stored outline is missing; tell whoever runs the portal."), status=500
        ) from error
    if hashlib.sha256(data).hexdigest() != analysis.masks_sha256:
        logger.error("The stored masks of analysis %s were altered", analysis.pk)
        raise UserFacingError(
            "file_altered", _("A stored outline differs from what the model gave."), status=500
        )
    return data


def _may_be_named(analysis: Analysis, name: str) -> bool:
    """A commit may have succeeded though its answer was lost: what cannot be told stays."""
    try:
        return Analysis.objects.filter(pk=analysis.pk, masks_name=name).exists()
    except (DatabaseError, InterfaceError):
        return True


def _remove(name: str) -> None:
    try:
        default_storage.delete(name)
    except storage.ERRORS:
        logger.exception("The masks of an analysis that was not written could not be deleted")
