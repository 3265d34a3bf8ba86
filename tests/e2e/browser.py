"""Debian's chromium, driven by Playwright, talking to nobody but the portal."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or ""
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(QUIET))
        yield browser
        browser.close()


def sign_in(page: Page, url: str, name: str, password: str) -> None:
    page.goto(f"{url}/sign-in/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Worklist").wait_for()


def open_case(page: Page, url: str, reference: str, question: str = "", **more: str) -> None:
    """Ends on the page that takes the scans."""
    page.goto(f"{url}/cases/new/")
    page.get_by_label("Patient reference").fill(reference)
    page.get_by_label("Clinical question").fill(question)
    for label, value in more.items():
        page.get_by_label(label.replace("_", " ").capitalize()).fill(value)
    page.get_by_role("button", name="Open case").click()
    page.get_by_text("Drop images here").wait_for()


def wait_for_keys(page: Page) -> None:
    """A heading can stand before the script that hears the keys has run; the script shows this button."""
    expect(page.locator("[data-keys-open]")).to_be_visible()


def drop_file(page: Page, onto: str, name: str, data: bytes) -> None:
    """As a hand does that lets go of a file over the element ``onto``, a CSS selector."""
    transfer = page.evaluate_handle(
        """([name, bytes]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], name));
          return transfer;
        }""",
        [name, list(data)],
    )
    page.dispatch_event(onto, "drop", {"dataTransfer": transfer})


def choose_files(page: Page, files: dict[str, bytes]) -> None:
    page.locator("input[type=file]").set_input_files(
        [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files.items()]
    )
