"""One portal per backend for all scenarios; each scenario starts and loses its own workers."""

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.processes.backends import EMBEDDED, SERVERS
from tests.processes.portal import Portal
from tests.processes.servers import POSTGRES_BIN, REDIS, PostgresServer, RedisServer

LASTING = {"web", "sweeper"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.processes)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    """What each process said goes into the report of a scenario that failed."""
    report = yield
    portal = getattr(item, "funcargs", {}).get("portal")
    if report.failed and portal is not None:
        for path in sorted(portal.folder.glob("*.log")):
            report.sections.append((path.name, path.read_text("utf-8", errors="replace")[-6000:]))
    return report


def needs_servers() -> None:
    if REDIS is None or POSTGRES_BIN is None:
        reason = "redis-server or PostgreSQL's own programs are not installed"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"REQUIRE_SERVICES=1, but {reason}.")
        pytest.skip(reason)


def _servers(stack: ExitStack) -> dict[str, Any]:
    needs_servers()
    redis, postgres = RedisServer(), PostgresServer()
    stack.callback(redis.stop)
    stack.callback(postgres.remove)
    redis.start()
    postgres.create()
    return {"redis": redis, "postgres": postgres}


@pytest.fixture(scope="session", params=[SERVERS, EMBEDDED])
def lasting_portal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Portal]:
    with ExitStack() as stack:
        servers = _servers(stack) if request.param == SERVERS else {}
        portal = Portal(tmp_path_factory.mktemp("portal"), **servers)
        stack.callback(portal.stop_all)
        portal.prepare()
        portal.start_web()
        portal.start_sweeper()
        yield portal


@pytest.fixture
def portal(lasting_portal: Portal) -> Iterator[Portal]:
    """Web server and sweeper run; workers are the scenario's own and end with it."""
    lasting_portal.give("")
    yield lasting_portal
    for name in set(lasting_portal.processes) - LASTING:
        lasting_portal.kill(name)
    lasting_portal.forget_killed_workers()
