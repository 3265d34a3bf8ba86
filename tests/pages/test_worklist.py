"""The worklist: order, filters, pages by position, refreshing itself, a constant number of queries."""

import html
import json
import re
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from classifier.audit import Actor
from classifier.models import AuditEvent, Case, Patient, Scan, User
from classifier.services import worklist as service
from classifier.services import worklist_counts
from classifier.services import worklist_selection as selection
from classifier.services.reviews import submit_review
from tests.conftest import NEURO, ORTHO
from tests.pages.conftest import SignedIn
from tests.pages.reading import actions, words
from tests.worker import Worker, prediction

Triage = Case.Triage
MakeCases = Callable[..., list[Case]]


@pytest.fixture
def make_cases(alice: User) -> MakeCases:
    """``make_cases(n, triage=…)``: n cases, each an hour older than the one before."""

    def make(
        count: int, *, department: str = NEURO, prefix: str = "P", triage: int = Triage.EMPTY
    ) -> list[Case]:
        group = Group.objects.get(name=department)
        made = []
        for number in range(count):
            patient = Patient.objects.create(department=group, reference=f"{prefix}-{number:03}")
            case = Case.objects.create(department=group, patient=patient, triage=triage, opened_by=alice)
            created_at = timezone.now() - timedelta(hours=number)
            Case.objects.filter(pk=case.pk).update(created_at=created_at)
            made.append(case)
        return made

    return make


def rows_url(response: HttpResponse) -> str:
    """Where the page asks for news of its rows."""
    [found] = re.findall(r'id="live" data-live hx-get="([^"]+)"', response.content.decode())
    return str(found).replace("&amp;", "&")


def mark_of(response: HttpResponse, part: str = "live") -> str:
    """What the page compares a part of itself with."""
    text = response.content.decode()
    [found] = re.findall(rf'id="{part}"[^>]* hx-headers="([^"]+)"', text)
    return str(json.loads(html.unescape(found))["If-None-Match"])


def references(response_or_rows: object) -> list[str]:
    rows: Sequence[service.Row] = getattr(response_or_rows, "context", {}).get("page").rows  # type: ignore[union-attr]
    return [row.case.patient.reference for row in rows]


def found(user: User, **query: object) -> list[str]:
    page = service.find_worklist(user=user, filters=selection.Filters(**query))  # type: ignore[arg-type]
    return [row.case.patient.reference for row in page.rows]


def test_the_most_pressing_comes_first_and_within_that_the_newest(make_cases: MakeCases, alice: User) -> None:
    for prefix, triage in (("R", Triage.REVIEWED), ("S", Triage.SUSPECTED), ("U", Triage.UNCERTAIN)):
        make_cases(2, prefix=prefix, triage=triage)
    assert found(alice) == ["S-000", "S-001", "U-000", "U-001", "R-000", "R-001"]


def test_pages_follow_each_other_without_gap_or_repeat_in_both_directions(
    make_cases: MakeCases, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 3)
    make_cases(4, prefix="S", triage=Triage.SUSPECTED)
    make_cases(4, prefix="N", triage=Triage.NO_TUMOUR)
    whole = ["S-000", "S-001", "S-002", "S-003", "N-000", "N-001", "N-002", "N-003"]

    def page(**at: str | None) -> service.Page:
        positions = {name: selection.Position.decode(word or "") for name, word in at.items()}
        return service.find_worklist(user=alice, filters=selection.Filters(), **positions)

    def names(shown: service.Page) -> list[str]:
        return [row.case.patient.reference for row in shown.rows]

    first = page()
    second = page(after=first.next)
    third = page(after=second.next)
    assert [names(shown) for shown in (first, second, third)] == [whole[:3], whole[3:6], whole[6:]]
    assert (first.previous, third.next) == (None, None)
    assert names(page(before=third.previous)) == whole[3:6]
    assert names(page(before=second.previous)) == whole[:3]
    assert page(before=second.previous).previous is None


def test_going_back_past_the_top_shows_a_full_first_page(
    make_cases: MakeCases, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 3)
    cases = make_cases(5)
    second = selection.Position.of(Case.objects.get(pk=cases[1].pk))
    page = service.find_worklist(user=alice, filters=selection.Filters(), before=second)
    assert len(page.rows) == 3


@pytest.mark.parametrize("word", ["", "x", "////", "MzB8eHx5", "é", "A" * 500])
def test_a_position_that_is_not_ours_means_the_first_page(
    word: str, make_cases: MakeCases, browser: Client
) -> None:
    make_cases(1)
    response = browser.get("/", {"after": word})
    assert "P-000" in words(response)


def test_a_position_survives_the_address(case: Case) -> None:
    position = selection.Position.of(case)
    assert selection.Position.decode(position.encode()) == position


def test_filters_combine(make_cases: MakeCases, alice: User) -> None:
    make_cases(3, prefix="abc", triage=Triage.SUSPECTED)
    make_cases(3, prefix="ABD", triage=Triage.UNCERTAIN)
    assert len(found(alice, text="ab")) == 6
    assert found(alice, text="aBd-00", triage=Triage.UNCERTAIN) == ["ABD-000", "ABD-001", "ABD-002"]
    assert found(alice, text="abd", triage=Triage.SUSPECTED) == []


def test_letters_with_a_meaning_in_sql_mean_themselves(make_cases: MakeCases, alice: User) -> None:
    make_cases(1, prefix="100%")
    make_cases(1, prefix="100x")
    assert found(alice, text="100%") == ["100%-000"]


def test_days_are_both_included(make_cases: MakeCases, alice: User) -> None:
    cases = make_cases(3)
    today = timezone.localdate()
    for case, days in zip(cases, (0, 1, 2), strict=True):
        noon = timezone.now().replace(hour=12, minute=0) - timedelta(days=days)
        Case.objects.filter(pk=case.pk).update(created_at=noon)
    yesterday = today - timedelta(days=1)
    assert found(alice, since=yesterday, until=yesterday) == ["P-001"]
    assert found(alice, since=yesterday) == ["P-000", "P-001"]


def test_several_departments_are_one_list(make_cases: MakeCases, alice: User, bob: User) -> None:
    make_cases(2, prefix="N", triage=Triage.SUSPECTED)
    make_cases(2, prefix="O", department=ORTHO, triage=Triage.UNCERTAIN)
    assert found(alice) == ["N-000", "N-001"]
    alice.groups.add(Group.objects.get(name=ORTHO))
    alice = User.objects.get(pk=alice.pk)  # as the next request reads her
    assert found(alice) == ["N-000", "N-001", "O-000", "O-001"]
    ortho = Group.objects.get(name=ORTHO)
    assert found(alice, department=ortho.pk) == ["O-000", "O-001"]
    assert found(alice, since=timezone.localdate() - timedelta(days=2)) == [
        "N-000",
        "N-001",
        "O-000",
        "O-001",
    ]


def test_another_department_cannot_be_asked_for(make_cases: MakeCases, browser: Client, bob: User) -> None:
    make_cases(1, department=ORTHO, prefix="SECRET")
    response = browser.get("/", {"department": Group.objects.get(name=ORTHO).pk})
    assert "SECRET" not in words(response)


def test_an_auditor_sees_every_department(make_cases: MakeCases, otto: User, bob: User) -> None:
    make_cases(1, prefix="N")
    make_cases(1, prefix="O", department=ORTHO)
    assert sorted(found(otto)) == ["N-000", "O-000"]


def test_a_row_says_what_is_known_in_words(browser: Client, scan: Scan, worker: Worker) -> None:
    assert "Waiting" in words(browser.get("/"))
    worker.finish(scan, prediction(tumour_probability=0.874))
    page = words(browser.get("/"))
    assert "MRN-1 ▲" not in page
    for part in ("MRN-1", "Glioma suspected", "87%", "likely", "Headache for six weeks", "just now"):
        assert part in page


def test_a_reviewed_row_shows_the_verdict_and_who_gave_it(
    browser: Client, scan: Scan, worker: Worker, as_alice: Actor
) -> None:
    analysis = worker.finish(scan)
    submit_review(actor=as_alice, analysis=analysis, verdict="correct", label="meningioma")
    table = browser.get("/worklist/rows/").content.decode()
    assert 'data-label="Review">Meningioma <span class="sub">alice</span>' in table


def test_the_number_of_queries_does_not_grow_with_the_cases(
    browser: Client, make_cases: MakeCases, scan: Scan
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert browser.get("/").status_code == 200
        return len(captured)

    browser.get("/")
    few = queries()
    make_cases(30)
    for case in Case.objects.filter(scans=None)[:10]:
        other = Scan.objects.create(case=case, digest=str(case.pk), facts={}, uploaded_by=scan.uploaded_by)
        other.analyses.create(requested_by=scan.uploaded_by)
    assert queries() == few <= 13


def test_no_page_counts_or_skips_rows(browser: Client, make_cases: MakeCases) -> None:
    make_cases(60)
    following = browser.get("/").context["page"]
    with CaptureQueriesContext(connection) as captured:
        browser.get("/", {"after": following.next})
        browser.get("/", {"before": following.next})
    sql = " ".join(query["sql"].upper() for query in captured)
    assert sql.count("COUNT(") == sql.count(f"LIMIT {worklist_counts.AT_MOST}")
    assert "OFFSET" not in sql


def test_a_look_is_recorded_once_and_refreshing_is_not(browser: Client, make_cases: MakeCases) -> None:
    make_cases(2)
    refresh = rows_url(browser.get("/", {"q": "P"}))
    browser.get(refresh)
    assert actions() == [AuditEvent.Action.WORKLIST_VIEWED]
    shown = Case.objects.order_by(*Case.ORDER).values_list("pk", flat=True)
    assert AuditEvent.objects.get().detail == {"cases": [key.hex for key in shown]}


def test_the_list_refreshes_itself_only_when_something_has_changed(
    browser: Client, scan: Scan, worker: Worker
) -> None:
    page = browser.get("/", {"q": "MRN"})
    refresh, mark = rows_url(page), mark_of(page)
    assert "q=MRN" in refresh
    assert browser.get(refresh, headers={"If-None-Match": mark}).status_code == 304
    worker.finish(scan)
    changed = browser.get(refresh, headers={"If-None-Match": mark})
    assert "Glioma suspected" in words(changed)
    again = browser.get(rows_url(changed), headers={"If-None-Match": mark_of(changed)})
    assert again.status_code == 304 and not again.content


def test_links_to_other_pages_keep_the_filters(browser: Client, make_cases: MakeCases) -> None:
    make_cases(60)
    page = browser.get("/", {"q": "p", "status": Triage.EMPTY}).content.decode()
    assert f"/?q=p&amp;status={Triage.EMPTY.value}&amp;after=" in page


def test_an_empty_list_says_what_to_do(
    browser: Client, signed_in: SignedIn, rita: User, make_cases: MakeCases
) -> None:
    assert "Open the first case" in words(browser.get("/"))
    assert "as soon as a clinician of your department opens one" in words(signed_in(rita).get("/"))
    make_cases(1)
    assert "No case fits these filters" in words(browser.get("/", {"q": "none such"}))


def test_a_filter_that_makes_no_sense_says_so_and_is_left_out(browser: Client, make_cases: MakeCases) -> None:
    make_cases(1)
    page = words(browser.get("/", {"since": "soon", "status": "99", "department": "x"}))
    assert "Enter a valid date" in page
    assert "P-000" in page


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
@pytest.mark.parametrize("name", ["since", "until"])
def test_a_day_that_no_calendar_reaches_says_so(
    name: str, day: str, browser: Client, make_cases: MakeCases
) -> None:
    make_cases(1)
    assert "Ensure this value is" in words(browser.get("/", {name: day}))
    for view in ("worklist_rows", "worklist_export"):
        response = browser.get(reverse(view), {name: day})
        assert response.status_code == 200
        assert b"P-000" in b"".join(response)


def test_what_users_typed_is_shown_inert(browser: Client, alice: User, make_cases: MakeCases) -> None:
    make_cases(1, prefix="<img src=x onerror=alert(1)>")
    page = browser.get("/").content.decode()
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;-000" in page


def test_rows_lead_to_their_case(browser: Client, case: Case) -> None:
    assert reverse("case", args=[case.pk]) in browser.get("/").content.decode()
