"""Scan files in both storages, the local disk and S3-compatible objects: private, nameless, intact."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from moto import mock_aws
from pytest_django.fixtures import Settings

from classifier import storage
from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import AuditEvent, Case, Scan, ScanFile
from classifier.services.originals import originals
from classifier.services.pictures import view_picture
from classifier.services.scans import download_file
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png

BUCKET = "scans"
CREDENTIALS = {"access_key": "test", "secret_key": "test", "region_name": "eu-west-1"}


class Local:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        files = [path for path in self._folder.rglob("*") if path.is_file()]
        return sorted(str(path.relative_to(self._folder)) for path in files)

    def break_down(self) -> None:
        self._folder.write_bytes(b"where the folder should be")

    def go_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder.rename(self._folder.with_name("elsewhere"))
        self.break_down()

    def overwrite(self, name: str, data: bytes) -> None:
        path = self._folder / name
        path.chmod(0o600)
        path.write_bytes(data)


class Objects:
    def __init__(self) -> None:
        self.client = boto3.client(
            "s3", aws_access_key_id="test", aws_secret_access_key="test", region_name="eu-west-1"
        )
        self.client.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )

    def names(self) -> list[str]:
        return sorted(
            found["Key"] for found in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        )

    def break_down(self) -> None:
        self.client.delete_bucket(Bucket=BUCKET)

    def go_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://objects")

        monkeypatch.setattr("classifier.storage.ObjectScanStorage.open", refuse)

    def overwrite(self, name: str, data: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=name, Body=data)


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[Local | Objects]:
    if request.param == "local":
        yield Local(tmp_path / "scans")
        return
    backend = {
        "BACKEND": "classifier.storage.ObjectScanStorage",
        "OPTIONS": {"bucket_name": BUCKET, **CREDENTIALS},
    }
    with mock_aws():
        settings.STORAGES = {**settings.STORAGES, "default": backend}
        yield Objects()


@pytest.fixture
def stored_scan(place: Local | Objects, as_alice: Actor, case: Case, rung: list[str]) -> Scan:
    [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(), "Doe_Jane.png")])
    return result.scan


def bytes_of(scan: Scan) -> list[bytes]:
    with originals(scan) as paths:
        return [path.read_bytes() for path in paths]


def test_what_was_uploaded_comes_back_byte_for_byte(stored_scan: Scan, as_alice: Actor) -> None:
    assert bytes_of(stored_scan) == [brain_png()]
    _, handle = download_file(actor=as_alice, scan_id=stored_scan.pk)
    with handle:
        assert handle.read() == brain_png()
    assert view_picture(actor=as_alice, scan_id=stored_scan.pk).startswith(b"\x89PNG")


def test_the_stored_name_is_random_and_says_nothing(place: Local | Objects, stored_scan: Scan) -> None:
    [name] = place.names()
    assert name == stored_scan.files.get().name
    assert set(name) <= set("0123456789abcdef/") and len(name) == 65
    assert storage.new_name() != storage.new_name()


def test_nothing_gives_a_stored_file_an_address(stored_scan: Scan) -> None:
    with pytest.raises(TypeError):
        default_storage.url(stored_scan.files.get().name)


def test_a_stored_file_is_never_overwritten(place: Local | Objects) -> None:
    first = default_storage.save("aa/bb", ContentFile(b"first"))
    second = default_storage.save("aa/bb", ContentFile(b"second"))
    assert first != second
    with default_storage.open(first) as handle:
        assert handle.read() == b"first"


def test_an_upload_that_fails_after_storing_leaves_nothing(
    place: Local | Objects, as_alice: Actor, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        assert len(place.names()) == 2
        raise RuntimeError("the database went away")

    monkeypatch.setattr("classifier.services.scans.queue_analysis", broken)
    with pytest.raises(RuntimeError):
        upload_scans(actor=as_alice, case=case, files=[upload(brain_png()), upload(brain_png(seed=1))])
    assert place.names() == [] and not ScanFile.objects.exists()


def test_a_storage_that_is_away_is_said_in_a_sentence_and_leaves_no_row(
    place: Local | Objects, as_alice: Actor, case: Case
) -> None:
    place.break_down()
    with pytest.raises(UserFacingError) as refused:
        upload_scans(actor=as_alice, case=case, files=[upload(brain_png())])
    assert (refused.value.code, refused.value.status) == ("storage_unavailable", 503)
    assert not Scan.objects.exists()


def test_a_file_that_is_gone_or_altered_is_noticed(
    place: Local | Objects, stored_scan: Scan, as_alice: Actor
) -> None:
    name = stored_scan.files.get().name
    place.overwrite(name, brain_png(seed=1))
    with pytest.raises(UserFacingError) as altered:
        bytes_of(stored_scan)
    assert altered.value.code == "file_altered"
    default_storage.delete(name)
    for look in (bytes_of, lambda scan: view_picture(actor=as_alice, scan_id=scan.pk)):
        with pytest.raises(UserFacingError) as lost:
            look(stored_scan)
        assert lost.value.code == "file_lost"


@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_only_the_portals_account_reads_the_local_files(
    place: Local, stored_scan: Scan, tmp_path: Path
) -> None:
    for path in (tmp_path / "scans").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_an_object_is_open_to_its_owner_alone(place: Objects, stored_scan: Scan) -> None:
    [name] = place.names()
    grants = place.client.get_object_acl(Bucket=BUCKET, Key=name)["Grants"]
    assert [grant["Grantee"]["Type"] for grant in grants] == ["CanonicalUser"]
    head = place.client.head_object(Bucket=BUCKET, Key=name)
    # The whole name: three letters alone come up by chance in the number of the request.
    assert head["Metadata"] == {} and "Doe_Jane" not in str(head)


def test_a_storage_that_is_away_for_a_moment_costs_a_look_but_not_the_analysis(
    place: Local | Objects, stored_scan: Scan, as_alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.go_away(monkeypatch)
    events = AuditEvent.objects.count()
    for look in (view_picture, download_file):
        with pytest.raises(UserFacingError) as refused:
            look(actor=as_alice, scan_id=stored_scan.pk)
        assert (refused.value.code, refused.value.status) == ("storage_unavailable", 503)
    assert AuditEvent.objects.count() == events
    with pytest.raises(storage.ERRORS):
        bytes_of(stored_scan)


FROM_SETTINGS = """
import django, json
from moto import mock_aws
django.setup()
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from botocore.config import Config
with mock_aws():
    default_storage.connection.create_bucket(Bucket="clinic")
    name = default_storage.save("aa/bb", ContentFile(b"bytes"))
    config = default_storage.connection.meta.client.meta.config
    print(json.dumps({
        "kind": type(default_storage._wrapped).__name__,
        "content": default_storage.open(name).read().decode(),
        "bucket": default_storage.bucket_name,
        "timeouts": [config.connect_timeout, config.read_timeout],
    }))
"""


def test_the_setting_alone_moves_the_files_to_an_object_store(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "mri_portal.settings",
        "PORTAL_DATA_DIR": str(tmp_path),
        "PORTAL_STORAGE": "s3",
        "PORTAL_S3_BUCKET": "clinic",
        "PORTAL_S3_ACCESS_KEY_ID": "id",
        "PORTAL_S3_SECRET_ACCESS_KEY": "secret",
    }
    ended = subprocess.run(
        [sys.executable, "-c", FROM_SETTINGS],
        cwd=django_settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(ended.stdout) == {
        "kind": "ObjectScanStorage",
        "content": "bytes",
        "bucket": "clinic",
        "timeouts": [5, 30],
    }
