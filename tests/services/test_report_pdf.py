"""The PDF of a report: what it says and shows, in which letters, and who has fetched it."""

import io

import pypdf
import pytest

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import Analysis, AuditEvent, Case, Report, Scan
from classifier.services.cases import open_case
from classifier.services.key_images import key_image
from classifier.services.report_document import download_report, report_pdf
from classifier.services.reports import amend_report, find_report, sign_report
from classifier.services.reviews import submit_review
from tests.conftest import upload
from tests.e2e.phantom import volume_nifti
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.services.readers import refusal
from tests.worker import Worker, outlined, prediction

HOSTILE = '#panic("x") *b* $a$ <script>alert(1)</script> \\ @ref `raw` "quoted" // no comment'


def text_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages).split())


def test_the_pdf_says_what_was_signed_on_every_page_in_selectable_text(signed: Report) -> None:
    pdf = report_pdf(report=signed, language="en")
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    told = text_of(pdf)
    for words in (
        "MRN-1",
        "Headache for six weeks",
        "A mass of the left temporal lobe.",
        "Glioma suspected",
        "90%",
        "alice",
        "test-1",
        "Version 1",
        "(UTC+00:00)",
        str(signed.pk),
    ):
        assert words in told
    pages = len(reader.pages)
    for number, page in enumerate(reader.pages, start=1):
        words = " ".join(page.extract_text().split())
        assert "Research use only. Not a medical device." in words
        assert f"Page {number} of {pages}" in words


def test_the_pdf_writes_a_share_as_the_pages_of_its_language_do(signed: Report) -> None:
    assert "90 %" in text_of(report_pdf(report=signed, language="es"))


def test_the_pdf_is_tagged_and_names_its_language_and_title(signed: Report) -> None:
    for language in ("en", "es"):
        reader = pypdf.PdfReader(io.BytesIO(report_pdf(report=signed, language=language)))
        root = reader.trailer["/Root"]
        assert root["/MarkInfo"]["/Marked"]
        assert "/StructTreeRoot" in root
        assert root["/Lang"] == language
        assert reader.metadata is not None
        assert reader.metadata.title
        assert b"pdfuaid" in root["/Metadata"].get_data()


def test_the_pdf_holds_the_key_image(signed: Report) -> None:
    reader = pypdf.PdfReader(io.BytesIO(report_pdf(report=signed, language="en")))
    assert sum(len(page.images) for page in reader.pages) == 1


def test_the_same_report_is_the_same_file(signed: Report) -> None:
    assert report_pdf(report=signed, language="en") == report_pdf(report=signed, language="en")
    assert report_pdf(report=signed, language="en") != report_pdf(report=signed, language="es")


def test_an_old_report_does_not_change_when_it_is_amended(signed: Report, as_rita: Actor) -> None:
    before = report_pdf(report=signed, language="en")
    amended = amend_report(actor=as_rita, case=signed.case, amends=1, reason="Typing error.")
    assert report_pdf(report=signed, language="en") == before
    told = text_of(report_pdf(report=amended, language="en"))
    assert "Version 2, an amendment" in told
    assert "Typing error." in told
    assert "rita" in told


def test_hostile_text_is_only_text(reviewed: Analysis, case: Case, as_alice: Actor) -> None:
    report = sign_report(actor=as_alice, case=case, impression=HOSTILE)
    told = text_of(report_pdf(report=report, language="en"))
    assert '#panic("x") *b* $a$ <script>alert(1)</script>' in told.replace("“", '"').replace("”", '"')


def test_letters_that_no_font_has_do_not_stop_a_report(
    reviewed: Analysis, case: Case, as_alice: Actor
) -> None:
    report = sign_report(actor=as_alice, case=case, impression="日本語 and Łódź, Ελλάδα, Москва")
    reader = pypdf.PdfReader(io.BytesIO(report_pdf(report=report, language="en")))
    assert "Łódź, Ελλάδα, Москва" in text_of(report_pdf(report=report, language="en"))
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]


def test_a_report_with_letters_that_no_font_has_says_that_it_does_not_show_them(
    reviewed: Analysis, case: Case, as_alice: Actor, as_rita: Actor
) -> None:
    """A reference of such letters alone looks like another patient's."""
    whole = sign_report(actor=as_alice, case=case, impression="Łódź, Ελλάδα, Москва")
    torn = amend_report(actor=as_rita, case=case, amends=1, reason="日本語")
    for report, told in ((whole, False), (torn, True)):
        assert ("go by the number of the case" in text_of(report_pdf(report=report, language="en"))) is told
        assert str(case.pk) in text_of(report_pdf(report=report, language="es"))


def test_the_pdf_tells_the_sides_of_the_patient_and_of_the_finding(
    case: Case, as_alice: Actor, worker: Worker, rung: list[str]
) -> None:
    [taken] = upload_scans(actor=as_alice, case=case, files=[upload(volume_nifti(side=96), "volume.nii.gz")])
    answer = outlined(6, height=96, width=96, slice_index=6)
    answer["finding"]["side"] = "right"
    submit_review(actor=as_alice, analysis=worker.finish(taken.scan, answer), verdict="agree")
    told = text_of(report_pdf(report=sign_report(actor=as_alice, case=case), language="en"))
    assert "Side of the patient right" in told
    assert {"R", "L", "A", "P"} <= set(told.split())


def test_a_picture_that_does_not_tell_its_sides_has_no_letters(signed: Report) -> None:
    told = text_of(report_pdf(report=signed, language="en"))
    assert "Side of the patient" not in told
    assert not {"R", "L", "P"} & set(told.split())


def test_where_a_reader_saw_the_finding_instead_is_in_the_pdf(
    scan: Scan, case: Case, as_alice: Actor, worker: Worker
) -> None:
    region = {"slice": 0, "box": [1, 1, 9, 9]}
    given = {"verdict": "agree", "wrong_region": True, "region": region}
    submit_review(actor=as_alice, analysis=worker.finish(scan, outlined(0)), **given)
    told = text_of(report_pdf(report=sign_report(actor=as_alice, case=case), language="en"))
    assert "wrong region, seen elsewhere on slice 1" in told


def test_the_picture_of_a_missed_tumour_is_the_slice_on_which_a_reader_marked_it(
    case: Case, as_alice: Actor, worker: Worker, rung: list[str]
) -> None:
    [taken] = upload_scans(actor=as_alice, case=case, files=[upload(volume_nifti(side=96), "volume.nii.gz")])
    analysis = worker.finish(taken.scan, prediction("notumor", slice_index=6))
    given = {"verdict": "correct", "label": "glioma", "region": {"slice": 3, "box": [24, 0, 48, 12]}}
    submit_review(actor=as_alice, analysis=analysis, **given)
    report = sign_report(actor=as_alice, case=case)
    picture = key_image(report)
    assert picture is not None
    assert picture.boxes == [[0.25, 0.0, 0.25, 0.125]]
    pdf = report_pdf(report=report, language="en")
    assert b"pdfuaid" in pypdf.PdfReader(io.BytesIO(pdf)).trailer["/Root"]["/Metadata"].get_data()
    told = text_of(pdf)
    assert "Glioma, seen on slice 4" in told
    assert "Slice 4 of" in told
    assert "Dashed: where a reader sees it." in told
    assert "without marks" not in told
    spanish = text_of(report_pdf(report=report, language="es"))
    assert "visto en el corte 4" in spanish


def test_a_box_lies_on_a_picture_that_is_not_square_where_it_was_drawn(
    scan: Scan, case: Case, as_alice: Actor, worker: Worker
) -> None:
    width, height = scan.facts["width"], scan.facts["height"]
    assert width < height
    region = {"slice": 0, "box": [0, 0, width, height]}
    given = {"verdict": "agree", "wrong_region": True, "region": region}
    submit_review(actor=as_alice, analysis=worker.finish(scan, outlined(0)), **given)
    picture = key_image(sign_report(actor=as_alice, case=case))
    assert picture is not None
    assert picture.is_outlined
    margin = (height - width) / 2 / height
    assert picture.boxes == [pytest.approx([margin, 0.0, width / height, 1.0])]


def test_a_mark_that_was_overruled_is_not_in_the_picture(
    scan: Scan, case: Case, as_alice: Actor, as_rita: Actor, worker: Worker
) -> None:
    analysis = worker.finish(scan, prediction("notumor"))
    region = {"slice": 0, "box": [1, 1, 9, 9]}
    submit_review(actor=as_alice, analysis=analysis, verdict="correct", label="glioma", region=region)
    submit_review(actor=as_rita, analysis=analysis, verdict="correct", label="meningioma")
    report = sign_report(actor=as_rita, case=case, answer="meningioma")
    picture = key_image(report)
    assert picture is not None
    assert picture.boxes == []
    assert "Glioma, seen on slice 1" in text_of(report_pdf(report=report, language="en"))


def test_a_word_wider_than_the_paper_is_not_cut_off(as_alice: Actor, worker: Worker, rung: list[str]) -> None:
    case = open_case(actor=as_alice, patient_reference="W" * 59 + "1", question="M" * 200 + "2")
    [taken] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png())])
    submit_review(actor=as_alice, analysis=worker.finish(taken.scan), verdict="agree")
    pdf = report_pdf(report=sign_report(actor=as_alice, case=case), language="en")
    lines = pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text().splitlines()
    told = "".join(text_of(pdf).replace("\u200b", "").split())
    assert "W" * 59 + "1" in told
    assert "M" * 200 + "2" in told
    assert max(line.count(letter) for line in lines for letter in "MW") < 60, "no more fit into a line"


def test_every_download_is_recorded(signed: Report, as_rita: Actor, as_bob: Actor) -> None:
    report, pdf = download_report(actor=as_rita, report_id=signed.pk, language="es")
    assert pdf.startswith(b"%PDF")
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor_name, event.detail) == (
        "report_downloaded",
        "rita",
        {"version": 1, "language": "es"},
    )
    given = {"report_id": report.pk, "language": "en"}
    assert refusal(download_report, actor=as_bob, **given) == "not_found"
    assert refusal(find_report, actor=as_bob, report_id=report.pk) == "not_found"
    assert refusal(download_report, actor=as_rita, report_id=report.pk, language="xx") == "language_unknown"


def test_a_report_on_what_could_not_be_analysed_has_no_probabilities(
    scan: Scan, case: Case, as_alice: Actor, worker: Worker
) -> None:
    failed = worker.finish(scan, UserFacingError("image_truncated", "The file is incomplete."))
    submit_review(actor=as_alice, analysis=failed, verdict="cannot_tell")
    told = text_of(report_pdf(report=sign_report(actor=as_alice, case=case), language="en"))
    assert "The analysis failed (image_truncated)" in told
    assert "Cannot tell" in told
    assert "Calibrated probability" not in told
