"""Dumping and loading the database with its own tools: pg_dump and psql, or SQLite's backup call."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import IO

from django.db import connection
from django.db.backends.postgresql.client import DatabaseClient

from .archive import BackupError


def dump(target: Path) -> None:
    """A consistent copy, taken while the portal runs."""
    if connection.vendor == "sqlite":
        _copy_sqlite(_sqlite_path(), target)
    else:
        _check_installed("pg_dump")
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}")


def load(source: Path) -> None:
    """Replace everything in the database by ``source``, in one transaction."""
    if connection.vendor == "sqlite":
        connection.close()
        _copy_sqlite(source, _sqlite_path())
    else:
        _check_installed("pg_restore", "psql")
        _check_nobody_else_is_connected()
        connection.close()
        _load_postgresql(source)


def _sqlite_path() -> Path:
    return Path(connection.settings_dict["NAME"])


def _copy_sqlite(source: Path, target: Path) -> None:
    """SQLite's own backup call: one transaction on ``target``, after ``source`` was found sound."""
    with (
        contextlib.closing(sqlite3.connect(source, timeout=20)) as reader,
        contextlib.closing(sqlite3.connect(target, timeout=20)) as writer,
    ):
        try:
            [verdict] = reader.execute("PRAGMA quick_check(1)").fetchone()
            if verdict == "ok":
                reader.backup(writer)
        except sqlite3.DatabaseError as error:
            verdict = str(error)
    if verdict != "ok":
        raise BackupError("database_damaged", f"SQLite finds the database damaged: {verdict}.")


def _check_installed(*tools: str) -> None:
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        raise BackupError(
            "database_tool_missing",
            f"PostgreSQL's client programs are not installed here (missing: {', '.join(missing)});"
            " the portal's image has them.",
        )


def _check_nobody_else_is_connected() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        [others] = cursor.fetchone()
    if others:
        raise BackupError(
            "database_in_use",
            f"{others} other connections use the database; stop web, workers and sweeper first.",
        )


def _load_postgresql(source: Path) -> None:
    """COMMIT follows only when pg_restore has written all; psql that ends without it rolls back."""
    arguments, environment = _postgresql()
    psql = subprocess.Popen(
        ["psql", *arguments, "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment | {"PGOPTIONS": "--client-min-messages=warning"},
    )
    with psql:
        assert psql.stdin is not None and psql.stderr is not None  # noqa: S101 - pipes were asked for
        with contextlib.suppress(BrokenPipeError), psql.stdin as script:
            restored = _write_script(source, script)
        errors = psql.stderr.read()
    if psql.returncode:
        raise _failed("psql", errors)
    if restored.returncode:
        raise _failed("pg_restore", restored.stderr)


def _write_script(source: Path, script: IO[bytes]) -> subprocess.CompletedProcess[bytes]:
    # A schema that was once dropped and made again is part of its dump; the first one is not.
    makes_schema = " SCHEMA - public " in _run("pg_restore", "--list", str(source), connects=False)
    script.write(b"BEGIN; DROP SCHEMA IF EXISTS public CASCADE;\n")
    script.write(b"" if makes_schema else b"CREATE SCHEMA public;\n")
    script.flush()
    command = ["pg_restore", "--no-owner", "--no-privileges", "--file=-", str(source)]
    restored = subprocess.run(command, stdout=script, stderr=subprocess.PIPE, check=False)
    if restored.returncode == 0:
        script.write(b"COMMIT;\n")
    return restored


def _run(tool: str, *options: str, connects: bool = True) -> str:
    arguments, environment = _postgresql()
    finished = subprocess.run(
        [tool, *(arguments if connects else []), *options], env=environment, capture_output=True, check=False
    )
    if finished.returncode:
        raise _failed(tool, finished.stderr)
    return finished.stdout.decode()


def _postgresql() -> tuple[list[str], dict[str, str]]:
    """Where the database is, for PostgreSQL's own tools; the password goes through the environment."""
    arguments, environment = DatabaseClient.settings_to_cmd_args_env(connection.settings_dict, [])
    return arguments[1:], os.environ | (environment or {})


def _failed(tool: str, errors: bytes) -> BackupError:
    first_line = errors.decode(errors="replace").strip().partition("\n")[0]
    return BackupError("database_tool_failed", f"{tool} failed: {first_line}")
