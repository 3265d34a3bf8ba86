"""A patient's images from the sign-in to the signed report, in the hands of three who read."""

import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pypdf
import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.e2e.answers import answer_in_the_workers_place
from tests.e2e.browser import choose_files, open_case, sign_in
from tests.e2e.conftest import watched_page
from tests.e2e.images import Images, images
from tests.e2e.portal import ADMINISTRATOR, CLINICIAN, PASSWORD, RunningPortal
from tests.e2e.test_accessibility import complaints

REFERENCE = "MRN-WALK"
QUESTION = "Seizure at 54, mass?"
IMPRESSION = "Enhancing mass of the right frontal lobe."
ANSWERED = re.compile("suspected|No tumour seen|Uncertain|Refused")
SECOND, THIRD = "second", "third"


@pytest.fixture
def people(browser: Browser, portal: RunningPortal) -> Iterator[dict[str, Page]]:
    """Three who read in a department that wants two independent reads, each at a browser of their own."""
    for name in (SECOND, THIRD):
        user = ("create_user", name, "--role", "reviewer", "--department", "Neuroradiology")
        portal.manage(*user, "--password-file", "-", typed=PASSWORD)
    with ExitStack() as stack:
        office = stack.enter_context(watched_page(browser))
        sign_in(office, portal.url, ADMINISTRATOR, PASSWORD)
        want_two_reads(office, portal)
        pages = {
            name: stack.enter_context(watched_page(browser, accept_downloads=True))
            for name in (CLINICIAN, SECOND, THIRD)
        }
        for name, page in pages.items():
            sign_in(page, portal.url, name, PASSWORD)
        yield pages


def want_two_reads(page: Page, portal: RunningPortal) -> None:
    page.goto(f"{portal.url}/admin/auth/group/")
    page.get_by_role("link", name="Neuroradiology").click()
    page.get_by_role("link", name="How it reads").click()
    page.get_by_label("Two independent reads").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("reads like this from now on")).to_be_visible()


def test_four_kinds_of_images_are_read_twice_decided_signed_and_reported(
    people: dict[str, Page], browser: Browser, portal: RunningPortal, tmp_path: Path
) -> None:
    first, second, third = people.values()
    given = images()
    case = upload_and_watch(first, portal, given)
    look_through(first)
    correct(first, case, "Meningioma")
    seen = read_second(second, case)
    decide(third, case)
    report = sign(first, case)
    told = pdf_of(first, "PDF in English", tmp_path)
    for words in (REFERENCE, QUESTION, IMPRESSION, "Glioma", CLINICIAN, SECOND, THIRD, "Research use only"):
        assert words in told
    assert "Solo para investigación" in pdf_of(first, "PDF in Spanish", tmp_path)
    speak_spanish_in_the_light(first, portal)
    in_the_timeline(second, case)
    assert axe_on(browser, people, [case, seen, report, f"{case}history/", f"{portal.url}/figures/"]) == []


def upload_and_watch(page: Page, portal: RunningPortal, given: Images) -> str:
    """The statuses change while nothing is loaded anew; the address of the case."""
    open_case(page, portal.url, REFERENCE, QUESTION, Study_date="2026-02-03")
    case = page.url.removesuffix("upload/")
    tally = page.locator("[data-tally]")
    with portal.workers_held():
        choose_files(page, dict([given.volume]))
        expect(tally).to_have_text("1 accepted")
        if not given.real:
            answer_in_the_workers_place(portal)
        choose_files(page, dict(given.others))
        expect(tally).to_have_text("4 accepted")
        page.get_by_role("link", name="See the results").click()
        outcome = page.locator(".outcome")
        expect(outcome.filter(has_text="Waiting for analysis").first).to_be_visible()
        loads: list[Request] = []

        def note(request: Request) -> None:
            loads.append(request)

        page.on("request", note)
    expect(outcome).to_have_text([ANSWERED] * 4, timeout=60_000)
    assert not [load for load in loads if load.is_navigation_request()]
    page.remove_listener("request", note)
    return case


def look_through(page: Page) -> None:
    """The volume in the viewer: slices, window, and the picture without the outline."""
    volume = page.locator(".scan").filter(has_text=".nii.gz")
    volume.get_by_role("link", name="Open the viewer").click()
    stage = page.locator("[data-stage]")
    expect(stage).to_have_attribute("data-ready", re.compile(r"^\d+$"))
    decided = int(stage.get_attribute("data-ready") or 0)
    page.keyboard.press("ArrowLeft")
    expect(stage).to_have_attribute("data-ready", str(decided - 1))
    page.keyboard.press("d")
    expect(stage).to_have_attribute("data-ready", str(decided))
    expect(stage).to_have_attribute("data-overlay", "filled")
    page.keyboard.press("o")
    expect(stage).to_have_attribute("data-overlay", "")
    before = stage.get_attribute("data-window")
    box = stage.bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 230)
    page.mouse.up()
    expect(stage).not_to_have_attribute("data-window", before or "")


def correct(page: Page, case: str, label: str) -> None:
    """The volume gets another answer and a wrong region; what else there is nobody can tell."""
    page.goto(case)
    form = of_the_volume(page)
    form.get_by_label("Another answer").check()
    form.get_by_label("The right answer").select_option(label)
    form.get_by_label("The marked region is wrong").check()
    form.get_by_label("Comment").fill("It looks <b>extra-axial</b>.")
    form.get_by_role("button", name="Record review").click()
    expect(page.get_by_text("Your review is recorded.")).to_be_visible()
    cannot_tell_the_others(page, case)


def read_second(page: Page, case: str) -> str:
    """Who reads second finds the case in the list and no word of the first read; the viewer's address."""
    row = page.get_by_role("row").filter(has_text=REFERENCE)
    page.reload()
    expect(row).to_contain_text("Second read needed")
    row.get_by_role("link", name=REFERENCE).click()
    expect(page).to_have_url(case)
    expect(page.get_by_text("A first read is recorded. It is shown when yours is, too.")).to_have_count(4)
    expect(page.locator("main")).not_to_contain_text("extra-axial")
    form = of_the_volume(page)
    form.get_by_label("Another answer").check()
    form.get_by_label("The right answer").select_option("Glioma")
    form.get_by_role("button", name="Record review").click()
    expect(page.locator(".verdict").filter(has_text="It looks <b>extra-axial</b>.")).to_be_visible()
    cannot_tell_the_others(page, case)
    page.locator(".scan").filter(has_text=".nii.gz").get_by_role("link", name="Open the viewer").click()
    expect(page.locator("[data-stage]")).to_have_attribute("data-ready", re.compile(r"^\d+$"))
    return page.url.split("?")[0]


def decide(page: Page, case: str) -> None:
    page.reload()
    expect(page.get_by_role("row").filter(has_text=REFERENCE)).to_contain_text("Adjudication needed")
    page.goto(case)
    page.get_by_role("link", name="Decide between the reads").click()
    expect(page.locator(".verdict")).to_have_count(2)
    page.get_by_label("Glioma").check()
    page.get_by_role("button", name="Record the decision").click()
    expect(page.locator(".verdict").filter(has_text="decided between the reads")).to_be_visible()


def sign(page: Page, case: str) -> str:
    """The report's address; one key signs."""
    page.goto(case)
    page.get_by_role("link", name="Sign off").click()
    page.get_by_label("Glioma").check()
    page.get_by_label("Impression").fill(IMPRESSION)
    page.get_by_role("heading", name="Sign off").click()
    page.keyboard.press("s")
    expect(page.get_by_text("That was the last case of this list.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=REFERENCE)).to_contain_text("Signed")
    page.goto(f"{case}report/")
    expect(page.get_by_role("heading", name="Version 1, which holds")).to_be_visible()
    return page.url


def pdf_of(page: Page, name: str, folder: Path) -> str:
    with page.expect_download() as download:
        page.get_by_role("link", name=name).click()
    path = folder / f"{name}.pdf"
    download.value.save_as(path)
    reader = pypdf.PdfReader(io.BytesIO(path.read_bytes()))
    return " ".join(" ".join(sheet.extract_text() for sheet in reader.pages).split())


def speak_spanish_in_the_light(page: Page, portal: RunningPortal) -> None:
    page.goto(portal.url)
    page.get_by_role("button", name="Español").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lista de trabajo")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    page.get_by_role("button", name="Colores claros").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Worklist")


def in_the_timeline(page: Page, case: str) -> None:
    page.goto(f"{case}history/")
    timeline = page.locator(".timeline")
    expect(timeline).not_to_contain_text("looked at")
    for act in ("opened the case", "uploaded scan", "reviewed: another answer", "decided between", "signed"):
        expect(timeline).to_contain_text(act)
    page.get_by_role("link", name="Show looks and downloads too").click()
    for look in ("looked at the report", "downloaded the report"):
        expect(timeline).to_contain_text(look)


def of_the_volume(page: Page):  # type: ignore[no-untyped-def]
    return page.locator(".scan").filter(has_text=".nii.gz").locator(".review-form")


def cannot_tell_the_others(page: Page, case: str) -> None:
    """Of every scan that still asks this reader first: the folded forms are of scans read already."""
    page.goto(case)
    unread = page.locator(".review-details[open]")
    for left in range(3, 0, -1):
        expect(unread).to_have_count(left)
        unread.first.get_by_label("Cannot tell").check()
        unread.first.get_by_role("button", name="Record review").click()
        expect(page.get_by_text("Your review is recorded.")).to_be_visible()
        page.goto(case)
    expect(unread).to_have_count(0)


def axe_on(browser: Browser, people: dict[str, Page], addresses: list[str]) -> list[str]:
    """axe is no script of ours, and the content security policy would stop it."""
    state = people[SECOND].context.storage_state()
    context = browser.new_context(storage_state=state, bypass_csp=True)
    page = context.new_page()
    found: list[str] = []
    for address in addresses:
        page.goto(address)
        found += complaints(page)
    context.close()
    return found
