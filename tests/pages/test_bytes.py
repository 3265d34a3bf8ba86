"""Pictures and original files: one door, one audit row per look, inert for the browser."""

from io import BytesIO

import PIL.Image
import pytest
from django.test import Client
from django.urls import reverse

from classifier.audit import Actor
from classifier.models import Analysis, AuditEvent, Case, Scan, User
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.pages.reading import last_event, words
from tests.worker import Worker, outlined

Action = AuditEvent.Action


def test_a_picture_is_an_image_that_can_do_nothing(browser: Client, scan: Scan) -> None:
    response = browser.get(reverse("picture", args=[scan.pk, 0]))
    assert response["Content-Type"] == "image/png"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "private, no-store"
    assert PIL.Image.open(BytesIO(response.content)).format == "PNG"


def test_every_look_at_a_picture_is_recorded(browser: Client, scan: Scan, alice: User) -> None:
    for _ in range(2):
        browser.get(reverse("picture", args=[scan.pk, 0]))
    looks = AuditEvent.objects.filter(action=Action.IMAGE_VIEWED)
    assert [(look.actor, look.case_id, look.detail) for look in looks] == [
        (alice, scan.case_id, {"index": 0})
    ] * 2


@pytest.mark.parametrize(
    ("side", "most"), [("256", 256), ("512", 512), ("9999", 1024), ("x", 1024), ("-1", 1024)]
)
def test_a_picture_comes_in_one_of_three_sizes(
    side: str, most: int, browser: Client, case: Case, as_alice: Actor, rung: list[str]
) -> None:
    [large] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(height=1200, width=800))])
    response = browser.get(reverse("picture", args=[large.scan.pk, 0]), {"side": side})
    assert max(PIL.Image.open(BytesIO(response.content)).size) == most


@pytest.mark.parametrize("index", ["1", "9" * 40])
def test_a_slice_beyond_the_last_is_not_found(browser: Client, scan: Scan, index: str) -> None:
    assert browser.get(f"/scans/{scan.pk}/picture/{index}.png").status_code == 404


def test_the_original_comes_as_an_attachment_byte_for_byte(browser: Client, scan: Scan) -> None:
    response = browser.get(reverse("file", args=[scan.pk, 0]))
    assert response.getvalue() == brain_png()
    assert response["Content-Disposition"] == 'attachment; filename="slice.png"'
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert last_event().action == Action.FILE_DOWNLOADED


def test_a_hostile_name_cannot_add_a_header(
    browser: Client, case: Case, as_alice: Actor, rung: list[str]
) -> None:
    name = 'a"\r\nX-Evil: 1\r\n.png'
    [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(), name)])
    response = browser.get(reverse("file", args=[result.scan.pk, 0]))
    assert not response.has_header("X-Evil")


def test_a_file_that_is_not_there_is_not_found(browser: Client, scan: Scan) -> None:
    assert browser.get(reverse("file", args=[scan.pk, 1])).status_code == 404
    assert browser.get(f"/scans/{scan.pk}/files/{'9' * 40}/").status_code == 404


def test_a_scan_is_looked_at_slice_by_slice(browser: Client, series: Scan) -> None:
    url = reverse("scan", args=[series.pk])
    [middle] = browser.get(url).context["panes"]
    assert (middle.index, middle.previous, middle.next) == (10, 9, 11)
    [last] = browser.get(url, {"slice": "99"}).context["panes"]
    assert (last.index, last.next) == (19, None)
    assert browser.get(url, {"slice": "0"}).context["panes"][0].index == 0
    assert last_event().action == Action.SCAN_VIEWED


def test_each_slice_has_a_picture_of_its_own(browser: Client, series: Scan) -> None:
    pictures = {browser.get(reverse("picture", args=[series.pk, index])).content for index in range(3)}
    assert len(pictures) == 3


def test_a_viewer_gets_the_finding_and_the_curve(
    browser: Client, scan: Scan, worker: Worker, alice: User
) -> None:
    analysis = worker.finish(scan, outlined(0))
    response = browser.get(reverse("result", args=[analysis.pk]))
    body = response.json()
    assert (body["outcome"], body["finding"]["slices"], body["facts"]) == ("glioma", [0], scan.facts)
    assert (body["progress"], body["model_version"]) == (None, "test-1")
    assert response["Cache-Control"] == "private, no-store"
    assert last_event().action == Action.ANALYSIS_VIEWED


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("overlay", "image/png"),
        ("mask", "image/png"),
        ("border", "image/png"),
        ("mask_volume", "application/gzip"),
    ],
)
def test_outlines_are_inert_and_each_look_is_recorded(
    address: str, kind: str, browser: Client, scan: Scan, worker: Worker
) -> None:
    analysis = worker.finish(scan, outlined(0))
    place = [] if address == "mask_volume" else [0]
    response = browser.get(reverse(address, args=[analysis.pk, *place]), {"opacity": "nan", "outline": "1"})
    assert (response.status_code, response["Content-Type"]) == (200, kind)
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert (last_event().action, last_event().object_id) == (Action.IMAGE_VIEWED, str(analysis.pk))


def test_a_page_that_waits_hears_of_each_step(browser: Client, scan: Scan) -> None:
    now = scan.created_at
    Analysis.objects.update(
        status="running", attempts=1, started_at=now, lease_until=now, slices_done=40, slices_total=180
    )
    analysis = Analysis.objects.get()
    url = reverse("progress", args=[scan.case_id])
    response = browser.get(url, {"open": f"{analysis.pk}.running"})
    assert "slice 40 of 180" in words(response)
    assert browser.get(url, {"open": f"{analysis.pk}.running.40"}).status_code == 204
