"""Backup and restore with the real tools, on SQLite and PostgreSQL: all of it or nothing."""

import io
import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from classifier.audit import Actor
from classifier.backups import archive, databases
from classifier.backups.archive import BackupError
from classifier.models import Case, ScanFile
from classifier.services.backups import restore_backup, write_backup
from classifier.storage import LocalScanStorage
from mri_portal import supervisor
from tests import backends
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.ops.running import clean_environment, fresh_database, manage
from tests.services.test_scans import stored_files

pytestmark = pytest.mark.processes

FILL = """
from classifier.audit import Actor
from classifier.models import Analysis, ModelVersion, User
from classifier.services.cases import open_case
from classifier.services.masks import stored_masks
from tests.intake import upload_scans
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from tests.ml.pictures import brain_png
actor = Actor(user=User.objects.get(username="clinician"), via="page")
case = open_case(actor=actor, patient_reference="MRN-{seed}")
[done] = upload_scans(actor=actor, case=case, files=[SimpleUploadedFile("a.png", brain_png(seed={seed}))])
analysis = done.scan.analyses.get()
with stored_masks(analysis, b"outlines of {seed}") as masks:
    Analysis.objects.filter(pk=analysis.pk).update(
        status="succeeded", outcome="glioma", probabilities=dict(), finished_at=timezone.now(),
        model_version=ModelVersion.objects.get(is_active=True), **masks
    )
"""


class Portal:
    """A portal that is never started: a database and a folder of scans and outlines."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.database = folder, database
        folder.mkdir(exist_ok=True)
        self.environment = clean_environment(
            PORTAL_DATA_DIR=str(folder),
            DATABASE_URL=database,
            PORTAL_CLINICIAN_PASSWORD="clinician of the test",
            PORTAL_ADMIN_PASSWORD="administrator of the test",
            PORTAL_LOG_LEVEL="error",
        )

    def manage(self, *arguments: str) -> str:
        finished = manage(*arguments, environment=self.environment)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    def refuses(self, *arguments: str) -> str:
        finished = manage(*arguments, environment=self.environment)
        assert finished.returncode == 1
        assert "Traceback" not in finished.stderr
        return finished.stderr

    def fill(self, seed: int) -> None:
        self.manage("shell", "--no-imports", "--command", FILL.format(seed=seed))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(self._connect()) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            return list(cursor.fetchall())

    @property
    def patients(self) -> list[str]:
        query = "SELECT reference FROM classifier_patient ORDER BY reference"
        return [reference for (reference,) in self.rows(query)]

    @property
    def files(self) -> dict[str, bytes]:
        scans = self.folder / "scans"
        found = (path for path in scans.rglob("*") if path.is_file())
        return {path.relative_to(scans).as_posix(): path.read_bytes() for path in found}

    def _connect(self) -> Any:
        if self.database.startswith("sqlite"):
            return sqlite3.connect(self.database.removeprefix("sqlite:///"))
        return psycopg2.connect(self.database)


class Portals:
    """Makes portals on one kind of database: empty ones, and copies, which take no migrations."""

    def __init__(self, kind: str, tmp_path_factory: pytest.TempPathFactory, stack: ExitStack) -> None:
        self.kind, self._paths, self._stack = kind, tmp_path_factory, stack

    def empty(self) -> Portal:
        folder = self._paths.mktemp(self.kind)
        if self.kind == "sqlite":
            return Portal(folder, f"sqlite:///{folder / 'portal.sqlite3'}")
        return Portal(folder, self._stack.enter_context(fresh_database(backends.CHOSEN["DATABASE_URL"])))

    def copy(self, original: Portal) -> Portal:
        folder = self._paths.mktemp(self.kind)
        shutil.copytree(original.folder, folder, dirs_exist_ok=True)
        if self.kind == "sqlite":
            return Portal(folder, f"sqlite:///{folder / 'portal.sqlite3'}")
        database = fresh_database(original.database, template=original.database.rpartition("/")[2])
        return Portal(folder, self._stack.enter_context(database))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def portals(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portals]:
    if request.param == "postgresql" and not backends.CHOSEN["DATABASE_URL"].startswith("postgres"):
        pytest.skip("no PostgreSQL answers")
    with ExitStack() as stack:
        yield Portals(request.param, tmp_path_factory, stack)


@pytest.fixture(scope="module")
def source(portals: Portals) -> Portal:
    """One patient, one scan."""
    portal = portals.empty()
    portal.manage("bootstrap")
    portal.fill(seed=1)
    return portal


@pytest.fixture(scope="module")
def backup(source: Portal, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "portal.tar"
    source.manage("backup", str(path))
    return path


@pytest.fixture(scope="module")
def later(portals: Portals, source: Portal, backup: Path) -> Portal:
    """The source after another patient's scan, which no backup holds."""
    portal = portals.copy(source)
    portal.fill(seed=2)
    return portal


def test_a_backup_is_private_whole_and_described_by_its_manifest(source: Portal, backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in backup.parent.iterdir()] == [backup.name]
    with archive.open_verified(backup) as opened:
        assert sorted(opened.file_names) == sorted(source.files)
        assert opened.manifest["damaged"] == []
        assert ["classifier", "0001_initial"] in opened.manifest["migrations"]
        assert opened.manifest["model"]["version"]


def test_writing_a_backup_is_in_the_audit_trail(source: Portal, backup: Path) -> None:
    assert source.rows("SELECT count(*) FROM classifier_auditevent WHERE action = 'exported'") == [(1,)]


def test_a_restored_portal_is_the_one_that_was_backed_up_and_says_so(
    portals: Portals, source: Portal, backup: Path
) -> None:
    restored = portals.empty()
    assert "2 files" in restored.manage("restore", str(backup))
    everything = "SELECT action, actor_name, object_id FROM classifier_auditevent ORDER BY id"
    *before, last = restored.rows(everything)
    assert before == source.rows(everything)
    assert last[0] == "restored"
    assert restored.patients == ["MRN-1"]
    assert restored.files == source.files
    restored.fill(seed=9)  # sequences, constraints and triggers came along


def test_a_portal_that_holds_something_is_replaced_only_on_request(
    portals: Portals, source: Portal, later: Portal, backup: Path
) -> None:
    other = portals.copy(later)
    assert "--replace removes them" in other.refuses("restore", str(backup))
    assert (other.patients, other.files) == (["MRN-1", "MRN-2"], later.files)
    for _ in range(2):  # the second time from what a restore left
        other.manage("restore", "--replace", str(backup))
        assert (other.patients, other.files) == (["MRN-1"], source.files)


def test_a_database_that_fails_half_way_leaves_rows_and_files_as_they_were(
    portals: Portals, later: Portal, backup: Path, tmp_path: Path
) -> None:
    other = portals.copy(later)
    broken = tmp_path / "broken.tar"
    rewrite(backup, broken, database=lambda dump: dump[: len(dump) * 3 // 4])
    other.refuses("restore", "--replace", str(broken))
    assert (other.patients, other.files) == (["MRN-1", "MRN-2"], later.files)


def test_a_restore_that_fails_leaves_none_of_the_backups_files_behind(
    portals: Portals, source: Portal, later: Portal, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "later.tar", tmp_path / "broken.tar"
    later.manage("backup", str(whole))
    rewrite(whole, broken, database=lambda dump: dump[: len(dump) * 3 // 4])
    other = portals.copy(source)
    other.refuses("restore", "--replace", str(broken))
    assert (other.patients, other.files) == (["MRN-1"], source.files)


def test_a_restore_brings_back_the_bytes_of_a_file_that_was_altered(
    portals: Portals, source: Portal, backup: Path
) -> None:
    other = portals.copy(source)
    altered = other.folder / "scans" / min(other.files)
    altered.write_bytes(b"something else")
    other.manage("restore", "--replace", str(backup))
    assert other.files == source.files


def test_a_backup_of_an_older_version_is_migrated_on_the_way(
    portals: Portals, source: Portal, tmp_path: Path
) -> None:
    older, path = portals.copy(source), tmp_path / "older.tar"
    older.manage("migrate", "classifier", "0011")
    older.manage("backup", str(path))
    restored = portals.empty()
    restored.manage("restore", str(path))
    assert restored.rows("SELECT patient_digest FROM classifier_scan") == [("",)]


def test_a_database_that_others_use_is_not_replaced(portals: Portals, later: Portal, backup: Path) -> None:
    if portals.kind == "sqlite":
        pytest.skip("SQLite lets nobody write meanwhile")
    with closing(later._connect()):
        told = later.refuses("restore", "--replace", str(backup))
    assert "1 other connections use the database" in told
    assert later.patients == ["MRN-1", "MRN-2"]


def test_a_lost_file_is_told_and_the_rest_is_saved(portals: Portals, later: Portal, tmp_path: Path) -> None:
    other = portals.copy(later)
    lost, *kept = sorted(other.files)
    (other.folder / "scans" / lost).unlink()
    path = tmp_path / "portal.tar"
    told = other.refuses("backup", str(path))
    assert f"1 stored files are missing or altered; the first is {lost}" in told
    with archive.open_verified(path) as opened:
        assert opened.manifest["damaged"] == [lost]
        assert sorted(opened.file_names) == kept


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"migrations": [["classifier", "9999_from_the_future"]]}, "written by a newer portal"),
        ({"database": "oracle"}, "holds a oracle database"),
        ({}, "--replace removes them"),
    ],
)
def test_what_does_not_fit_this_portal_is_refused(
    scan: object, tmp_path: Path, facts: dict[str, Any], sentence: str
) -> None:
    path = tmp_path / "portal.tar"
    with archive.create(path) as writer:
        writer.add(archive.DATABASE, io.BytesIO(b"x"), 1)
        writer.finish({"database": connection.vendor, "migrations": []} | facts)
    with pytest.raises(BackupError, match=sentence):
        restore_backup(actor=Actor.command(), path=path, replace=False)


def test_a_disk_that_fills_up_during_a_restore_keeps_none_of_the_backups_files(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, save = tmp_path / "portal.tar", LocalScanStorage.save
    with archive.create(path) as writer:
        for name in (archive.DATABASE, "files/aa/1", "files/bb/2"):
            writer.add(name, io.BytesIO(b"x"), 1)
        writer.finish({"database": connection.vendor, "migrations": []})

    def fills_up(self: LocalScanStorage, name: str, content: object) -> str:
        saved = save(self, name, content)
        if name == "bb/2":
            raise OSError(28, "No space left on device")
        return saved

    monkeypatch.setattr(LocalScanStorage, "save", fills_up)
    with pytest.raises(BackupError, match="No space left on device"):
        restore_backup(actor=Actor.command(), path=path, replace=False)
    assert stored_files(tmp_path / "scans") == []


def test_files_without_rows_are_no_empty_portal(db: None, tmp_path: Path) -> None:
    path, left = tmp_path / "portal.tar", default_storage.save("aa/1", ContentFile(b"x"))
    with archive.create(path) as writer:
        writer.add(archive.DATABASE, io.BytesIO(b"x"), 1)
        writer.finish({"database": connection.vendor, "migrations": []})
    with pytest.raises(BackupError, match="--replace removes them"):
        restore_backup(actor=Actor.command(), path=path, replace=False)
    assert default_storage.exists(left)


def test_what_comes_while_a_backup_is_written_is_whole_in_it_or_not_at_all(
    as_alice: Actor, case: Case, rung: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dump(target: Path) -> None:
        upload_scans(actor=as_alice, case=case, files=[upload(brain_png())])
        target.write_bytes(b"rows of one scan")

    monkeypatch.setattr(databases, "dump", dump)
    write_backup(actor=Actor.command(), path=tmp_path / "portal.tar")
    with archive.open_verified(tmp_path / "portal.tar") as opened:
        assert opened.file_names == [ScanFile.objects.get().name]


def test_nothing_is_restored_while_the_portal_runs(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    with supervisor.only_one(tmp_path), pytest.raises(CommandError, match="Another portal is running"):
        call_command("restore", str(tmp_path / "portal.tar"))


def test_a_machine_without_postgresqls_programs_says_which_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(databases, "connection", SimpleNamespace(vendor="postgresql"))
    with pytest.raises(BackupError, match=r"not installed here \(missing: pg_dump\)"):
        databases.dump(tmp_path / "dump")
    with pytest.raises(BackupError, match=r"not installed here \(missing: pg_restore, psql\)"):
        databases.load(tmp_path / "dump")


def rewrite(
    backup: Path,
    target: Path,
    *,
    database: Callable[[bytes], bytes] = bytes,
    facts: dict[str, Any] | None = None,
) -> None:
    """A well-formed archive with another database or other facts."""
    with tarfile.open(backup) as tar:
        members = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    manifest = json.loads(members.pop(archive.MANIFEST))
    members[archive.DATABASE] = database(members[archive.DATABASE])
    with archive.create(target) as writer:
        for name, content in members.items():
            writer.add(name, io.BytesIO(content), len(content))
        kept = {name: value for name, value in manifest.items() if name not in {"format", "members"}}
        writer.finish(kept | (facts or {}))
