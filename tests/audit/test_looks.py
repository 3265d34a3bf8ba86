"""No page and no answer tells of a patient behind the trail's back, whatever way it was asked for."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from classifier.audit import Actor
from classifier.models import AuditEvent
from classifier.services import results, worklist
from classifier.services.analyses import request_analysis
from classifier.services.worklist_selection import Filters
from tests.audit.world import FILE, REFERENCE, World, sign
from tests.conftest import upload
from tests.ml.pictures import brain_png

Action = AuditEvent.Action
Events = list[tuple[str, str]]


def asked(world: World, ask: Callable[[], Any]) -> tuple[Any, Events]:
    """What came back, and (action, object) of every event that it left."""
    last = AuditEvent.objects.latest("pk").pk
    answer = ask()
    left = AuditEvent.objects.filter(pk__gt=last).order_by("pk")
    return answer, list(left.values_list("action", "object_id"))


def text(answer: HttpResponse) -> str:
    return answer.content.decode()


@pytest.mark.parametrize("name", ["review", "adjudication"])
def test_a_form_about_an_answer_that_comes_back_is_a_look_at_the_answer(name: str, world: World) -> None:
    key = world.analysis.pk
    page, left = asked(world, lambda: world.page().post(reverse(name, args=[key]), {}))
    assert page.status_code == 400 and "Glioma suspected" in text(page)
    assert left == [(Action.ANALYSIS_VIEWED, str(key))]


def test_a_signature_that_comes_back_is_a_look_at_the_case_and_at_its_report(world: World) -> None:
    report = sign(world)
    case_id = report.case_id
    page, left = asked(world, lambda: world.page().post(reverse("report", args=[case_id]), {}))
    assert page.status_code == 400 and "As in" in text(page)
    assert left == [(Action.CASE_VIEWED, str(case_id)), (Action.REPORT_VIEWED, str(report.pk))]


def test_a_page_of_uploads_that_comes_back_is_a_look_at_the_case(world: World) -> None:
    sent = {"file": upload(b"not an image", FILE)}
    address = reverse("upload", args=[world.case.pk])
    page, left = asked(world, lambda: world.page().post(address, sent))
    assert REFERENCE in text(page)
    assert left == [(Action.CASE_VIEWED, str(world.case.pk))]


def test_a_scan_that_is_sent_again_is_looked_at(world: World) -> None:
    """It comes back with what the model has said of it."""
    sent = {"file": upload(brain_png(), FILE), "case": str(world.case.pk)}
    address = reverse("api:scans")
    program = world.api()
    answer, left = asked(world, lambda: program.post(address, sent, format="multipart"))
    assert answer.json()["analysis"]["outcome"] == "glioma"
    assert left == [(Action.SCAN_VIEWED, str(world.scan.pk))]


@pytest.mark.parametrize("kind", ["patients", "cases", "scans"])
def test_a_list_of_a_program_names_whom_it_has_shown(kind: str, world: World) -> None:
    program = world.api()
    shown = program.get(reverse(f"api:{kind}")).json()["results"]
    key, named = {
        "patients": ("patients", world.case.patient_id.hex),
        "cases": ("cases", world.case.pk.hex),
        "scans": ("cases", world.case.pk.hex),
    }[kind]
    detail = AuditEvent.objects.latest("pk").detail
    assert len(shown) == 1
    assert detail == {"list": kind, "filters": [], key: [named]}


def test_a_list_that_refreshes_itself_is_a_look_without_the_word_of_one(world: World) -> None:
    """A digest of the cases, which anybody can make who has their keys, is no such word."""
    guessed = hashlib.sha256(world.case.pk.hex.encode()).hexdigest()[:16]
    for word in ("", guessed, "ä"):
        page, left = asked(
            world, lambda word=word: world.page().get(reverse("worklist_rows"), {"shown": word})
        )
        assert REFERENCE in text(page)
        assert [action for action, _ in left] == [Action.WORKLIST_VIEWED]


def test_the_word_of_a_list_holds_for_its_reader_its_cases_and_the_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looks(who: Any, word: str) -> int:
        actor = Actor(user=who, via="page")
        ask = lambda: worklist.refresh_worklist(actor=actor, filters=Filters(), word=word)  # noqa: E731
        return len(asked(world, ask)[1])

    page = worklist.find_worklist(user=world.alice, filters=Filters())
    word = worklist.word_of_look(user=world.alice, page=page)
    assert (looks(world.alice, word), looks(world.ada, word)) == (0, 1)
    tomorrow = timezone.localdate() + timedelta(days=1)
    monkeypatch.setattr("django.utils.timezone.localdate", lambda: tomorrow)
    assert looks(world.alice, word) == 1


def test_a_list_is_given_its_new_word_with_the_new_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a screen that shows the same would leave an event with every refresh."""
    client = world.page()
    marks = []
    for days in (0, 1):
        day = timezone.localdate() + timedelta(days=days)
        monkeypatch.setattr("django.utils.timezone.localdate", lambda day=day: day)
        marks.append(client.get(reverse("worklist_rows"), {"q": "of nobody"})["ETag"])
    assert marks[0] != marks[1]


def test_news_of_a_case_are_a_look_without_the_word_of_one(world: World) -> None:
    """A result that is not there yet comes with the earlier ones of its scan."""
    alice = Actor(user=world.alice, via="page")
    newer = request_analysis(actor=alice, scan=world.scan)
    address = reverse("progress", args=[world.case.pk])
    open_to = {"open": f"{newer.pk}.another state"}
    page, left = asked(world, lambda: world.page().get(address, open_to))
    assert "Glioma suspected" in text(page)
    assert left == [(Action.CASE_VIEWED, str(world.case.pk))]
    word = results.word_of_look(actor=alice, case=world.case)
    page, left = asked(world, lambda: world.page().get(address, open_to | {"look": word}))
    assert page.status_code == 200 and left == []
