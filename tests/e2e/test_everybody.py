"""What holds for every reader: a light first view, paper, movement, large screens, error pages."""

import io

import pypdf
import pytest
from playwright.sync_api import Browser, Page, PdfMargins, Response, expect

from tests.e2e.browser import choose_files, open_case
from tests.e2e.phantom import head_png
from tests.e2e.portal import RunningPortal

MARGIN: PdfMargins = {"top": "12mm", "right": "12mm", "bottom": "12mm", "left": "12mm"}
FIRST_VIEW_BYTES = 400 * 1024


@pytest.fixture
def case(at_work: Page, portal: RunningPortal) -> str:
    """Of one scan with its answer."""
    open_case(at_work, portal.url, "EVERY-1", "Mass?")
    choose_files(at_work, {"a.png": head_png(20, tumour="ring")})
    at_work.get_by_role("link", name="See the results").click()
    expect(at_work.locator(".provenance a")).to_have_count(1)
    return at_work.url.split("#")[0]


def test_the_first_view_is_light(browser: Browser, case: str, session: object, portal: RunningPortal) -> None:
    """All that comes, as it comes, to a browser that has nothing yet: for the worklist, then for a case."""
    for address in (portal.url, case):
        context = browser.new_context(storage_state=session)  # type: ignore[arg-type]
        page = context.new_page()
        came: list[Response] = []

        def note(response: Response, came: list[Response] = came) -> None:
            came.append(response)

        page.on("response", note)
        page.goto(address, wait_until="networkidle")
        sizes = {response.url: response.request.sizes()["responseBodySize"] for response in came}
        assert len(sizes) > 8
        assert sum(sizes.values()) < FIRST_VIEW_BYTES, sizes
        styles = [response for response in came if response.url.endswith((".css", ".js"))]
        assert all(response.headers["content-encoding"] in {"gzip", "br"} for response in styles)
        context.close()


def test_paper_has_the_answer_and_no_buttons(at_work: Page, case: str) -> None:
    page = at_work
    page.emulate_media(media="print")
    expect(page.locator(".outcome")).to_be_visible()
    for picture in ("The image as it was uploaded", "A border around what the model has outlined"):
        expect(page.get_by_alt_text(picture)).to_be_visible()
    expect(page.get_by_text("Research use only").first).to_be_visible()
    for nothing in (
        ".top",
        ".actions",
        ".picture input",
        ".review-details",
        ".result-actions",
        ".foot-tools",
    ):
        for one in page.locator(nothing).all():
            expect(one).to_be_hidden()
    ground = "getComputedStyle(document.documentElement).colorScheme"
    assert page.evaluate(ground) == "light"


def test_paper_has_nothing_to_fill_in(at_work: Page, portal: RunningPortal, case: str) -> None:
    page = at_work
    page.get_by_role("link", name="Say where it is instead").click()
    expect(page.get_by_label("Where it is instead")).to_be_visible()
    page.emulate_media(media="print")
    for address in (page.url, portal.url):
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        for one in page.locator("main :is(form.review-form, .button)").all():
            expect(one).to_be_hidden()


def test_picture_and_answer_stand_on_the_first_sheet(at_work: Page, case: str) -> None:
    [sheet] = pypdf.PdfReader(io.BytesIO(at_work.pdf(format="A4", margin=MARGIN))).pages
    assert "tumour probability" in sheet.extract_text()


def test_the_viewer_s_picture_keeps_its_shape_and_its_ground_on_paper(at_work: Page, case: str) -> None:
    page = at_work
    page.get_by_role("link", name="Open the viewer").click()
    stage = page.locator("[data-stage]")
    expect(stage).to_have_attribute("data-ready", "0")
    page.emulate_media(media="print")
    expect(stage).to_have_css("print-color-adjust", "exact")
    expect(stage.locator("canvas")).to_have_css("object-fit", "contain")


def test_nothing_moves_for_whom_movement_disturbs(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    open_case(page, portal.url, "STILL-1")
    with portal.workers_held():
        choose_files(page, {"a.png": head_png(3)})
        page.get_by_role("link", name="See the results").click()
        pulse = page.locator(".pulse")
        expect(pulse).to_have_css("animation-name", "pulse")
        page.emulate_media(reduced_motion="reduce")
        expect(pulse).to_have_css("animation-name", "none")


def test_a_reading_monitor_is_used_and_its_letters_are_larger(
    browser: Browser, session: object, case: str, portal: RunningPortal
) -> None:
    context = browser.new_context(storage_state=session, viewport={"width": 3840, "height": 2160})  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(portal.url)
    assert page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") > 20
    page.goto(case)
    page.get_by_role("link", name="Open the viewer").click()
    stage = page.locator("[data-stage]")
    expect(stage).to_have_attribute("data-ready", "0")
    box = stage.bounding_box()
    assert box
    assert box["width"] > 2400
    assert box["height"] > 1200
    context.close()


def test_picture_slider_and_curve_fit_on_one_screen(at_work: Page, case: str) -> None:
    page = at_work
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("link", name="Open the viewer").click()
    stage = page.locator("[data-stage]")
    expect(stage).to_have_attribute("data-ready", "0")
    box = stage.bounding_box()
    assert box
    assert box["y"] + box["height"] <= 820
    page.set_viewport_size({"width": 360, "height": 740})
    expect(stage).to_be_in_viewport(ratio=0.5)


def test_the_filters_stand_in_one_line_on_a_desk(at_work: Page, portal: RunningPortal) -> None:
    page = at_work
    page.goto(portal.url)
    fields = page.locator(".filters > .field:visible")
    expect(fields).to_have_count(4)
    assert len({box["y"] for one in fields.all() if (box := one.bounding_box())}) == 1
