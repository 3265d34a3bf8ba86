"""A clinician at work, in a browser, against the real web server, worker and database."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.conftest import DATA
from tests.e2e.browser import choose_files, drop_file, open_case, sign_in
from tests.e2e.phantom import head_png, volume_nifti
from tests.e2e.portal import CLINICIAN, PASSWORD, RunningPortal
from tests.e2e.test_viewer import at_slice, colour
from tests.ml.pictures import brain_dicom, brain_png

OUTCOME = re.compile("suspected|No tumour seen|Uncertain|Refused")


def outcome(page: Page):  # type: ignore[no-untyped-def]
    return page.locator(".outcome")


def upload_and_see(page: Page, files: dict[str, bytes]) -> None:
    choose_files(page, files)
    expect(page.locator(".upload-words")).to_have_text([re.compile("Accepted")] * len(files))
    page.get_by_role("link", name="See the results").click()
    expect(outcome(page)).to_have_text([OUTCOME] * len(files))


def test_from_sign_in_to_history(page: Page, portal: RunningPortal) -> None:
    sign_in(page, portal.url, CLINICIAN, PASSWORD)
    open_case(page, portal.url, "MRN-100", "Headache for six weeks, mass?", Study_date="2026-01-31")
    upload_and_see(page, {"axial.png": head_png(1, tumour="ring")})
    expect(page.get_by_text("tumour probability")).to_be_visible()
    expect(page.locator(".bar-figure")).to_have_count(4)
    expect(page.get_by_text("Research use only").first).to_be_visible()

    page.get_by_label("Cannot tell").check()
    page.get_by_label("Comment").fill("One slice is not enough.")
    page.get_by_role("button", name="Record review").click()
    expect(page.get_by_text("Your review is recorded.")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("One slice is not enough.")

    page.get_by_role("link", name="History").click()
    timeline = page.locator(".timeline")
    for sentence in ("opened the case", "uploaded scan", "finished analysis", "reviewed: cannot tell"):
        expect(timeline).to_contain_text(sentence)

    page.get_by_role("link", name="Worklist").click()
    row = page.get_by_role("row").filter(has_text="MRN-100")
    expect(row).to_contain_text("Cannot tell")


def test_the_result_appears_without_a_reload(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, "MRN-101")
    with portal.workers_held():
        choose_files(page, {"one.png": head_png(2), "two.png": head_png(3)})
        page.get_by_role("link", name="See the results").click()
        expect(outcome(page)).to_have_text(["Waiting for analysis"] * 2)
        expect(page.locator(".sign-off")).to_contain_text("not finished")
        loads: list[Request] = []

        def note(request: Request) -> None:
            loads.append(request)

        page.on("request", note)
    expect(outcome(page)).to_have_text([OUTCOME] * 2)
    expect(page.locator(".glance .tag")).to_have_text([OUTCOME] * 2)
    expect(page.locator("#poller[hx-get]")).to_have_count(0)
    expect(page.locator(".sign-off")).to_contain_text("2 of 2 scans are still to be read.")
    assert not [request for request in loads if request.is_navigation_request()]


def test_the_outline_arrives_with_the_result_and_can_be_taken_off(
    at_work: Page, portal: RunningPortal
) -> None:
    page = at_work
    open_case(page, portal.url, "MRN-108")
    with portal.workers_held():
        choose_files(page, {"one.png": head_png(20, tumour="ring")})
        page.get_by_role("link", name="See the results").click()
        expect(outcome(page)).to_have_text(["Waiting for analysis"])
        expect(page.locator(".picture-border")).to_have_count(0)
    border = page.get_by_alt_text("A border around what the model has outlined")
    expect(border).to_be_visible()
    expect(border).to_have_js_property("naturalWidth", 512)
    frames = [one.bounding_box() for one in page.locator(".picture a > img").all()]
    assert frames[0] == frames[1] and len(frames) == 2
    page.get_by_role("checkbox", name="Outline").uncheck()
    expect(border).to_be_hidden()
    page.keyboard.press("o")
    expect(border).to_be_visible()


def test_keys_press_what_is_in_view_and_outlines_go_together(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, "MRN-109")
    upload_and_see(page, {"one.png": head_png(20, tumour="ring"), "two.png": head_png(5, tumour="ring")})
    switches = page.get_by_role("checkbox", name="Outline")
    expect(switches).to_have_count(2)
    switches.last.uncheck()
    page.evaluate("scrollTo(0, 0)")
    for shown in (False, True):
        page.keyboard.press("o")
        for switch in switches.all():
            expect(switch).to_be_checked(checked=shown)
    first, second = page.get_by_role("link", name="Open the viewer").all()
    under_the_header = "one => scrollBy({ top: one.getBoundingClientRect().top - 9, behavior: 'instant' })"
    first.evaluate(under_the_header)
    expect(first).to_be_in_viewport()
    expect(second).to_be_in_viewport()
    address = second.get_attribute("href")
    page.keyboard.press("v")
    expect(page).to_have_url(f"{portal.url}{address}")


def test_what_is_typed_outlives_the_session(page: Page, portal: RunningPortal) -> None:
    """The cookie goes as the server's half of it would; another window signs in, with another key."""
    sign_in(page, portal.url, CLINICIAN, PASSWORD)
    open_case(page, portal.url, "TYPED-1")
    choose_files(page, {"slice.png": brain_png(3)})
    page.get_by_role("link", name="See the results").click()
    form = page.locator("form.review-form").first
    form.locator('input[value="cannot_tell"]').check(timeout=30_000)
    form.get_by_label("Comment").fill("Half an hour's thought.")
    page.context.clear_cookies()
    form.get_by_role("button", name="Record review").click()
    expect(form.get_by_role("alert")).to_contain_text("what you have typed is still here")
    with page.context.expect_page() as opened:
        form.get_by_role("link", name=f"Sign in as {CLINICIAN}").click()
    window = opened.value
    window.get_by_label("Username").fill(CLINICIAN)
    window.get_by_label("Password").fill(PASSWORD)
    window.get_by_role("button", name="Sign in").click()
    expect(window.get_by_role("heading", name="Settings", exact=True)).to_be_visible()
    form.get_by_role("button", name="Record review").click()
    expect(page.get_by_text("Your review is recorded.")).to_be_visible()
    expect(page.locator("blockquote.verdict")).to_contain_text("Half an hour's thought.")


def test_each_file_is_told_what_became_of_it(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, "MRN-102")
    files = {f"slice-{number}.png": brain_png(number) for number in range(5)}
    choose_files(page, {**files, "copy.png": brain_png(0), "letter.png": b"%PDF-1.4"})
    expect(page.locator("[data-tally]")).to_have_text("5 accepted, 1 already there, 1 refused")
    row = page.locator(".upload-row").filter(has_text="letter.png")
    expect(row).to_contain_text("This is a PDF document")
    expect(page.locator(".upload-row progress")).to_have_count(0)


def test_a_name_of_markup_is_shown_as_text(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, "MRN-103")
    name = "<img src=x onerror=alert(1)>.png"
    upload_and_see(page, {name: brain_png()})
    expect(page.get_by_text(name).first).to_be_visible()
    expect(page.locator("img[src=x]")).to_have_count(0)


def test_files_can_be_dropped_anywhere_on_the_page(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, "MRN-104")
    drop_file(page, "footer", "dropped.png", brain_png())
    expect(page.locator(".upload-row")).to_contain_text("Accepted")


def test_an_upload_that_breaks_can_be_tried_again(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, "MRN-105")
    page.route("**/upload/", lambda route: route.abort())
    choose_files(page, {"axial.png": brain_png()})
    row = page.locator(".upload-row")
    expect(row).to_contain_text("The connection broke. Nothing was stored.")
    page.unroute("**/upload/")
    row.get_by_role("button", name="Try again").click()
    expect(row).to_contain_text("Accepted")


def test_leaving_during_an_upload_is_warned_of(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, "MRN-106")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/upload/", hold)
    choose_files(page, {"axial.png": brain_png()})
    expect(page.locator("[data-tally]")).to_have_text("1 to go")
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.get_by_role("link", name="Worklist").click()
    page.get_by_role("heading", name="Worklist").wait_for()
    assert asked == ["beforeunload"]


def test_a_dicom_file_shows_its_picture_and_facts(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, "MRN-107")
    upload_and_see(page, {"IM0001": brain_dicom()})
    page.get_by_role("link", name="Look at this scan on its own").click()
    expect(page.get_by_text("Modality")).to_be_visible()
    stage = page.locator("[data-stage]")
    expect(stage).to_be_visible()
    at_slice(stage, 0)
    assert any(colour(stage))


def test_filtering_changes_the_list_and_the_address(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    for reference in ("FILTER-A", "FILTER-B", "OTHER-C"):
        open_case(page, portal.url, reference)
    page.goto(portal.url)
    page.get_by_label("Reference or question").press_sequentially("filter-")
    expect(page.get_by_role("row").filter(has_text="OTHER-C")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="FILTER-")).to_have_count(2)
    expect(page).to_have_url(f"{portal.url}/?q=filter-")
    page.reload()
    expect(page.get_by_role("row").filter(has_text="FILTER-")).to_have_count(2)
    page.get_by_label("Status").select_option(label="Tumour suspected")
    expect(page.get_by_text("No case fits these filters")).to_be_visible()
    page.get_by_role("link", name="Remove the filters").click()
    expect(page.get_by_role("row").filter(has_text="OTHER-C")).to_have_count(1)


def test_a_case_opened_elsewhere_comes_into_the_worklist_by_itself(
    at_work: Page, portal: RunningPortal
) -> None:
    page = at_work
    page.goto(portal.url)
    other = page.context.new_page()
    open_case(other, portal.url, "ELSEWHERE-1")
    other.close()
    page.bring_to_front()
    expect(page.get_by_role("row").filter(has_text="ELSEWHERE-1")).to_be_visible(timeout=20_000)


def test_the_keyboard_alone_is_enough(page: Page, portal: RunningPortal) -> None:
    page.goto(portal.url)
    expect(page.get_by_label("Username")).to_be_focused()
    keys = page.keyboard
    keys.type(CLINICIAN)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    page.get_by_role("heading", name="Worklist").wait_for()
    # While a page still loads, Chromium may focus the target of the skip link once more, after the next Tab.
    page.wait_for_load_state()
    keys.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    keys.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    keys.press("Tab")
    expect(page.locator(":focus")).to_have_text("New case")
    keys.press("Enter")
    page.get_by_role("heading", name="New case").wait_for()
    page.get_by_label("Patient reference").focus()
    keys.type("KEYS-1")
    keys.press("Enter")
    page.get_by_text("Drop images here").wait_for()
    page.locator("input[type=file]").focus()
    outline = page.locator(".drop").evaluate("element => getComputedStyle(element).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("width", [360, 768, 1280, 2560])
def test_no_page_is_wider_than_the_screen(width: int, at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, f"WIDE-{width}-" + "W" * 50, "Q" * 300)
    case = page.url.removesuffix("upload/")
    upload_and_see(page, {letter * 120 + ".png": brain_png(width + n) for n, letter in enumerate("mn")})
    card = page.locator(".provenance a").last.get_attribute("href") or ""
    page.set_viewport_size({"width": width, "height": 800})
    for url in ("/", "/cases/new/", "/settings/", "/settings/password/", "/nothing/", card):
        page.goto(f"{portal.url}{url}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, url
    for url in (case, f"{case}history/", f"{case}upload/"):
        page.goto(url)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, url


def test_without_scripts_an_upload_and_its_result_still_work(page: Page, portal: RunningPortal) -> None:
    assert page.context.browser
    context = page.context.browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    sign_in(plain, portal.url, CLINICIAN, PASSWORD)
    open_case(plain, portal.url, "PLAIN-1")
    choose_files(plain, {"axial.png": brain_png(), "letter.png": b"%PDF-1.4"})
    plain.get_by_role("button", name="Upload").click()
    expect(plain.locator(".uploads")).to_contain_text("Accepted")
    expect(plain.locator(".uploads")).to_contain_text("This is a PDF document")
    plain.get_by_role("link", name="See the results").click()
    expect(plain.locator(".scan")).to_have_count(1)
    context.close()


def test_a_server_that_does_not_answer_is_told_of_until_it_does(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, "MRN-108")
    with portal.workers_held():
        choose_files(page, {"axial.png": brain_png()})
        page.get_by_role("link", name="See the results").wait_for()
        page.route("**/progress/**", lambda route: route.abort())
        page.get_by_role("link", name="See the results").click()
        expect(page.locator("#offline")).to_be_visible()
        page.unroute("**/progress/**")
    expect(outcome(page)).to_have_text(OUTCOME)
    expect(page.locator("#offline")).to_be_hidden()


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="the research images are not beside the project")
def test_a_real_image_gets_its_class(at_work: Page, portal: RunningPortal) -> None:
    real = sorted(Path(DATA / "nickparvar" / "Testing").rglob("*.jpg"))
    assert real
    page = at_work
    open_case(page, portal.url, "REAL-1")
    upload_and_see(page, {"real.jpg": real[0].read_bytes()})


def test_a_tumour_that_the_model_did_not_see_is_marked_on_its_slice(
    at_work: Page, portal: RunningPortal
) -> None:
    page = at_work
    open_case(page, portal.url, "MRN-MISSED")
    upload_and_see(page, {"head.nii.gz": volume_nifti()})
    expect(page.get_by_label("The marked region is wrong")).to_have_count(0)
    page.get_by_role("link", name="Open the viewer").click()
    stage = page.locator("[data-stage]")
    expect(stage).to_have_attribute("data-ready", re.compile(r"^\d+$"))
    stage.press("Home")
    at_slice(stage, 0)
    page.get_by_role("link", name="Say where you see a tumour").click()
    page.get_by_role("link", name="Next slice").click()
    place, drawn = page.get_by_label("Where you see a tumour"), page.locator(".draw-layer rect")
    frame = page.locator(".draw-layer").bounding_box()
    assert frame
    page.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    page.mouse.down()
    page.mouse.move(frame["x"] + frame["width"] / 2 + 40, frame["y"] + frame["height"] / 2 + 40)
    page.mouse.up()
    expect(place).to_have_value(re.compile("^2: "))
    place.fill("2: 12, 16, 36, 24")
    expect(drawn).to_have_attribute("width", "24")
    page.get_by_label(re.compile("I see|Another answer")).check()
    page.get_by_label(re.compile("Your answer|The right answer")).select_option("Glioma")
    page.get_by_role("button", name="Record review").click()
    page.get_by_role("link", name="seen on slice 2").click()
    at_slice(stage, 1)
