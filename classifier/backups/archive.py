"""The tar file of a backup. It knows neither database nor storage.

``database`` comes first, then ``files/<storage name>``, and ``manifest.json`` last: an archive that was cut
short has none and is refused. The manifest holds size and SHA-256 of every other member.
"""

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from classifier.errors import UserFacingError

FORMAT = 1
DATABASE, FILES, MANIFEST = "database", "files/", "manifest.json"
_MEMBER = re.compile(r"database|files/[0-9a-zA-Z][0-9a-zA-Z/_-]*")


class BackupError(UserFacingError):
    """Why there is no backup or no restore; ``detail`` is for the operator."""


class Writer:
    """Adds members and remembers their digests; `finish` writes the manifest."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._members: dict[str, dict[str, Any]] = {}

    def add(self, name: str, source: IO[bytes], size: int) -> str:
        """Copy exactly ``size`` bytes; returns their SHA-256."""
        hashing = _Hashing(source)
        self._tar.addfile(_header(name, size), hashing)
        digest = hashing.digest.hexdigest()
        self._members[name] = {"size": size, "sha256": digest}
        return digest

    def finish(self, facts: Mapping[str, Any]) -> None:
        manifest = json.dumps({"format": FORMAT, **facts, "members": self._members}, indent=1).encode()
        self._tar.addfile(_header(MANIFEST, len(manifest)), io.BytesIO(manifest))


@dataclass(frozen=True)
class Archive:
    """A backup whose every byte has been compared with its manifest."""

    manifest: dict[str, Any]
    _tar: tarfile.TarFile

    @property
    def file_names(self) -> list[str]:
        return [name.removeprefix(FILES) for name in self.manifest["members"] if name.startswith(FILES)]

    def open_file(self, storage_name: str) -> IO[bytes]:
        return _open(self._tar, FILES + storage_name)

    def copy_database(self, target: Path) -> None:
        with _open(self._tar, DATABASE) as source, target.open("wb") as handle:
            while block := source.read(2**20):
                handle.write(block)

    def sha256(self, storage_name: str) -> str:
        return str(self.manifest["members"][FILES + storage_name]["sha256"])


@contextmanager
def create(path: Path) -> Iterator[Writer]:
    """Write beside ``path`` and rename at the end, so that a name stands for a whole backup."""
    if path.exists():
        raise BackupError("backup_exists", f"{path} exists; a backup never overwrites another.")
    partial = path.with_name(f".{path.name}.partial")
    try:
        with _private(partial) as handle:
            with tarfile.open(fileobj=handle, mode="w", format=tarfile.PAX_FORMAT) as tar:
                yield Writer(tar)
            handle.flush()
            os.fsync(handle.fileno())
        partial.rename(path)
    except OSError as error:
        raise BackupError("backup_not_written", f"{path} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def open_verified(path: Path) -> Iterator[Archive]:
    """Read every member once and compare it before anything is used."""
    try:
        with tarfile.open(path, mode="r:") as tar:
            manifest = _manifest(tar)
            _verify(tar, manifest["members"])
            yield Archive(manifest, tar)
    except FileNotFoundError as error:
        raise BackupError("backup_missing", f"There is no file {path}.") from error
    except tarfile.TarError as error:
        raise _broken("it is not a whole tar file") from error


def _manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    if MANIFEST not in tar.getnames():
        raise _broken("its manifest is missing, as after an interrupted copy")
    with _open(tar, MANIFEST) as handle:
        manifest: dict[str, Any] = json.load(handle)
    if manifest.get("format") != FORMAT:
        raise _broken(f"its format is {manifest.get('format')!r}, and this portal reads {FORMAT}")
    return manifest


def _verify(tar: tarfile.TarFile, members: Mapping[str, Mapping[str, Any]]) -> None:
    present = {info.name: info for info in tar if info.name != MANIFEST}
    if present.keys() != members.keys() or DATABASE not in members:
        raise _broken("its members are not those of its manifest")
    for name, facts in members.items():
        if not _MEMBER.fullmatch(name) or not present[name].isreg():
            raise _broken("a member is not a file of a portal")
        with _open(tar, name) as handle:
            if hashlib.file_digest(handle, "sha256").hexdigest() != facts["sha256"]:  # type: ignore[arg-type]
                raise _broken(f"{name} is not what was written")


def _broken(why: str) -> BackupError:
    return BackupError("backup_damaged", f"The backup cannot be used: {why}. Nothing was changed.")


def _open(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    handle = tar.extractfile(name)
    if handle is None:
        raise _broken(f"{name} is not a file")
    return handle


def _header(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb")


class _Hashing:
    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._source.read(size)
        self.digest.update(block)
        return block
