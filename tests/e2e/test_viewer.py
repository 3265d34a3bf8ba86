"""The viewer in a browser: slices, window, outline and measurements by mouse, by keyboard and by curve."""

import io
import re
from collections.abc import Iterator

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.answers import DECIDED, OUTLINED, SLICES, WIDTH, answer_in_the_workers_place
from tests.e2e.browser import open_case
from tests.e2e.conftest import watched_page
from tests.e2e.phantom import volume_nifti
from tests.e2e.portal import RunningPortal
from tests.e2e.test_accessibility import complaints, plain_page  # noqa: F401


@pytest.fixture(scope="module")
def address(browser: Browser, portal: RunningPortal, session: object) -> str:
    """Of a volume of a drawn head, with an outline in three of its slices; another has twice as many."""
    with portal.workers_held(), watched_page(browser, storage_state=session) as page:
        open_case(page, portal.url, "MRN-3D")
        page.locator("input[type=file]").set_input_files(
            [
                {"name": name, "mimeType": "application/gzip", "buffer": volume_nifti(slices)}
                for name, slices in (("head.nii.gz", SLICES), ("other.nii.gz", 2 * SLICES))
            ]
        )
        rows = page.locator(".upload-row").filter(has=page.get_by_role("link", name="Open"))
        expect(rows).to_have_count(2)
        rows.filter(has_text="head.nii.gz").get_by_role("link", name="Open").click()
        page.locator("[data-stage]").wait_for()
        answer_in_the_workers_place(portal)
        return str(page.url.split("?")[0])


@pytest.fixture
def stage(at_work: Page, address: str) -> Iterator[Locator]:
    """The stage of a viewer that shows the slice that decided."""
    at_work.goto(address)
    stage = at_work.locator("[data-stage]")
    at_slice(stage, DECIDED)
    expect(stage).to_have_attribute("data-overlay", "filled")
    yield stage


def at_slice(stage: Locator, index: int) -> None:
    """Waits until the picture of this slice, counted from 0, is on the canvas."""
    expect(stage).to_have_attribute("data-ready", str(index))


def centre(stage: Locator) -> tuple[float, float]:
    box = stage.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def colour(stage: Locator, dx: float = 0, dy: float = 0) -> list[int]:
    """Of the canvas at its middle, or so many pixels beside it, once what was asked for is painted."""
    script = """async (stage, [dx, dy]) => {
        await new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)));
        const canvas = stage.querySelector("canvas"), dense = canvas.width / stage.clientWidth;
        const [x, y] = [canvas.width / 2 + dx * dense, canvas.height / 2 + dy * dense];
        return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data.slice(0, 3)];
    }"""
    return list(stage.evaluate(script, [dx, dy]))


def test_slices_scroll_by_key_wheel_slider_and_curve(stage: Locator, at_work: Page) -> None:
    stage.focus()
    for key, index in (
        ("ArrowDown", DECIDED + 1),
        ("ArrowUp", DECIDED),
        ("Home", 0),
        ("End", SLICES - 1),
        ("PageUp", 1),
    ):
        at_work.keyboard.press(key)
        at_slice(stage, index)
    stage.hover()
    at_work.mouse.wheel(0, 53)
    at_slice(stage, 2)
    slider = at_work.get_by_role("slider", name="Slice of image 1")
    slider.focus()
    at_work.keyboard.press("ArrowRight")
    at_slice(stage, 3)
    expect(slider).to_have_attribute("aria-valuetext", "Slice 4 of 12, suspicion 8%")
    curve = at_work.locator("[data-curve]")
    box = curve.bounding_box()
    assert box
    curve.click(position={"x": box["width"] * 9 / 11, "y": 20})
    at_slice(stage, 9)
    at_work.keyboard.press("d")
    at_slice(stage, DECIDED)
    expect(at_work).to_have_url(re.compile(f"slice={DECIDED + 1}$"))
    expect(at_work.locator("[data-said]")).to_have_text(f"Slice {DECIDED + 1} of 12, suspicion >99%")


@pytest.mark.parametrize("size", [(1280, 800), (1366, 768), (1440, 900), (1920, 1080)])
def test_the_slider_is_in_view_with_the_picture(size: tuple[int, int], address: str, at_work: Page) -> None:
    at_work.set_viewport_size({"width": size[0], "height": size[1]})
    at_work.goto(address)
    at_slice(at_work.locator("[data-stage]"), DECIDED)
    expect(at_work.get_by_role("slider", name="Slice of image 1")).to_be_in_viewport(ratio=1)


def test_the_picture_without_the_outline_is_one_key_away(stage: Locator, at_work: Page) -> None:
    button = at_work.get_by_role("button", name="Outline")
    expect(button).to_have_attribute("aria-pressed", "true")
    at_work.keyboard.press("o")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(stage).to_have_attribute("data-overlay", "")
    at_work.keyboard.press("o")
    expect(stage).to_have_attribute("data-overlay", "filled")
    at_work.keyboard.press("b")
    expect(stage).to_have_attribute("data-overlay", "border")
    stage.focus()
    at_work.keyboard.press("Home")
    at_slice(stage, 0)
    assert 0 not in OUTLINED
    expect(stage).to_have_attribute("data-overlay", "")


def test_the_outline_is_as_opaque_as_the_reader_wants_everywhere(stage: Locator, at_work: Page) -> None:
    """The answer's square lies left above the middle; left below it the head has the same grey."""
    inside, beside = (-26, -26), (-26, 26)
    at_work.get_by_text("More", exact=True).click()
    opacity = at_work.get_by_role("slider", name="Opacity")
    strengths = []
    for share in ("10", "90"):
        opacity.fill(share)
        strengths.append(sum(abs(a - b) for a, b in zip(at(stage, inside), at(stage, beside), strict=True)))
    assert strengths[1] > 3 * strengths[0] > 0


def at(stage: Locator, place: tuple[int, int]) -> list[int]:
    """The colour at a place in pixels of the slice, counted from its middle."""
    box = stage.bounding_box()
    assert box
    scale = min(box["width"], box["height"]) / 96
    return colour(stage, place[0] * scale, place[1] * scale)


def test_dragging_sets_the_window_and_reset_takes_it_back(stage: Locator, at_work: Page) -> None:
    expect(stage).to_have_attribute("data-window", "255/128")
    before = colour(stage)
    x, y = centre(stage)
    at_work.mouse.move(x, y)
    at_work.mouse.down()
    at_work.mouse.move(x - 100, y - 40)
    at_work.mouse.up()
    expect(stage).to_have_attribute("data-window", "155/168")
    assert colour(stage) != before
    at_work.keyboard.press("i")
    expect(at_work.get_by_role("button", name="Invert")).to_have_attribute("aria-pressed", "true")
    at_work.keyboard.press("x")
    expect(stage).to_have_attribute("data-window", "255/128")
    assert colour(stage) == before


def test_a_length_is_measured_in_millimetres_by_mouse_and_by_keys(stage: Locator, at_work: Page) -> None:
    measured = at_work.locator("[data-measures] li")
    at_work.keyboard.press("l")
    stage.focus()
    at_work.keyboard.press("Enter")
    for _ in range(2):
        at_work.keyboard.press("Shift+ArrowRight")
    at_work.keyboard.press("Enter")
    expect(measured).to_have_text([re.compile(rf"Length 40\.0 mm, slice {DECIDED + 1}")])
    at_work.keyboard.press("e")
    box = stage.bounding_box()
    assert box
    scale = min(box["width"], box["height"]) / 96  # pixels of the page for one of the slice
    x, y = centre(stage)
    at_work.mouse.move(x, y)
    at_work.mouse.down()
    at_work.mouse.move(x + 10 * scale, y + 20 * scale)
    at_work.mouse.up()
    expect(measured).to_have_count(2)
    area = re.search(r"Area ([\d.]+) mm²", measured.nth(1).inner_text())
    assert area
    assert float(area[1]) == pytest.approx(3.14159 / 4 * 20 * 40, rel=0.05)
    at_work.keyboard.press("n")
    expect(measured).to_have_count(0)


def test_full_screen_says_whose_picture_it_is_and_which(stage: Locator, at_work: Page) -> None:
    whose = at_work.get_by_text("MRN-3D", exact=True)
    expect(whose).to_be_hidden()
    at_work.get_by_role("button", name="Full screen").click()
    expect(whose).to_be_visible()
    expect(at_work.get_by_text("Scan 1 of 2")).to_be_visible()
    expect(at_work.locator(".whose").get_by_text("head.nii.gz")).to_be_visible()


def test_a_box_drawn_beside_black_margins_is_where_it_was_drawn(stage: Locator, at_work: Page) -> None:
    """The picture is square and its frame is not."""
    at_work.set_viewport_size({"width": 1600, "height": 700})
    at_work.get_by_role("link", name="Say where it is instead").click()
    frame = at_work.locator(".draw-layer").bounding_box()
    assert frame and frame["width"] > frame["height"] + 20
    side = frame["height"]
    left = frame["x"] + (frame["width"] - side) / 2
    corners = [(left + side * x / WIDTH, frame["y"] + side * y / WIDTH) for x, y in ((12, 12), (36, 24))]
    at_work.mouse.move(*corners[0])
    at_work.mouse.down()
    at_work.mouse.move(*corners[1])
    at_work.mouse.up()
    expect(at_work.get_by_label("Where it is instead")).to_have_value(f"{DECIDED + 1}: 12, 12, 36, 24")


def test_a_reader_says_where_it_is_instead_on_the_slice_they_look_at(stage: Locator, at_work: Page) -> None:
    stage.press("Home")
    at_slice(stage, 0)
    at_work.get_by_role("link", name="Say where it is instead").click()
    at_work.get_by_role("link", name="Next slice").click()
    expect(at_work.get_by_text(f"slice 2 of {SLICES}")).to_be_visible()
    frame = at_work.locator(".draw-layer").bounding_box()
    assert frame
    at_work.mouse.move(frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
    at_work.mouse.down()
    at_work.mouse.move(frame["x"] + frame["width"] / 2 + 40, frame["y"] + frame["height"] / 2 + 40)
    at_work.mouse.up()
    expect(at_work.get_by_label("Where it is instead")).to_have_value(re.compile("^2: "))


def test_the_keys_of_the_viewer_are_told_with_all_others(stage: Locator, at_work: Page) -> None:
    at_work.keyboard.press("?")
    told = at_work.get_by_role("dialog")
    for line in ("o Outline", "d To the slice that decided", "i Invert", "w Window", "h Window preset"):
        expect(told.get_by_role("row", name=line, exact=True)).to_be_visible()


def test_the_list_of_keys_opens_at_its_beginning(stage: Locator, at_work: Page) -> None:
    at_work.set_viewport_size({"width": 1280, "height": 500})
    at_work.keyboard.press("?")
    told = at_work.get_by_role("dialog")
    expect(told.get_by_role("heading")).to_be_in_viewport()
    assert told.evaluate("dialog => dialog.scrollHeight > dialog.clientHeight && dialog.scrollTop === 0")


def test_the_keys_of_the_slices_work_at_once_and_the_ring_is_seen(stage: Locator, at_work: Page) -> None:
    expect(stage).to_be_focused()
    at_work.keyboard.press("ArrowDown")
    at_slice(stage, DECIDED + 1)
    at_work.keyboard.press("PageUp")
    at_slice(stage, 0)
    assert at_work.evaluate("scrollY") == 0
    ring = stage.evaluate("stage => getComputedStyle(stage, '::after').borderTopWidth")
    assert ring == "3px"


def test_two_scans_of_a_patient_scroll_together_or_apart(address: str, at_work: Page) -> None:
    at_work.goto(address)
    at_work.get_by_label("Show beside this one").select_option(index=0)
    at_work.get_by_role("button", name="Compare").click()
    first, second = (at_work.locator("[data-stage]").nth(number) for number in (0, 1))
    at_slice(first, DECIDED)
    first.focus()
    at_work.keyboard.press("End")
    at_slice(first, SLICES - 1)
    at_slice(second, 2 * SLICES - 1)
    at_work.keyboard.press("c")
    at_work.keyboard.press("Home")
    at_slice(first, 0)
    at_slice(second, 2 * SLICES - 1)


def test_three_planes_show_volume_and_outline_under_the_same_policy(stage: Locator, at_work: Page) -> None:
    """The page fails the test where the content security policy stops a thing."""
    at_work.keyboard.press("v")
    planes = at_work.locator(".planes")
    expect(planes).to_have_attribute("data-ready", "")
    expect(planes).to_have_attribute("data-overlay", "true")
    expect(stage).to_be_hidden()
    assert orange(planes)
    at_work.keyboard.press("o")
    expect(planes).to_have_attribute("data-overlay", "false")
    assert not orange(planes)
    of_the_slices, of_both = ("Length", "Border only", "Next slice"), ("Outline", "Invert", "Three planes")
    for names, rest in ((of_the_slices, True), (of_both, False)):
        for name in names:
            expect(at_work.get_by_role("button", name=name, exact=True)).to_be_enabled(enabled=not rest)
    at_work.keyboard.press("v")
    expect(stage).to_be_visible()
    expect(at_work.get_by_role("button", name="Length")).to_be_enabled()


def test_without_webgl2_the_slices_stay_and_the_page_says_why(address: str, at_work: Page) -> None:
    page = at_work
    page.add_init_script(
        """const context = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
          return kind === "webgl2" ? null : context.call(this, kind, ...rest);
        };"""
    )
    page.goto(address)
    stage = page.locator("[data-stage]")
    at_slice(stage, DECIDED)
    page.keyboard.press("v")
    expect(page.get_by_text("Three planes cannot be shown here")).to_be_visible()
    expect(stage).to_be_visible()
    expect(page.get_by_role("button", name="Three planes")).to_have_attribute("aria-pressed", "false")


def orange(planes: Locator) -> bool:
    """Whether the outline's colour is seen."""
    with PIL.Image.open(io.BytesIO(planes.screenshot())) as picture:
        red, _, blue = np.asarray(picture.convert("RGB")).astype(int).transpose(2, 0, 1)
    return bool((red - blue > 60).sum() > 200)


def test_the_viewer_keeps_nobody_out(address: str, plain_page: Page) -> None:  # noqa: F811
    """In either colours, on a phone and on a desk, alone and beside another."""
    page = plain_page
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto(address)
    at_slice(page.locator("[data-stage]"), DECIDED)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    found = complaints(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.keyboard.press("t")
    page.locator(".bar-more summary").click()
    page.locator(".by-slice summary").click()
    found += complaints(page)
    page.get_by_role("button", name="Compare").click()
    at_slice(page.locator("[data-stage]").last, DECIDED)
    assert found + complaints(page) == []
