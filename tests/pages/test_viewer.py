"""The viewer: what its page brings along, two scans beside one another, and nothing that is to be hidden."""

import json
import re
import uuid
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from classifier.audit import Actor
from classifier.models import AuditEvent, Case, DepartmentPolicy, ModelVersion, Patient, Scan, User
from classifier.pages.panes import curve_of
from classifier.services.cases import open_case
from tests.conftest import upload
from tests.e2e.phantom import volume_nifti
from tests.intake import upload_scans
from tests.ml.pictures import brain, brain_dicom, brain_png, bytes_of, saved
from tests.pages.conftest import SignedIn
from tests.pages.reading import last_event, words
from tests.pages.test_markup import Page
from tests.worker import PROBABILITIES, Worker, outlined, prediction

Action = AuditEvent.Action


def curve(count: int, **changes: dict[int, Any]) -> list[dict[str, Any]]:
    """Entries of ``count`` slices; ``changes`` names a field with its values by slice."""
    rows = []
    for index in range(count):
        row = {
            "index": index,
            "tumour_probability": 0.25,
            "refusal": None,
            "mask_area_px": 0,
            "probabilities": PROBABILITIES,
        }
        rows.append(row | {name: values[index] for name, values in changes.items() if index in values})
    return rows


def viewer(client: Client, scan: Scan, **query: Any) -> Any:
    return client.get(reverse("scan", args=[scan.pk]), query)


def facts_of(response: Any, number: int = 1) -> dict[str, Any]:
    panes = [tag for tag in Page(response.content.decode()).all("article") if "data-pane" in tag]
    return dict(json.loads(panes[number - 1]["data-pane"] or ""))


@pytest.fixture
def seen(series: Scan, worker: Worker) -> Scan:
    """A series of 20 slices of which the twelfth decided, three are outlined and the first is not judged."""
    rows = curve(
        20,
        tumour_probability={11: 0.97, 12: 0.8},
        refusal={0: "no_brain"},
        mask_area_px={10: 50, 11: 320, 12: 90},
    )
    worker.finish(series, outlined(10, 11, 12, slice_index=11, slices=rows))
    return series


def test_the_script_gets_slices_outline_box_spacing_and_suspicion(browser: Client, seen: Scan) -> None:
    facts = facts_of(viewer(browser, seen))
    assert (facts["slices"], facts["index"], facts["decided"]) == (20, 11, 11)
    assert (facts["outlined"], facts["boxSlice"], facts["box"]) == ([10, 11, 12], 10, [12, 10, 28, 30])
    assert facts["spacing"] == list(seen.facts["spacing_mm"])
    assert facts["suspicion"][0] is None, "a slice that is not judged has no suspicion"
    assert facts["suspicion"][11] == "97%"
    assert browser.get(facts["picture"]).status_code == 200
    assert browser.get(facts["mask"].replace("/0.png", "/11.png")).status_code == 200
    assert browser.get(facts["volume"]).status_code == 200


def test_no_slice_is_said_to_be_certain_beside_the_picture_either(
    browser: Client, series: Scan, worker: Worker
) -> None:
    rows = curve(20, tumour_probability={10: 0.9971, 11: 0.003})
    worker.finish(series, prediction(slice_index=10, slices=rows))
    assert facts_of(viewer(browser, series))["suspicion"][10:12] == [">99%", "<1%"]


def test_the_curve_is_drawn_by_the_server_and_said_in_a_table(browser: Client, seen: Scan) -> None:
    response = viewer(browser, seen)
    page = Page(response.content.decode())
    [line] = page.all("polyline")
    assert (line["points"] or "").startswith("1,75.0 2,75.0")
    assert "11,3.0 12,20.0" in (line["points"] or "")
    assert "1 This slice of the scan shows no brain." in words(response)
    assert "12 97% 320 px" in words(response)
    assert any(link.get("href") == "?slice=12" and link.get("data-go") == "11" for link in page.all("a"))


def test_a_curve_has_a_gap_where_nothing_was_judged() -> None:
    drawn = curve_of(curve(5, refusal={0: "no_brain", 2: "no_brain"}, mask_area_px={3: 9, 4: 9}))
    assert drawn.lines == ["1,75.0 1,75.0", "3,75.0 4,75.0"]
    assert (drawn.refused, drawn.outlined) == ([("-0.5", 1), ("1.5", 1)], [("2.5", 2)])
    assert drawn.width == 4


def test_numbers_in_the_drawing_are_not_written_for_a_language(
    browser: Client, seen: Scan, alice: User
) -> None:
    alice.language = "es"
    alice.save()
    page = Page(viewer(browser, seen).content.decode())
    numbers = [rect[name] or "" for rect in page.all("rect") for name in ("x", "width") if name in rect]
    assert numbers
    assert not any("," in number for number in numbers)


def test_the_edges_name_the_sides_of_the_patient(
    browser: Client, as_alice: Actor, case: Case, rung: list[str]
) -> None:
    [result] = upload_scans(actor=as_alice, case=case, files=[upload(volume_nifti(), "volume.nii.gz")])
    page = viewer(browser, result.scan)
    assert dict(page.context["result"].edges) == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    assert "Three planes" in words(page)


def test_the_sides_stand_on_the_pictures_of_the_case_and_of_the_page_without_scripts(
    browser: Client, as_alice: Actor, case: Case, rung: list[str]
) -> None:
    [result] = upload_scans(actor=as_alice, case=case, files=[upload(volume_nifti(), "volume.nii.gz")])
    for response in (browser.get(reverse("case", args=[case.pk])), viewer(browser, result.scan)):
        [picture] = re.findall(
            r'<figure class="picture".*?<figcaption>', response.content.decode(), re.DOTALL
        )
        letters = re.findall(r'class="edge edge-(\w+)" aria-hidden="true">(\w)', picture)
        assert dict(letters) == {"left": "R", "right": "L", "top": "A", "bottom": "P"}


def test_the_viewer_says_which_of_the_case_s_scans_it_shows(
    browser: Client, as_alice: Actor, case: Case, rung: list[str]
) -> None:
    """The files of two series are often called alike; number and series tell them apart."""
    scans = []
    for seed, series in enumerate(("T1 post Gd", "FLAIR tra")):
        file = upload(brain_dicom(seed, SeriesDescription=series), "IM0000")
        scans += [one.scan for one in upload_scans(actor=as_alice, case=case, files=[file])]
    told = words(viewer(browser, scans[1]))
    assert "MRN-1 Scan 2 of 2 IM0000 FLAIR tra" in told
    assert "study date unknown · IM0000 · T1 post Gd" in told, "as the one to be shown beside it"
    beside = words(viewer(browser, scans[1], beside=scans[0].pk))
    assert "IM0000 · FLAIR tra" in beside and "IM0000 · T1 post Gd" in beside
    assert "IM0000 T1 post Gd · DICOM" in words(browser.get(reverse("case", args=[case.pk])))


def test_a_scan_alone_in_its_case_has_a_name_and_no_number(browser: Client, scan: Scan) -> None:
    told = words(viewer(browser, scan))
    assert "MRN-1 slice.png" in told and "Scan 1 of 1" not in told


def test_a_picture_that_does_not_tell_its_sides_gets_no_letters(browser: Client, scan: Scan) -> None:
    response = viewer(browser, scan)
    assert response.context["result"].edges == []
    assert "Three planes" not in words(response)
    assert "unknown; measurements are in pixels" in words(response)


def test_a_picture_of_several_slices_is_a_scan_of_as_many_but_no_volume(
    browser: Client, as_alice: Actor, case: Case, rung: list[str]
) -> None:
    four = np.tile(bytes_of(brain()), (2, 2))
    [result] = upload_scans(actor=as_alice, case=case, files=[upload(saved(four, "png"), "film.png")])
    page = viewer(browser, result.scan)
    assert page.context["panes"][0].result.slices == 4
    assert "4, side by side in one picture" in words(page) and "Three planes" not in words(page)


def test_without_scripts_there_is_the_picture_and_a_way_to_the_next(browser: Client, seen: Scan) -> None:
    page = Page(viewer(browser, seen, slice="5").content.decode())
    assert [image["src"] for image in page.all("img") if "/picture/" in (image["src"] or "")] == [
        f"{reverse('picture', args=[seen.pk, 4])}?side=1024"
    ]
    assert {link.get("href") for link in page.all("a")} >= {"?slice=4", "?slice=6"}


def test_the_size_of_the_finding_is_told_in_millimetres_or_said_to_be_in_pixels(
    browser: Client, scan: Scan, worker: Worker
) -> None:
    answer = outlined(0)
    worker.finish(scan, answer)
    told = words(viewer(browser, scan))
    assert "Largest diameter 26 px Area 320 px²" in told
    assert "it does not tell their size" in told
    browser.post(reverse("analyse", args=[scan.pk]))
    answer["finding"] |= {"diameter_mm": 12.34, "area_mm2": 80.0, "side": "left", "components": 2}
    worker.finish(scan, answer)
    told = words(viewer(browser, scan))
    assert "Largest diameter 12.3 mm Area 80 mm² Side of the patient left Separate areas 2" in told


def test_a_suspicion_without_an_outline_stands(browser: Client, scan: Scan, worker: Worker) -> None:
    worker.finish(scan)
    response = viewer(browser, scan)
    assert "The model has outlined nothing" in words(response)
    assert 'data-do="overlay"' not in response.content.decode()


def test_nothing_of_the_answer_reaches_who_reads_blind(
    browser: Client, seen: Scan, signed_in: SignedIn, otto: User
) -> None:
    DepartmentPolicy.objects.create(department=seen.case.department, blind=True)
    response = viewer(browser, seen)
    facts = facts_of(response)
    assert (facts["index"], facts["decided"], facts["outlined"]) == (10, None, [])
    assert (facts["box"], facts["suspicion"]) == (None, [])
    text = response.content.decode()
    for sign in ("polyline", 'data-do="overlay"', 'data-do="decided"', "Largest diameter", "97%", "320"):
        assert sign not in text
    assert "Your department reads blind" in words(response)
    assert "Glioma suspected" in words(viewer(signed_in(otto), seen))


def test_an_earlier_answer_keeps_its_outline_and_says_whose_it_is(
    browser: Client, seen: Scan, worker: Worker
) -> None:
    earlier = seen.analyses.get()
    browser.post(reverse("analyse", args=[seen.pk]))
    worker.finish(seen, prediction("notumor", label="notumor"))
    now = viewer(browser, seen)
    assert facts_of(now)["outlined"] == []
    assert "No tumour seen" in words(now)
    assert "current" in words(now)
    then = viewer(browser, seen, analysis=earlier.pk)
    assert facts_of(then)["outlined"] == [10, 11, 12]
    assert "those of an earlier analysis, by model test-1" in words(then)
    assert facts_of(viewer(browser, seen, analysis=uuid.uuid4()))["outlined"] == []


def test_another_version_can_be_asked_from_the_page(browser: Client, scan: Scan, worker: Worker) -> None:
    worker.finish(scan)
    assert 'name="version"' not in viewer(browser, scan).content.decode(), "there is no choice of one"
    ModelVersion.objects.create(version="test-2", sha256="1" * 64)
    options = Page(viewer(browser, scan).content.decode()).all("option")
    assert {"test-2", ""} <= {option["value"] for option in options}
    browser.post(reverse("analyse", args=[scan.pk]), {"version": "test-2"})
    chosen = scan.analyses.latest("created_at").requested_version
    assert chosen is not None
    assert chosen.version == "test-2"


@pytest.fixture
def prior(as_alice: Actor, rung: list[str]) -> Scan:
    """Of the same patient, in another case."""
    case = open_case(actor=as_alice, patient_reference="MRN-1")
    [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(7), "before.png")])
    return result.scan


def test_another_scan_of_the_patient_is_shown_beside_and_the_look_recorded(
    browser: Client, seen: Scan, prior: Scan
) -> None:
    assert "before.png" in words(viewer(browser, seen))
    response = viewer(browser, seen, beside=prior.pk)
    assert [pane.result.scan.pk for pane in response.context["panes"]] == [seen.pk, prior.pk]
    assert facts_of(response, 2)["picture"] == reverse("picture", args=[prior.pk, 0])
    assert (last_event().action, last_event().object_id) == (Action.SCAN_VIEWED, str(prior.pk))
    assert 'data-do="link"' in response.content.decode()


def test_neither_another_patient_nor_the_scan_itself_stands_beside(
    browser: Client, seen: Scan, as_alice: Actor
) -> None:
    case = open_case(actor=as_alice, patient_reference="MRN-2")
    [other] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(8), "other.png")])
    assert "other.png" not in words(viewer(browser, seen))
    for key in (other.scan.pk, seen.pk, uuid.uuid4()):
        assert viewer(browser, seen, beside=key).status_code == 404
    assert viewer(browser, seen, beside="nonsense").status_code == 200


def test_scans_that_came_without_a_patient_are_not_one_persons(browser: Client, as_alice: Actor) -> None:
    scans = []
    for seed in (1, 2):
        case = open_case(actor=as_alice, patient_reference=Patient.UNASSIGNED)
        [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed), f"{seed}.png")])
        scans.append(result.scan)
    assert "2.png" not in words(viewer(browser, scans[0]))
    assert viewer(browser, scans[0], beside=scans[1].pk).status_code == 404


def test_hostile_names_stay_words(browser: Client, as_alice: Actor, seen: Scan) -> None:
    case = open_case(actor=as_alice, patient_reference="MRN-1")
    name = '"><img src=x onerror=alert(1)>.png'
    [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(9), name)])
    text = viewer(browser, seen, beside=result.scan.pk).content.decode()
    assert "<img src=x" not in text
    assert facts_of(viewer(browser, seen, beside=result.scan.pk), 2)["slices"] == 1


def test_the_viewer_s_scripts_are_on_its_own_page_alone(browser: Client, seen: Scan) -> None:
    assert "js/viewer.js" in viewer(browser, seen).content.decode()
    for url in ("/", reverse("case", args=[seen.case_id])):
        text = browser.get(url).content.decode()
        assert "js/viewer" not in text
        assert "niivue" not in text
