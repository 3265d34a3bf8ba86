"""DICOM files without their patient, where whoever uploads them or the installation wants that."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from django.conf import settings
from django.utils.crypto import salted_hmac

from classifier import inference
from classifier.services.files import Incoming

SALT = "classifier.services.identity"


@contextmanager
def identity_removed(items: Sequence[Incoming], *, wanted: bool) -> Iterator[list[Incoming]]:
    """The files, where it is ``wanted`` without what names the patient, as long as the context lasts.

    Only DICOM files change; their names, which often are the patient's, become numbers. The same file
    becomes the same bytes whenever it is sent, so that a case knows what it holds. `BadImage` with its
    ``member`` for a file that cannot be rid of its patient.
    """
    if not wanted:
        yield list(items)
        return
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        yield [_without_patient(item, index, Path(folder)) for index, item in enumerate(items)]


def _without_patient(item: Incoming, index: int, folder: Path) -> Incoming:
    if not inference.is_dicom(item.content):
        return item
    path = folder / str(index)
    try:
        path.write_bytes(inference.without_identity(item.content, _key()))
    except inference.BadImage as error:
        raise inference.BadImage(error.code, error.detail, member=index) from error
    return replace(item, content=path, name=f"{index + 1}.dcm", identity_removed=True)


def _key() -> bytes:
    """Of this installation: with it the new UIDs of a file can be told from the old ones."""
    return salted_hmac(SALT, "uid", algorithm="sha256").digest()
