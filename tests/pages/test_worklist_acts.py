"""The worklist's chips, views, acts on many rows, export, counts, thumbnails and next case, as pages."""

import csv
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from classifier.audit import Actor
from classifier.models import AuditEvent, Case, SavedView, Scan, User
from classifier.pages.worklist_csv import FORMULA, harmless
from classifier.services.assignments import assign_cases
from classifier.services.cases import open_case
from classifier.services.reports import sign_off_of
from classifier.services.reviews import submit_review
from classifier.services.saved_views import choose_default_view, save_view
from tests.conftest import Reads
from tests.pages.conftest import SignedIn
from tests.pages.reading import actions, words
from tests.pages.test_worklist import mark_of, rows_url
from tests.worker import Worker, prediction

Action = AuditEvent.Action
Opened = Callable[..., Case]


@pytest.fixture
def opened(as_alice: Actor) -> Opened:
    def make(reference: str, **columns: Any) -> Case:
        case = open_case(actor=as_alice, patient_reference=reference)
        Case.objects.filter(pk=case.pk).update(**columns)
        return Case.objects.get(pk=case.pk)

    return make


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


def chips(response: HttpResponse) -> list[str]:
    """Where each chip leads."""
    parser = _Links()
    parser.feed(response.content.decode())
    return [str(link["href"]) for link in parser.found if link.get("class") == "chip"]


def table(response: Any) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_each_filter_is_a_chip_that_takes_it_away_and_leaves_the_others(
    browser: Client, opened: Opened
) -> None:
    opened("P-1", study_date="2026-03-01")
    page = browser.get("/", {"q": "p", "status": 20, "studied_since": "2026-02-01", "assigned": "nobody"})
    assert "P-1" in words(page)
    for chip in ("Reference or question: p", "Status: No images yet", "Assigned to: Nobody"):
        assert chip in words(page)
    assert chips(page) == [
        "/?status=20&assigned=nobody&studied_since=2026-02-01",
        "/?q=p&assigned=nobody&studied_since=2026-02-01",
        "/?q=p&status=20&studied_since=2026-02-01",
        "/?q=p&status=20&assigned=nobody",
    ]
    assert chips(browser.get("/", {"q": "p"})) == ["/?all=1"]


def test_what_is_no_filter_is_no_chip(browser: Client, opened: Opened) -> None:
    opened("P-1")
    page = browser.get("/", {"outcome": "none such", "assigned": "7", "reviewer": "99", "x": "y"})
    assert chips(page) == [] and "P-1" in words(page)


def test_filters_out_of_sight_are_open_where_they_are_used(browser: Client, opened: Opened) -> None:
    opened("P-1")
    assert '<details class="more-filters">' in browser.get("/", {"q": "p"}).content.decode()
    assert '<details class="more-filters" open>' in browser.get("/", {"since": "2026-01-01"}).content.decode()


def test_nothing_matches_offers_to_remove_the_filters(browser: Client, opened: Opened) -> None:
    opened("P-1")
    page = browser.get("/", {"q": "none such"})
    assert "No case fits these filters Remove the filters" in words(page)
    assert "P-1" in words(browser.get("/?all=1"))


def test_a_view_is_kept_from_the_filters_and_the_worklist_can_begin_with_it(
    browser: Client, opened: Opened, alice: User
) -> None:
    opened("mine", assignee=alice)
    opened("other")
    given = {"name": "Mine", "query": "assigned=me&nonsense=1"}
    assert browser.post(reverse("saved_views"), given)["Location"] == "/?assigned=me"
    view = SavedView.objects.get()
    assert (view.user, view.query) == (alice, "assigned=me")
    page = browser.get("/")
    assert "other" in words(page) and 'href="/?assigned=me"' in page.content.decode()
    browser.post(reverse("saved_view", args=[view.pk]), {"act": "begin"})
    assert browser.get("/")["Location"] == "/?assigned=me"
    assert "This is your view “Mine”." in words(browser.get("/?assigned=me"))
    everything = browser.get("/?all=1")
    assert "other" in words(everything)
    assert '<input type="hidden" name="all" value="1">' in everything.content.decode()


def test_views_are_managed_without_a_script(browser: Client, as_alice: Actor) -> None:
    view = save_view(actor=as_alice, name="Old", query="status=60")
    choose_default_view(actor=as_alice, view_id=view.pk)
    assert "Old the worklist begins with it" in words(browser.get(reverse("saved_views")))
    address = reverse("saved_view", args=[view.pk])
    browser.post(address, {"act": "rename", "name": "New"})
    assert SavedView.objects.get().name == "New"
    wrong = browser.post(address, {"act": "rename", "name": " "}, follow=True)
    assert "A view needs a name" in words(wrong)
    browser.post(address, {"act": "no_begin"})
    assert not SavedView.objects.get().is_default
    browser.post(address, {"act": "delete"})
    assert not SavedView.objects.exists()
    assert "No views yet" in words(browser.get(reverse("saved_views")))


def test_chosen_rows_are_assigned_and_the_list_is_as_it_was(
    browser: Client, opened: Opened, rita: User
) -> None:
    cases = [opened("P-1"), opened("P-2")]
    page = browser.get("/", {"q": "p"})
    for case in cases:
        assert f'name="case" value="{case.pk}" form="acts"' in page.content.decode()
    given = {"case": [case.pk for case in cases], "act": "assign", "assignee": rita.pk, "back": "q=p&x=1"}
    answer = browser.post(reverse("worklist_act"), given, follow=True)
    assert answer.redirect_chain == [("/?q=p", 302)]
    assert "2 cases have changed hands." in words(answer)
    assert words(answer).count("rita") >= 2
    given["assignee"] = "nobody"
    assert "2 cases have changed hands." in words(browser.post(reverse("worklist_act"), given, follow=True))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"act": "assign", "assignee": "me"}, "Choose at least one case."),
        ({"act": "export"}, "Choose at least one case."),
        ({}, "Choose at least one case."),
        ({"case": "no key", "act": "analyse"}, "Choose at least one case."),
    ],
)
def test_an_act_on_nothing_says_so(given: dict[str, str], sentence: str, browser: Client) -> None:
    answer = browser.post(reverse("worklist_act"), given, follow=True)
    assert sentence in words(answer)
    assert "note-failed" in answer.content.decode()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"act": "burn"}, "Choose what to do with the cases."),
        ({"act": "assign"}, "Choose whom to assign the cases to."),
        ({"act": "assign", "assignee": "9" * 5000}, "Choose whom to assign the cases to."),
    ],
    ids=["no act", "nobody named", "no key"],
)
def test_an_act_that_is_none_says_so(
    given: dict[str, str], sentence: str, browser: Client, case: Case
) -> None:
    answer = browser.post(reverse("worklist_act"), {"case": case.pk, **given}, follow=True)
    assert sentence in words(answer)


def test_chosen_rows_are_analysed_again_and_each_result_is_said(
    browser: Client, scan: Scan, worker: Worker, opened: Opened
) -> None:
    worker.finish(scan)
    given = {"case": [scan.case_id, opened("empty").pk], "act": "analyse"}
    answer = browser.post(reverse("worklist_act"), given, follow=True)
    assert "1 case is analysed again. 1 case has no images." in words(answer)
    again = browser.post(reverse("worklist_act"), given, follow=True)
    assert "1 case was under way already." in words(again)


def test_a_case_of_others_stops_the_whole_act(
    signed_in: SignedIn, bob: User, as_alice: Actor, case: Case
) -> None:
    answer = signed_in(bob).post(
        reverse("worklist_act"), {"case": case.pk, "act": "assign", "assignee": "me"}
    )
    assert answer.status_code == 404
    assert Case.objects.get().assignee is None


def test_who_may_not_do_something_is_not_offered_it(signed_in: SignedIn, case: Case, otto: User) -> None:
    page = signed_in(otto).get("/").content.decode()
    assert 'value="export"' in page
    assert 'value="assign"' not in page and 'value="analyse"' not in page
    given = {"case": case.pk, "act": "assign", "assignee": "nobody"}
    assert signed_in(otto).post(reverse("worklist_act"), given).status_code == 403


def test_the_export_holds_what_the_list_shows(
    browser: Client, scan: Scan, worker: Worker, as_alice: Actor, alice: User
) -> None:
    analysis = worker.finish(scan, prediction(tumour_probability=0.8741))
    submit_review(actor=as_alice, analysis=analysis, verdict="correct", label="meningioma")
    assign_cases(actor=as_alice, case_ids=[scan.case_id], assignee_id=alice.pk)
    answer = browser.get(reverse("worklist_export"), {"q": "mrn"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Cache-Control"] == "private, no-store"
    [row] = table(answer)
    assert row["Patient"] == "MRN-1" and row["Question"] == "Headache for six weeks"
    assert (row["Result"], row["Tumour probability"], row["In words"]) == (
        "Glioma suspected",
        "0.874",
        "likely",
    )
    assert (row["Status"], row["Verdict"]) == ("Read", "Meningioma")
    assert (row["Read by"], row["Assigned to"]) == ("alice", "alice")
    assert row["Research use only"] == "not a medical device"
    assert table(browser.get(reverse("worklist_export"), {"q": "none such"})) == []


def test_the_export_of_chosen_rows_holds_only_those(browser: Client, opened: Opened) -> None:
    chosen, _ = opened("P-1"), opened("P-2")
    given = {"case": chosen.pk, "act": "export"}
    assert [row["Patient"] for row in table(browser.post(reverse("worklist_act"), given))] == ["P-1"]
    assert actions()[-1] == Action.EXPORTED


def test_the_export_of_another_department_is_empty(signed_in: SignedIn, bob: User, case: Case) -> None:
    his = signed_in(bob)
    assert table(his.get(reverse("worklist_export"))) == []
    assert table(his.post(reverse("worklist_act"), {"case": case.pk, "act": "export"})) == []


def test_an_answer_that_is_hidden_is_hidden_in_the_export_and_the_list(
    browser: Client, scan: Scan, worker: Worker, reads: Reads
) -> None:
    reads(blind=True)
    worker.finish(scan, prediction(tumour_probability=0.9123))
    [row] = table(browser.get(reverse("worklist_export")))
    assert (row["Result"], row["Tumour probability"], row["In words"]) == ("To be read", "", "")
    page = words(browser.get("/"))
    assert "91%" not in page and "very likely" not in page
    assert "To be read" in page


@pytest.mark.parametrize("start", FORMULA)
def test_what_somebody_typed_is_no_formula_in_a_spreadsheet(start: str) -> None:
    assert harmless(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"
    assert harmless(f" {start}1") == f"' {start}1"
    assert harmless(f"P{start}1") == f"P{start}1"


def test_a_formula_for_a_reference_leaves_as_text(browser: Client, as_alice: Actor) -> None:
    open_case(actor=as_alice, patient_reference="=cmd|' /C calc'!A0", question='@SUM(1), "quoted"')
    [row] = table(browser.get(reverse("worklist_export")))
    assert row["Patient"] == "'=cmd|' /C calc'!A0"
    assert row["Question"] == '\'@SUM(1), "quoted"'


def test_the_export_speaks_the_readers_language(browser: Client, case: Case, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(language="es")
    [row] = table(browser.get(reverse("worklist_export")))
    assert "Paciente" in row


def test_counts_stand_in_the_page_and_answer_only_what_is_new(
    browser: Client, case: Case, as_alice: Actor, alice: User
) -> None:
    page = browser.get("/")
    assert "No images yet 1" in words(page) and "Assigned to me 0" in words(page)
    address, mark = reverse("worklist_counts"), mark_of(page, "counts")
    same = browser.get(address, headers={"If-None-Match": mark})
    assert (same.status_code, same.content) == (304, b"")
    assign_cases(actor=as_alice, case_ids=[case.pk], assignee_id=alice.pk)
    other = browser.get(address, headers={"If-None-Match": mark})
    assert "Assigned to me 1" in words(other) and other["ETag"] != mark
    assert 'id="counts-words"' in other.content.decode()
    assert browser.get(address, headers={"If-None-Match": other["ETag"]}).status_code == 304


def test_counts_lead_to_their_cases_and_say_which_are_shown(browser: Client, case: Case) -> None:
    page = browser.get("/", {"status": 20}).content.decode()
    assert re.search(r'class="count tone-empty" href="/\?status=20" aria-current="true"', page)
    assert 'href="/?assigned=me"' in page


def test_a_refresh_that_brings_other_cases_is_another_look(browser: Client, opened: Opened) -> None:
    opened("P-1")
    page = browser.get("/")
    before = actions().count(Action.WORKLIST_VIEWED)
    browser.get(rows_url(page))
    assert actions().count(Action.WORKLIST_VIEWED) == before
    case = opened("P-2")
    changed = browser.get(rows_url(page))
    assert "P-2" in words(changed)
    assert actions().count(Action.WORKLIST_VIEWED) == before + 1
    assert case.pk.hex in AuditEvent.objects.latest("pk").detail["cases"]
    browser.get(rows_url(changed))
    assert actions().count(Action.WORKLIST_VIEWED) == before + 1


def test_a_row_shows_three_thumbnails_at_most_each_served_without_an_event(
    browser: Client, scan: Scan
) -> None:
    page = browser.get("/").content.decode()
    [address] = re.findall(r'<img src="(/scans/[^"]+)"[^>]* loading="lazy"', page)
    events = AuditEvent.objects.count()
    picture = browser.get(address)
    assert (picture.status_code, picture["Content-Type"]) == (200, "image/png")
    assert picture["Cache-Control"] == "private, no-cache"
    assert "sandbox" in picture["Content-Security-Policy"]
    again = browser.get(address, headers={"If-None-Match": picture["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert AuditEvent.objects.count() == events
    for number in range(4):
        Scan.objects.create(
            case=scan.case, digest=str(number), facts={}, uploaded_by=scan.uploaded_by
        ).analyses.create(requested_by=scan.uploaded_by)
    page = browser.get("/")
    assert page.content.decode().count('<img src="/scans/') == 3
    assert "and 2 more" in words(page)


def test_a_thumbnail_is_kept_from_who_may_not_see_the_scan(
    browser: Client, scan: Scan, signed_in: SignedIn, bob: User
) -> None:
    [address] = re.findall(r'<img src="(/scans/[^"]+)"', browser.get("/").content.decode())
    mark = browser.get(address)["ETag"]
    assert signed_in(bob).get(address, headers={"If-None-Match": mark}).status_code == 404


def test_next_follows_the_list_the_reader_came_from(browser: Client, opened: Opened, alice: User) -> None:
    first = opened("P-1", triage=60, urgency=900, assignee=alice)
    opened("P-2", triage=60, urgency=800)
    third = opened("P-3", triage=60, urgency=700, assignee=alice)
    browser.get("/", {"assigned": "me"})
    page = browser.get(reverse("case", args=[first.pk])).content.decode()
    following = reverse("next_case", args=[first.pk])
    assert f'href="{following}" data-key="n"' in page
    assert browser.get(following)["Location"] == reverse("case", args=[third.pk])
    browser.get(reverse("case", args=[third.pk]))
    last = browser.get(reverse("next_case", args=[third.pk]), follow=True)
    assert last.redirect_chain == [("/?assigned=me", 302)]
    assert "That was the last case of this list." in words(last)


def test_signing_off_goes_on_to_the_next_case_as_the_list_was_before(
    browser: Client, scan: Scan, worker: Worker, as_alice: Actor, opened: Opened
) -> None:
    analysis = worker.finish(scan, prediction(tumour_probability=0.9))
    opened("earlier", triage=60, urgency=950)
    following = opened("following", triage=60, urgency=500)
    browser.get("/?all=1")
    browser.get(reverse("case", args=[scan.case_id]))
    submit_review(actor=as_alice, analysis=analysis, verdict="agree")
    browser.get(reverse("case", args=[scan.case_id]))
    report = reverse("report", args=[scan.case_id])
    assert "Sign and go to the next case" in words(browser.get(report))
    state = sign_off_of(actor=as_alice, case=scan.case).state
    signed = browser.post(report, {"answer": "glioma", "state": state, "then": "next"})
    assert signed["Location"] == reverse("next_case", args=[scan.case_id])
    assert browser.get(signed["Location"])["Location"] == reverse("case", args=[following.pk])


def test_who_did_not_come_from_the_worklist_signs_alone(
    browser: Client, scan: Scan, worker: Worker, as_alice: Actor
) -> None:
    submit_review(actor=as_alice, analysis=worker.finish(scan), verdict="agree")
    assert "Sign and go to the next case" not in words(browser.get(reverse("report", args=[scan.case_id])))
