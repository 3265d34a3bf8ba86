"""One portal and one chromium for a file of walks; a fresh page, with nobody signed in, for each."""

import os
import re
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.e2e.browser import CHROMIUM, chromium, sign_in
from tests.e2e.portal import CLINICIAN, PASSWORD, RunningPortal, first_start, own_servers, running_portal

# What the browser and htmx say of a server that refuses or is away, and of a request that another replaces.
EXPECTED = re.compile("Failed to load resource|htmx:(afterRequest|sendError|sendAbort)")
expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, Any, Any]:
    """What the portal and the page said goes into the report of a walk that failed."""
    report = yield
    arguments = getattr(item, "funcargs", {})
    if report.failed and "portal" in arguments:
        log = arguments["portal"].log.read_text("utf-8", errors="replace")
        report.sections.append(("portal", log[-4000:]))
    for name in ("page", "at_work"):
        if report.when == "call" and report.failed and name in arguments:
            report.sections.append((name, arguments[name].locator("body").inner_text()))
    return report


@pytest.fixture(scope="session")
def unused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """Folder and settings of a portal that nobody has used; making its tables takes as long as a walk."""
    folder = tmp_path_factory.mktemp("unused")
    with first_start(folder) as servers:
        yield folder, servers


@pytest.fixture(scope="module")
def portal(
    tmp_path_factory: pytest.TempPathFactory, unused: tuple[Path, dict[str, str]]
) -> Iterator[RunningPortal]:
    folder = tmp_path_factory.mktemp("portal")
    shutil.copytree(unused[0], folder, dirs_exist_ok=True)
    with own_servers(like=unused[1]) as servers, running_portal(folder, **servers) as portal:
        yield portal


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        reason = "Debian's chromium is not installed"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"REQUIRE_SERVICES=1, but {reason}.")
        pytest.skip(reason)
    # Not for the whole session: while Playwright runs, Django takes this thread for an async one.
    with chromium() as browser:
        yield browser


@contextmanager
def watched_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page that fails the test when a script breaks or the content security policy stops something."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
    page = context.new_page()
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and not EXPECTED.match(message.text):
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Nobody is signed in."""
    with watched_page(browser) as page:
        yield page


@pytest.fixture(scope="module")
def session(browser: Browser, portal: RunningPortal) -> Any:
    """The cookies of a clinician who has signed in."""
    context = browser.new_context()
    sign_in(context.new_page(), portal.url, CLINICIAN, PASSWORD)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def at_work(browser: Browser, session: Any) -> Iterator[Page]:
    """A page of a clinician who has signed in."""
    with watched_page(browser, storage_state=session) as page:
        yield page
