"""Taking the whole portal into one file, and bringing it back."""

import hashlib
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from classifier import storage
from classifier.audit import Action, Actor, record
from classifier.backups import archive, databases
from classifier.backups.archive import Archive, BackupError, Writer
from classifier.models import Analysis, ModelVersion, Patient, ScanFile, User


@dataclass(frozen=True)
class BackupReport:
    """``damaged`` names stored files that are missing or are not what was uploaded."""

    files: int
    damaged: list[str]


def write_backup(*, actor: Actor, path: Path) -> BackupReport:
    """The database first: every file its rows name was stored before them and is never removed."""
    record(Action.EXPORTED, actor=actor, what="backup")
    with archive.create(path) as writer:
        _add_database(writer, path.parent)
        names = list(_files())
        damaged = [name for name, sha256 in names if not _add_file(writer, name, sha256)]
        writer.finish(_facts() | {"damaged": damaged})
    return BackupReport(files=len(names), damaged=damaged)


def restore_backup(*, actor: Actor, path: Path, replace: bool) -> int:
    """Bring back the archive at ``path``; the number of files.

    Everything is verified first. New files come before the database and old ones go after it, and the
    database changes in one transaction: whenever it stops, the rows in force have their files.
    """
    with archive.open_verified(path) as backup:
        _check_fits(backup)
        if not (replace or _is_empty()):
            raise BackupError(
                "portal_not_empty", "This portal holds users, patients or scans; --replace removes them."
            )
        added: list[str] = []
        try:
            _restore_files(backup, added)
            _load_database(backup, path.parent)
        except BaseException:
            _remove(added)
            raise
        _remove(set(_stored_names()) - set(backup.file_names))
        call_command("migrate", interactive=False, verbosity=0)
        record(Action.RESTORED, actor=actor, written_at=backup.manifest["written_at"])
        return len(backup.file_names)


def _files() -> Iterator[tuple[str, str]]:
    """Names and digests of everything that rows name."""
    yield from ScanFile.objects.order_by("pk").values_list("name", "sha256")
    outlined = Analysis.objects.exclude(masks_name="").order_by("pk")
    yield from outlined.values_list("masks_name", "masks_sha256")


def _add_database(writer: Writer, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        dump = Path(temporary) / archive.DATABASE
        databases.dump(dump)
        with dump.open("rb") as handle:
            writer.add(archive.DATABASE, handle, dump.stat().st_size)


def _add_file(writer: Writer, name: str, sha256: str) -> bool:
    try:
        with default_storage.open(name, "rb") as handle:
            return writer.add(archive.FILES + name, handle, default_storage.size(name)) == sha256
    except FileNotFoundError:
        return False


def _facts() -> dict[str, Any]:
    active = ModelVersion.objects.filter(is_active=True).first()
    return {
        "written_at": timezone.now().isoformat(),
        "portal": tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]["version"],
        "database": connection.vendor,
        "migrations": sorted(MigrationLoader(connection).applied_migrations),
        "model": {"version": active.version, "sha256": active.sha256} if active else None,
    }


def _check_fits(backup: Archive) -> None:
    theirs, ours = backup.manifest["database"], connection.vendor
    if theirs != ours:
        raise BackupError(
            "backup_other_database", f"The backup holds a {theirs} database, and DATABASE_URL names {ours}."
        )
    known = MigrationLoader(connection).disk_migrations
    if not all(tuple(migration) in known for migration in backup.manifest["migrations"]):
        raise BackupError("backup_newer", "The backup was written by a newer portal; upgrade this one first.")


def _is_empty() -> bool:
    """Nobody and nothing in it, as before or after the first `migrate`."""
    tables = connection.introspection.table_names()
    in_database = User._meta.db_table in tables and (User.objects.exists() or Patient.objects.exists())
    return not in_database and next(_stored_names(), None) is None


def _restore_files(backup: Archive, added: list[str]) -> None:
    """Store the files whose bytes are not there already; ``added`` tells which names are new."""
    try:
        for name in backup.file_names:
            if not default_storage.exists(name):
                # Noted first: a disk that fills up leaves half a file.
                added.append(name)
            elif _is_there(backup, name):
                continue
            else:
                default_storage.delete(name)
            with backup.open_file(name) as source:
                default_storage.save(name, File(source))
    except storage.ERRORS as error:
        raise BackupError("backup_not_restored", f"The files cannot be stored: {error}.") from error


def _is_there(backup: Archive, name: str) -> bool:
    with default_storage.open(name, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest() == backup.sha256(name)


def _load_database(backup: Archive, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        dump = Path(temporary) / archive.DATABASE
        backup.copy_database(dump)
        databases.load(dump)


def _stored_names(folder: str = "") -> Iterator[str]:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    prefix = f"{folder}/" if folder else ""
    yield from (prefix + name for name in files)
    for name in folders:
        yield from _stored_names(prefix + name)


def _remove(names: Any) -> None:
    for name in names:
        default_storage.delete(name)
