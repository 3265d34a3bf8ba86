"""Signing off: what a report freezes, what it closes, what must be done before, and how it is amended."""

import io
from typing import Any

import pypdf
import pytest
from django.db import IntegrityError, transaction

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import Analysis, Answer, AuditEvent, Case, Report, ReportedAnalysis, Review, Scan
from classifier.services.analyses import request_analysis
from classifier.services.cases import open_case
from classifier.services.report_document import download_report, report_pdf
from classifier.services.reports import amend_report, find_report, sign_off_of, sign_report
from classifier.services.reviews import adjudicate, submit_review
from tests.conftest import NEURO, Reads, upload
from tests.e2e.phantom import volume_nifti
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.services.readers import fresh, refusal, standing
from tests.worker import Worker, outlined, prediction

Triage = Case.Triage
HOSTILE = '#panic("x") *b* $a$ <script>alert(1)</script> \\ @ref `raw` "quoted" // no comment'


@pytest.fixture
def reviewed(analysis: Analysis, as_alice: Actor) -> Analysis:
    submit_review(actor=as_alice, analysis=analysis, verdict="agree")
    return analysis


@pytest.fixture
def signed(reviewed: Analysis, as_alice: Actor, case: Case) -> Report:
    return sign_report(actor=as_alice, case=case, impression="A mass of the left temporal lobe.")


# --- Signing -----------------------------------------------------------------------------------------


def test_a_signed_report_holds_what_was_said_and_settles_the_case(
    signed: Report, reviewed: Analysis, as_alice: Actor
) -> None:
    assert (signed.version, signed.answer, signed.author, signed.reason) == (
        1,
        "glioma",
        as_alice.user,
        "",
    )
    assert [row.analysis for row in ReportedAnalysis.objects.all()] == [reviewed]
    [scan] = signed.content["scans"]
    assert (scan["outcome"], scan["answer"], scan["reads"][0]["reader"]) == ("glioma", "glioma", "alice")
    assert signed.content["patient"] == "MRN-1"
    assert standing() == Triage.SIGNED
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.object_id, event.case_id) == ("report_signed", str(signed.pk), signed.case_id)
    assert event.detail == {"version": 1, "answer": "glioma"}


def test_a_signed_report_closes_its_reads(
    signed: Report, reviewed: Analysis, as_alice: Actor, as_rita: Actor
) -> None:
    for actor in (as_alice, as_rita):
        assert refusal(submit_review, actor=actor, analysis=reviewed, verdict="agree") == "report_signed"
    assert refusal(sign_report, actor=as_rita, case=signed.case) == "report_signed"


def test_the_database_refuses_a_review_of_what_is_signed(
    signed: Report, reviewed: Analysis, as_rita: Actor
) -> None:
    with pytest.raises(IntegrityError, match="refuses"), transaction.atomic():
        Review.objects.create(
            analysis=reviewed, reviewer=as_rita.require_user(), verdict="agree", label="glioma"
        )


@pytest.mark.parametrize(
    ("who", "code"), [("as_bob", "not_found"), ("as_otto", "not_allowed"), ("as_ada", "not_allowed")]
)
def test_only_readers_of_the_department_sign(
    who: str, code: str, reviewed: Analysis, case: Case, request: pytest.FixtureRequest
) -> None:
    actor = request.getfixturevalue(who)
    assert refusal(sign_report, actor=actor, case=case) == code
    given = {"amends": 1, "reason": "x"}
    assert refusal(amend_report, actor=actor, case=case, **given) == code
    assert not Report.objects.exists()


def test_what_must_be_done_before_a_signature_is_told_in_its_order(
    case: Case,
    as_alice: Actor,
    as_rita: Actor,
    reads: Reads,
    make_user: Any,
    rung: list[str],
    worker: Worker,
) -> None:
    def code() -> str:
        obstacle = sign_off_of(actor=fresh(as_alice), case=case).obstacle
        assert obstacle is not None
        assert refusal(sign_report, actor=fresh(as_alice), case=case) == obstacle.code
        return obstacle.code

    reads(second_reader=True, blind=True)
    assert code() == "nothing_to_sign"
    [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png())])
    assert code() == "analysis_not_finished"
    analysis = worker.finish(result.scan)
    assert code() == "review_missing"
    submit_review(actor=fresh(as_rita), analysis=analysis, verdict="correct", label="glioma")
    assert code() == "second_read_missing"
    dora = Actor(user=make_user("dora", "reviewer", NEURO), via="page")
    submit_review(actor=dora, analysis=analysis, verdict="correct", label="notumor")
    assert code() == "adjudication_needed"
    carl = Actor(user=make_user("carl", "reviewer", NEURO), via="page")
    adjudicate(actor=carl, analysis=analysis, answer="glioma")
    assert code() == "read_first"
    report = sign_report(actor=carl, case=case)
    assert (report.answer, report.content["scans"][0]["adjudication"]["adjudicator"]) == ("glioma", "carl")


def test_a_report_says_no_less_than_its_reads(
    case: Case, as_alice: Actor, rung: list[str], worker: Worker
) -> None:
    """With a tumour in one scan, the case cannot be signed as without."""
    for seed, label in ((0, "notumor"), (1, "glioma"), (2, "pituitary")):
        [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=seed))])
        submit_review(actor=as_alice, analysis=worker.finish(result.scan), verdict="correct", label=label)
    assert sign_off_of(actor=as_alice, case=case).answers == [Answer.GLIOMA, Answer.PITUITARY]
    assert refusal(sign_report, actor=as_alice, case=case) == "answer_required"
    for answer in ("notumor", "cannot_tell", "meningioma", "cyst"):
        assert refusal(sign_report, actor=as_alice, case=case, answer=answer) == "answer_invalid"
    report = sign_report(actor=as_alice, case=case, answer="pituitary")
    assert len(report.content["scans"]) == 3
    assert report.content["scans"][report.content["key"]]["answer"] == "pituitary"


def test_doubt_about_one_scan_outweighs_none_in_another(
    case: Case, as_alice: Actor, rung: list[str], worker: Worker
) -> None:
    for seed, verdict in ((0, {"verdict": "correct", "label": "notumor"}), (1, {"verdict": "cannot_tell"})):
        [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=seed))])
        submit_review(actor=as_alice, analysis=worker.finish(result.scan), **verdict)
    assert sign_report(actor=as_alice, case=case).answer == "cannot_tell"


def test_what_came_after_the_signer_had_looked_is_not_signed(
    reviewed: Analysis, case: Case, as_alice: Actor, as_rita: Actor
) -> None:
    state = sign_off_of(actor=as_alice, case=case).state
    submit_review(actor=as_rita, analysis=reviewed, verdict="correct", label="notumor")
    assert refusal(sign_report, actor=as_alice, case=case, state=state) == "case_changed"
    sign_report(actor=as_alice, case=case, state=sign_off_of(actor=as_alice, case=case).state)


@pytest.mark.parametrize(
    ("field", "code"), [("impression", "impression_too_long"), ("reason", "reason_too_long")]
)
def test_texts_have_their_limits(field: str, code: str, signed: Report, as_alice: Actor) -> None:
    given = {"amends": 1, "reason": "A slip.", field: "x" * 9000}
    assert refusal(amend_report, actor=as_alice, case=signed.case, **given) == code


# --- Amending ----------------------------------------------------------------------------------------


def test_an_amendment_is_a_new_version_with_its_reason(signed: Report, as_rita: Actor) -> None:
    amended = amend_report(
        actor=as_rita,
        case=signed.case,
        amends=1,
        reason=" Wrong class. ",
        answer="meningioma",
        impression="New.",
    )
    assert (amended.version, amended.reason, amended.answer, amended.author) == (
        2,
        "Wrong class.",
        "meningioma",
        as_rita.user,
    )
    signed.refresh_from_db()
    assert (signed.version, signed.answer) == (1, "glioma")
    assert AuditEvent.objects.latest("pk").action == "report_amended"
    assert standing() == Triage.SIGNED
    kept = amend_report(actor=as_rita, case=signed.case, amends=2, reason="Once more.")
    assert kept.answer == "meningioma"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"amends": 1, "reason": "  "}, "reason_required"),
        ({"amends": 2, "reason": "x"}, "report_changed"),
        ({"amends": 1, "reason": "x", "answer": "cyst"}, "answer_invalid"),
    ],
)
def test_an_amendment_that_cannot_be(
    given: dict[str, Any], code: str, signed: Report, as_alice: Actor
) -> None:
    assert refusal(amend_report, actor=as_alice, case=signed.case, **given) == code
    assert Report.objects.count() == 1


def test_what_is_not_signed_is_not_amended(reviewed: Analysis, case: Case, as_alice: Actor) -> None:
    given = {"amends": 1, "reason": "x"}
    assert refusal(amend_report, actor=as_alice, case=case, **given) == "report_not_signed"


def test_a_scan_that_comes_later_brings_the_case_back_and_binds_the_amendment(
    signed: Report, as_alice: Actor, worker: Worker
) -> None:
    case = signed.case
    [later] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=9))])
    assert standing() == Triage.WAITING
    analysis = worker.finish(later.scan, prediction("notumor"))
    assert standing() == Triage.NO_TUMOUR
    assert not sign_off_of(actor=as_alice, case=case).is_signed
    given = {"actor": as_alice, "case": case, "amends": 1, "reason": "A new scan."}
    assert refusal(amend_report, **given) == "review_missing"
    submit_review(actor=as_alice, analysis=analysis, verdict="correct", label="pituitary")
    assert refusal(amend_report, answer="notumor", **given) == "answer_invalid"
    assert len(amend_report(**given).content["scans"]) == 2
    assert standing() == Triage.SIGNED


def test_a_new_analysis_after_the_signature_is_read_and_the_old_report_stays(
    signed: Report, reviewed: Analysis, as_alice: Actor, worker: Worker
) -> None:
    before = signed.content
    request_analysis(actor=as_alice, scan=reviewed.scan)
    second = worker.finish(reviewed.scan, prediction("notumor"))
    submit_review(actor=as_alice, analysis=second, verdict="correct", label="notumor")
    signed.refresh_from_db()
    assert signed.content == before
    assert standing() == Triage.REVIEWED


@pytest.mark.parametrize(
    "changes",
    [{"version": 0}, {"version": 2}, {"reason": "x"}, {"answer": ""}, {"answer": "cyst"}, {"version": 1}],
)
def test_the_database_refuses_reports_that_cannot_be(changes: dict[str, Any], signed: Report) -> None:
    row = {
        "case": signed.case,
        "version": 3,
        "author": signed.author,
        "answer": "glioma",
        "reason": "" if changes.get("version") else "x",
        "content": {},
    }
    if changes.get("reason"):
        row["version"] = 1
    with pytest.raises(IntegrityError), transaction.atomic():
        Report.objects.create(**(row | changes))


# --- PDF ---------------------------------------------------------------------------------------------


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
