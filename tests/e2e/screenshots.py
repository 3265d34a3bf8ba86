"""`python -m tests.e2e.screenshots`: the pictures of the README, of drawn heads and invented patients."""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.browser import choose_files, chromium, open_case, sign_in
from tests.e2e.phantom import head_nifti, head_png
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
    with chromium() as browser:
        with tempfile.TemporaryDirectory() as folder, running_portal(Path(folder)) as portal:
            _take_reading(browser, portal.url)
        with tempfile.TemporaryDirectory() as folder, running_portal(Path(folder)) as portal:
            portal.manage("seed_cases", "--cases", "3000", "--departments", "0")
            _take_figures(browser, portal.url)


def _take_reading(browser: Browser, url: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    sign_in(page, url, CLINICIAN, PASSWORD)
    page.get_by_role("button", name="Hide these steps").click()
    cases = [_case(page, url, *case) for case in CASES]
    volume = _volume(page, url)
    _agree(page, cases[3])
    page.goto(url)
    _take(page, "worklist")
    page.goto(cases[0])
    _take(page, "case")
    _take_viewer(page, volume)
    _sign(page, cases[3])
    _take(page, "report")
    _take_elsewhere(browser, context, url, cases[2])


def _take_elsewhere(browser: Browser, context: BrowserContext, url: str, case: str) -> None:
    """On a phone, and in the other language and colours."""
    phone = browser.new_context(
        viewport={"width": 360, "height": 1180}, device_scale_factor=2, storage_state=context.storage_state()
    ).new_page()
    phone.goto(case)
    _take(phone, "case-phone")
    page = context.new_page()
    page.goto(f"{url}/settings/")
    page.get_by_role("combobox", name="Colours").select_option("light")
    page.get_by_role("combobox", name="Language").select_option("es")
    page.get_by_role("button", name="Keep").click()
    page.goto(url)
    _take(page, "worklist-es")


def _take_figures(browser: Browser, url: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 1560})
    sign_in(page, url, CLINICIAN, PASSWORD)
    page.goto(f"{url}/figures/?weeks=26")
    _take(page, "figures")


def _volume(page: Page, url: str) -> str:
    open_case(page, url, "MRN-22734", "Weakness of the left arm", Study_date="2026-11-17")
    address = page.url.removesuffix("upload/")
    choose_files(page, {"t1-post-contrast.nii.gz": head_nifti(8, tumour="ring")})
    page.get_by_role("link", name="See the results").click()
    expect(page.locator(".provenance a").last).to_be_visible(timeout=30_000)
    return address


def _take_viewer(page: Page, case: str) -> None:
    page.goto(case)
    page.get_by_role("link", name="Open the viewer").click()
    page.locator("[data-stage][data-ready]").wait_for()
    _take(page, "viewer")


def _sign(page: Page, case: str) -> None:
    page.goto(f"{case}report/")
    page.get_by_label("Impression").fill("No mass, no shift of the midline.")
    page.get_by_role("button", name="Sign the report").click()
    page.goto(f"{case}report/")


def _case(page: Page, url: str, reference: str, question: str, day: str, heads: list[tuple[int, str]]) -> str:
    """Opens the case and waits for its results; its address."""
    open_case(page, url, reference, question, Study_date=day)
    address = page.url.removesuffix("upload/")
    if not heads:
        return address
    files = {f"axial-{n + 1:02}.png": head_png(seed, tumour=kind) for n, (seed, kind) in enumerate(heads)}
    choose_files(page, files)
    results = page.get_by_role("link", name="See the results")
    results.wait_for()
    if len(heads) > 1:
        choose_files(page, {"axial-01 (copy).png": files["axial-01.png"], "letter.png": b"%PDF-1.4"})
        expect(page.locator(".upload-row progress")).to_have_count(0)
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
