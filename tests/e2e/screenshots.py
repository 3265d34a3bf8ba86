"""`python -m tests.e2e.screenshots`: the pictures of the README, of drawn heads and invented patients."""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import choose_files, chromium, open_case, sign_in
from tests.e2e.phantom import head_png
from tests.e2e.portal import CLINICIAN, PASSWORD, PROJECT, running_portal

FOLDER = PROJECT / "docs" / "screenshots"
# Patient, question, study date, drawn heads as (seed, tumour).
CASES = (
    ("MRN-20417", "Headache for six weeks, mass?", "2026-11-10", [(20, "ring"), (17, "")]),
    ("MRN-20748", "Follow-up, unchanged?", "2026-11-11", [(21, "")]),
    ("MRN-21079", "Visual field loss on both sides", "2026-11-12", [(6, "solid")]),
    ("MRN-21410", "Dizziness, exclude a tumour", "2026-11-13", [(24, "")]),
    ("MRN-21741", "First seizure at 54", "2026-11-14", [(5, "ring")]),
    ("MRN-22072", "Hearing loss on the left", "2026-11-15", [(8, "ring")]),
    ("MRN-22403", "Memory complaints", "2026-11-16", []),
)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_portal(Path(folder)) as portal,
        chromium() as browser,
    ):
        _take_all(browser, portal.url)


def _take_all(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    sign_in(page, url, CLINICIAN, PASSWORD)
    cases = [_case(page, url, *case) for case in CASES]
    _agree(page, cases[3])
    page.goto(url)
    _take(page, "worklist")
    page.goto(cases[0])
    _take(page, "case")
    phone = browser.new_context(
        viewport={"width": 360, "height": 1180},
        device_scale_factor=2,
        storage_state=page.context.storage_state(),
    ).new_page()
    phone.goto(cases[2])
    _take(phone, "case-phone")


def _case(page: Page, url: str, reference: str, question: str, day: str, heads: list[tuple[int, str]]) -> str:
    """Opens the case and waits for its results; its address."""
    open_case(page, url, reference, question, Study_date=day)
    address = page.url.removesuffix("upload/")
    if not heads:
        return address
    files = {f"axial-{n + 1:02}.png": head_png(seed, tumour=kind) for n, (seed, kind) in enumerate(heads)}
    if len(heads) > 1:
        files |= {"copy.png": head_png(heads[0][0], tumour=heads[0][1]), "letter.png": b"%PDF-1.4"}
    choose_files(page, files)
    results = page.get_by_role("link", name="See the results")
    results.wait_for()
    if len(heads) > 1:
        _take(page, "upload")
    results.click()
    expect(page.locator(".provenance a")).to_have_count(len(heads), timeout=30_000)
    return address


def _agree(page: Page, case: str) -> None:
    page.goto(case)
    page.locator('input[value="agree"], input[value="cannot_tell"]').first.check()
    page.get_by_role("button", name="Record review").click()
    page.get_by_text("Your review is recorded.").wait_for()


def _take(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
