"""A missing or bad value stops the start with one sentence that names the variable."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from mri_portal import supervisor
from tests.ops import names

PRODUCTION = {
    "PORTAL_MODE": "production",
    "PORTAL_SECRET_KEY": "k" * 50,
    "PORTAL_ALLOWED_HOSTS": "mri.hospital.example",
    "DATABASE_URL": "postgresql://portal@database:5432/portal",
    "BROKER_URL": "redis://broker:6379/0",
}


BAD_ANYWHERE = [
    ("PORTAL_MODE", "debug", "must be one of embedded, production"),
    ("PORTAL_PORT", "http", "must be a whole number from 1 to 65535"),
    ("PORTAL_PORT", "0", "must be a whole number from 1 to 65535"),
    ("PORTAL_WORKERS", "-1", "must be a whole number from 1 to 64"),
    ("PORTAL_WEB_PROCESSES", "many", "must be a whole number"),
    ("PORTAL_WEB_THREADS", "0", "must be a whole number from 1"),
    ("PORTAL_TIME_LIMIT_S", "1m", "must be a whole number"),
    ("PORTAL_SWEEP_INTERVAL_S", "0", "must be a whole number from 1"),
    ("PORTAL_MAX_UPLOAD_MB", "1e3", "must be a whole number"),
    ("PORTAL_MAX_UPLOAD_FILES", "0", "must be a whole number from 1"),
    ("PORTAL_MAX_IMAGE_MEGAPIXELS", "", ""),
    ("PORTAL_SESSION_MINUTES", "half an hour", "must be a whole number"),
    ("PORTAL_LOCKOUT_ATTEMPTS", "0", "must be a whole number from 1"),
    ("PORTAL_LOCKOUT_MINUTES", "x", "must be a whole number"),
    ("PORTAL_HSTS_SECONDS", "-5", "must be a whole number from 0"),
    ("PORTAL_BEHIND_PROXY", "maybe", "must be yes or no"),
    ("PORTAL_STORAGE", "ftp", "must be one of local, s3"),
    ("PORTAL_STORAGE", "s3", "PORTAL_S3_BUCKET must be set"),
    ("PORTAL_LOG_LEVEL", "loud", "must be one of debug, info, warning, error"),
    ("PORTAL_TIME_ZONE", "Mars/Olympus", "must be a time zone"),
    ("PORTAL_API_RATE", "lots", "must be made of a number, a slash"),
    ("PORTAL_QUEUE", "../queue", "must be made of small letters"),
    ("DATABASE_URL", "mysql://root@localhost/portal", "must look like postgresql://"),
    ("DATABASE_URL", "portal.sqlite3", "must look like postgresql://"),
    ("DATABASE_URL", "postgresql://portal@database:5432/", "must look like postgresql://"),
    ("BROKER_URL", "amqp://localhost", "must begin with redis://"),
    ("PORTAL_DATA_DIR", "/dev/null/portal", "cannot be made"),
    ("DATABASE_PASSWORD_FILE", "/nowhere/password", "cannot be read"),
]


@pytest.mark.parametrize(("name", "value", "sentence"), BAD_ANYWHERE)
def test_a_bad_value_is_refused_and_an_empty_one_is_the_default(
    load: Any, name: str, value: str, sentence: str
) -> None:
    if not sentence:
        load(**{name: value})
        return
    with pytest.raises(ImproperlyConfigured, match=sentence) as refusal:
        load(**{name: value})
    assert str(refusal.value).endswith(".")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", sorted(PRODUCTION.keys() - {"PORTAL_MODE"}))
def test_production_has_no_default_for_a_secret_or_an_address(load: Any, name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{name} must be set"):
        load(**{key: value for key, value in PRODUCTION.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORTAL_SECRET_KEY", "short", "at least 50 characters"),
        ("PORTAL_ALLOWED_HOSTS", "*", "must name the hosts"),
        ("DATABASE_URL", "sqlite:///portal.sqlite3", "must name a PostgreSQL database"),
        ("BROKER_URL", "filesystem://", "must name a Redis server"),
    ],
)
def test_production_refuses_what_is_fit_for_a_laptop_only(
    load: Any, name: str, value: str, sentence: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        load(**PRODUCTION | {name: value})


def test_a_secret_is_read_from_the_file_that_name_file_names(load: Any, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s" * 60 + "\n")
    (tmp_path / "password").write_text("hush\n")
    variables = {name: value for name, value in PRODUCTION.items() if name != "PORTAL_SECRET_KEY"}
    settings = load(
        **variables,
        PORTAL_SECRET_KEY_FILE=str(tmp_path / "key"),
        DATABASE_PASSWORD_FILE=str(tmp_path / "password"),
    )
    assert settings["SECRET_KEY"] == "s" * 60
    assert settings["DATABASES"]["default"]["PASSWORD"] == "hush"


def test_a_secret_given_both_ways_is_refused(load: Any, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="not both"):
        load(DATABASE_PASSWORD="a", DATABASE_PASSWORD_FILE=str(tmp_path / "password"))


def test_the_embedded_portal_makes_its_own_secret_key_once_and_keeps_it_private(
    load: Any, tmp_path: Path
) -> None:
    first, second = load()["SECRET_KEY"], load()["SECRET_KEY"]
    assert first == second
    assert len(first) >= 50
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("limit", ["1", "60", "3600"])
def test_time_limits_keep_their_order_whatever_the_one_setting_says(load: Any, limit: str) -> None:
    settings = load(**PRODUCTION, PORTAL_TIME_LIMIT_S=limit)
    lease = settings["LEASE"].total_seconds()
    visibility = settings["CELERY_BROKER_TRANSPORT_OPTIONS"]["visibility_timeout"]
    soft, hard = settings["CELERY_TASK_SOFT_TIME_LIMIT"], settings["CELERY_TASK_TIME_LIMIT"]
    assert soft < hard < lease < visibility


@pytest.mark.parametrize(
    "command",
    [
        ("python", "manage.py", "migrate"),
        ("python", "manage.py", "portal"),
        supervisor.WEB,
        supervisor.WORKER,
        supervisor.SWEEPER,
    ],
    ids=["manage.py", "portal", "gunicorn", "worker", "sweeper"],
)
def test_every_process_ends_with_the_sentence_instead_of_a_traceback(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    binaries = Path(sys.executable).parent
    environment = os.environ | {"PORTAL_DATA_DIR": str(tmp_path), "PORTAL_TIME_ZONE": "Mars/Olympus"}
    finished = subprocess.run(
        [str(binaries / command[0]), *command[1:]],
        cwd=names.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode != 0
    assert "PORTAL_TIME_ZONE must be a time zone" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_deployment_checks_find_nothing_in_production(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    finished = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=names.ROOT,
        env=environment
        | PRODUCTION
        | {"PORTAL_SECRET_KEY": os.urandom(40).hex(), "PORTAL_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "no issues" in finished.stdout
