"""Uploads of many files in a browser: a folder, an archive, a drop on a case, and a page that is left."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.browser import choose_files, drop_file, open_case
from tests.e2e.portal import RunningPortal
from tests.ml.pictures import brain_dicom, brain_png
from tests.ml.volumes import dicom_slices, zipped

SLICES = 60
OTHER_SERIES = "1.2.826.0.1.3680043.8.498.79"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder as a disc has it: a series below it, a text, and what a system leaves behind."""
    folder = tmp_path / "GARCIA MARIA" / "S1"
    folder.mkdir(parents=True)
    for number, data in enumerate(dicom_slices(SLICES, step=2.0)):
        (folder / f"IM{number:03}").write_bytes(data)
    (folder / "<b>notes.txt").write_text("Nothing to see.")
    (folder / ".DS_Store").write_bytes(b"x")
    return folder.parent


def test_files_chosen_before_the_script_is_there_are_sent_once_it_is(
    at_work: Page, portal: RunningPortal
) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    at_work.route(re.compile(r"/js/upload\."), hold)
    open_case(at_work, portal.url, "EARLY-1")
    choose_files(at_work, {"early.png": brain_png()})
    assert held
    held[0].continue_()
    expect(at_work.locator(".upload-words")).to_have_text(re.compile("Accepted"))


def tally(page: Page):  # type: ignore[no-untyped-def]
    return page.locator("[data-tally]")


def test_a_folder_becomes_one_scan_in_few_rows_and_is_still_named_after_a_reload(
    at_work: Page, portal: RunningPortal, study: Path
) -> None:
    page = at_work
    open_case(page, portal.url, "FOLDER-1")
    page.get_by_label("Remove the patient's identity").check()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a folder").click()
    chooser.value.set_files(study)
    expect(tally(page)).to_have_text(f"{SLICES} accepted, 1 refused")
    expect(page.locator("[data-note]")).to_have_text("Files of the system left out: 1")
    refused = page.locator(".upload-row.upload-refused")
    expect(refused).to_contain_text("<b>notes.txt")
    expect(refused).to_contain_text("This is a text file")
    assert page.locator(".upload-row").count() <= 21
    expect(page.locator("[data-show-more]")).to_have_text("and 40 more")
    arrived = page.locator("[data-arrived] li")
    expect(arrived).to_have_count(1)
    expect(arrived).to_contain_text(f"files: {SLICES}")

    page.reload()
    expect(arrived).to_contain_text(f"files: {SLICES}")
    arrived.get_by_role("link").click()
    expect(page.locator("main")).to_contain_text("FOLDER-1")
    assert "GARCIA" not in page.content()


def test_an_archive_a_copy_of_it_and_a_bad_file_are_each_told_what_became_of_them(
    at_work: Page, portal: RunningPortal
) -> None:
    page = at_work
    open_case(page, portal.url, "ZIP-1")
    slices = dicom_slices(6, series=OTHER_SERIES)
    archive = zipped({f"disc/{number}": data for number, data in enumerate(slices)})
    choose_files(page, {"disc.zip": archive, "bad.dcm": brain_dicom()[:-1000]})
    expect(tally(page)).to_have_text("1 accepted, 1 refused")
    expect(page.locator(".upload-row").filter(has_text="disc.zip")).to_contain_text("Holds 1 scan")
    expect(page.locator(".upload-row").filter(has_text="bad.dcm")).to_contain_text(
        "holds less of its picture"
    )
    choose_files(page, {"again.zip": archive})
    row = page.locator(".upload-row").filter(has_text="again.zip")
    expect(row.get_by_role("link", name="Open the scan")).to_be_visible()
    expect(tally(page)).to_have_text("1 accepted, 1 already there, 1 refused")


def test_an_archive_that_was_taken_in_part_is_told_of_however_many_files_there_are(
    at_work: Page, portal: RunningPortal
) -> None:
    """Among the first rows or not: what is missing may be what shows the tumour."""
    page = at_work
    open_case(page, portal.url, "PART-1")
    many = {f"{number}.txt": b"" for number in range(25)}
    page.locator("input[type=file]").set_input_files(
        [{"name": name, "mimeType": "text/plain", "buffer": data} for name, data in many.items()]
    )
    expect(tally(page)).to_have_text("25 refused")
    whole = {f"{number}.png": brain_png(number) for number in range(3)}
    choose_files(page, {"study.zip": zipped(whole | {"torn.png": brain_png(9)[:-900]})})
    expect(tally(page)).to_have_text("1 taken in part, 25 refused")
    row = page.locator(".upload-row.upload-partly")
    expect(row).to_contain_text("Holds 3 scans. 1 file was not taken: “torn.png”")
    expect(row.get_by_role("link", name="Open")).to_be_visible()


def test_what_is_dropped_on_a_case_waits_for_the_choice_about_the_patient(
    at_work: Page, portal: RunningPortal
) -> None:
    page = at_work
    open_case(page, portal.url, "DROP-1")
    page.goto(page.url.removesuffix("upload/"))
    form = page.get_by_role("form", name="Add scans")
    expect(form).to_be_hidden()
    drop_file(page, "main", "dropped.png", brain_png())
    expect(tally(page)).to_have_text("1 to go")
    expect(form.get_by_role("heading", name="Add scans")).to_be_focused()
    form.get_by_role("button", name="Send").click()
    expect(tally(page)).to_have_text("1 accepted")
    page.get_by_role("link", name="See the results").click()
    expect(page.locator(".scan")).to_have_count(1)


def test_an_upload_can_be_paused_stopped_and_sent_again(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, "STOP-1")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/upload/", hold)
    choose_files(page, {f"{number}.png": brain_png(number) for number in range(5)})
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-note]")).to_contain_text("Paused")
    page.get_by_role("button", name="Stop").click()
    expect(tally(page)).to_have_text("5 not sent")
    expect(tally(page)).to_be_focused()
    page.unroute("**/upload/")
    page.get_by_role("button", name="Send again what was not sent").click()
    page.get_by_role("button", name="Continue").click()
    expect(tally(page)).to_have_text("5 accepted")


def test_a_page_that_was_left_says_how_many_files_had_not_arrived(
    at_work: Page, portal: RunningPortal
) -> None:
    page = at_work
    open_case(page, portal.url, "LEFT-1")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(
        "**/upload/", lambda route: hold(route) if route.request.method == "POST" else route.continue_()
    )
    choose_files(page, {"one.png": brain_png(1), "two.png": brain_png(2)})
    expect(tally(page)).to_have_text("2 to go")
    page.once("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_text("When this page was left, 2 files had not arrived.")).to_be_visible()
    assert ".png" not in page.evaluate("JSON.stringify({...sessionStorage})")
