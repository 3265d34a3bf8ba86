"""ZIP archives and folders: which of their files may be images, and how much may come out of them."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from ml.decoding import DEFAULT_LIMITS, Source, bytes_of, head_of
from ml.errors import ImageError, Interruption
from ml.formats import HEAD, is_archive, is_no_picture
from ml.image_types import Limits, Member, refusal

ENTRY: Final = b"PK\x01\x02"
ENTRIES_PER_FILE: Final = 4
"""Folders, and what some systems add to each file, are entries too."""

ENCRYPTED: Final = 0x1
METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
HARMLESS: Final = 2**20
PIECE: Final = 2**20
PASSED_OVER: Final = frozenset(
    {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "dicomdir", "lockfile"}
)
"""What no picture is called. Any other empty file may be a slice that was not copied."""


def unpack(source: Source, limits: Limits = DEFAULT_LIMITS) -> Iterator[Member]:
    """The files of a ZIP archive that may be images, one at a time.

    Folders, hidden files, texts, documents, programs, DICOM directories, raw data and the like are
    passed over. Raises ImageError with a ``zip_`` code, before the first file for all that the archive's
    directory tells; OSError where ``source`` cannot be read.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            packed = _check_packed(file, limits)
        content: Path | BinaryIO = source
    else:
        content = io.BytesIO(bytes_of(source, replace(limits, max_bytes=limits.max_total_bytes)))
        packed = _check_packed(content, limits)
    with _refusing():
        archive = zipfile.ZipFile(content)
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    entries = [entry for entry in entries if _may_be_an_image(entry.filename)]
    _check(entries, packed, limits)
    return _members(archive, entries)


def _check_packed(file: BinaryIO, limits: Limits) -> int:
    """Bytes of an archive, which is read in pieces and left at its beginning."""
    if not is_archive(file.read(HEAD)):
        raise refusal("zip_unreadable", "The file is not a ZIP archive.")
    packed = file.seek(0, io.SEEK_END)
    if packed > limits.max_total_bytes:
        raise refusal("zip_too_large")
    file.seek(0)
    if _count(file, ENTRY) > ENTRIES_PER_FILE * limits.max_files:
        raise refusal("zip_too_many_files")
    file.seek(0)
    return packed


def _count(file: BinaryIO, signature: bytes) -> int:
    found, end = 0, b""
    while piece := file.read(PIECE):
        found += (end + piece).count(signature)
        end = piece[-len(signature) + 1 :]
    return found


def files_below(folder: Path, limits: Limits = DEFAULT_LIMITS) -> list[Path]:
    """The files of a folder that may be images, by their names. ImageError folder_empty without any."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    wanted = [path for path in paths if _may_be_an_image(path.relative_to(folder).as_posix())]
    if len(wanted) > ENTRIES_PER_FILE * limits.max_files:
        raise refusal("too_many_files")
    found = sorted(path for path in wanted if not is_no_picture(head_of(path)))
    if not found:
        raise refusal("folder_empty")
    return found


def _may_be_an_image(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/").lower()).parts
    hidden = any(part.startswith(".") and part.strip(".") for part in parts)
    return not hidden and not PASSED_OVER.intersection(parts)


def _check(entries: Sequence[zipfile.ZipInfo], packed: int, limits: Limits) -> None:
    if not entries:
        raise refusal("zip_empty")
    if any(entry.flag_bits & ENCRYPTED for entry in entries):
        raise refusal("zip_encrypted")
    if any(entry.compress_type not in METHODS for entry in entries):
        raise refusal("zip_unsupported")
    if len(entries) > limits.max_files:
        raise refusal("zip_too_many_files")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > max(HARMLESS, limits.max_ratio * packed):
        raise refusal("zip_bomb")
    if unpacked > limits.max_total_bytes or max(entry.file_size for entry in entries) > limits.max_bytes:
        raise refusal("zip_too_large")


def _members(archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo]) -> Iterator[Member]:
    """No entry is asked for more bytes than the directory says, which were checked."""
    empty = True
    for entry in entries:
        with _refusing(), archive.open(entry) as file:
            data = file.read(entry.file_size)
        if is_no_picture(data[:HEAD]):
            continue
        if is_archive(data):
            raise refusal("zip_nested")
        empty = False
        yield Member(entry.filename, data)
    if empty:
        raise refusal("zip_empty")


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except ImageError:
        raise
    except MemoryError:
        raise refusal("zip_too_large") from None
    except Exception as error:  # a damaged archive makes zipfile, zlib and struct throw what they like
        if isinstance(error, Interruption):
            raise
        raise refusal("zip_unreadable") from None
