"""Chooses the database and the broker of a test run before Django reads its settings, and says which.

PostgreSQL (``DATABASE_URL``) and Redis (``REDIS_URL``) are used where they answer; otherwise the embedded
SQLite and file queue. With ``REQUIRE_SERVICES=1`` a run without both stops at once.
"""

import atexit
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis

POSTGRES = "postgresql://postgres@127.0.0.1:5432/test"
REDIS = "redis://127.0.0.1:6379/0"


def _postgres_answers(url: str) -> bool:
    try:
        psycopg2.connect(url, connect_timeout=2).close()
    except psycopg2.Error:
        return False
    return True


def _redis_answers(url: str) -> bool:
    try:
        return bool(redis.Redis.from_url(url, socket_connect_timeout=2).ping())
    except redis.RedisError:
        return False


def _choose() -> dict[str, str]:
    database, broker = os.environ.get("DATABASE_URL", POSTGRES), os.environ.get("REDIS_URL", REDIS)
    postgres = urlsplit(database).scheme.startswith("postgres") and _postgres_answers(database)
    redis_up = _redis_answers(broker)
    if os.environ.get("REQUIRE_SERVICES") == "1" and not (postgres and redis_up):
        missing = " and ".join(n for n, up in (("PostgreSQL", postgres), ("Redis", redis_up)) if not up)
        pytest.exit(f"REQUIRE_SERVICES=1, but {missing} does not answer.", returncode=3)
    data_dir = tempfile.mkdtemp(prefix="portal-test-")
    atexit.register(shutil.rmtree, data_dir, ignore_errors=True)
    # Two runs on one machine must not meet in the database (Django puts test_ before its name) or the queue.
    own_database = f"{database.rpartition('/')[0]}/portal_{os.getpid()}"
    return {
        "PORTAL_MODE": "embedded",
        "PORTAL_DATA_DIR": data_dir,
        "DATABASE_URL": own_database if postgres else f"sqlite:///{data_dir}/portal.sqlite3",
        "BROKER_URL": broker if redis_up else "filesystem://",
        "PORTAL_REDIS_PREFIX": f"portal-test-{uuid.uuid4().hex[:8]}:",
    }


def _share_of(worker: str) -> dict[str, str]:
    """What a process of pytest-xdist makes of the choice it has inherited."""
    return {
        "PORTAL_DATA_DIR": f"{os.environ['PORTAL_DATA_DIR']}/{worker}",
        "DATABASE_URL": os.environ["DATABASE_URL"],
        "BROKER_URL": os.environ["BROKER_URL"],
        "PORTAL_REDIS_PREFIX": f"{os.environ['PORTAL_REDIS_PREFIX']}{worker}:",
    }


WORKER = os.environ.get("PYTEST_XDIST_WORKER")
CHOSEN = _share_of(WORKER) if WORKER else _choose()
os.environ.update(CHOSEN)
# WhiteNoise warns of a missing folder once for every client of a test.
Path(CHOSEN["PORTAL_DATA_DIR"], "static").mkdir(mode=0o700, parents=True)


def pytest_report_header(config: pytest.Config) -> str:
    scheme = {n: urlsplit(CHOSEN[n]).scheme for n in ("DATABASE_URL", "BROKER_URL")}
    return f"backends: database {scheme['DATABASE_URL']}, broker {scheme['BROKER_URL']}"
