"""Whoever looks at a patient in the admin site leaves one event in the audit trail."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from classifier.models import AuditEvent, User
from tests.admin.conftest import History

Action = AuditEvent.Action


@pytest.mark.parametrize(
    ("name", "looked_at", "action"),
    [
        ("patient", "patient", Action.PATIENT_VIEWED),
        ("case", "case", Action.CASE_VIEWED),
        ("scan", "scan", Action.SCAN_VIEWED),
        ("analysis", "analysis", Action.ANALYSIS_VIEWED),
        ("review", "analysis", Action.ANALYSIS_VIEWED),
    ],
)
def test_a_look_at_a_row_is_one_event(
    name: str,
    looked_at: str,
    action: str,
    history: History,
    otto: User,
    browser: Callable[[User], Client],
) -> None:
    last = history.event.pk
    row = getattr(history, name)
    browser(otto).get(reverse(f"admin:classifier_{name}_change", args=[row.pk]), REMOTE_ADDR="10.1.2.3")
    event = AuditEvent.objects.get(pk__gt=last)
    assert (event.action, event.actor_name, event.via) == (action, "otto", "admin")
    assert event.object_id == str(getattr(history, looked_at).pk)
    assert event.address == "10.1.2.3"


@pytest.mark.parametrize("name", ["patient", "case", "scan", "analysis", "review"])
def test_a_look_at_a_list_is_one_event_that_repeats_no_search_term(
    name: str, history: History, otto: User, browser: Callable[[User], Client]
) -> None:
    last = history.event.pk
    browser(otto).get(reverse(f"admin:classifier_{name}_changelist"), {"q": "MRN-1"})
    event = AuditEvent.objects.get(pk__gt=last)
    assert (event.action, event.via) == (Action.WORKLIST_VIEWED, "admin")
    shown = {"patients": [history.patient.pk.hex]} if name == "patient" else {"cases": [history.case.pk.hex]}
    assert event.detail == {"list": name, "filters": ["q"], **shown}


@pytest.mark.parametrize(
    "attempt",
    [
        lambda client, url: client.post(url),
        lambda client, url: client.get(url.replace("/change/", "/delete/")),
    ],
)
def test_a_look_that_is_refused_is_not_recorded_as_one(
    attempt: Callable[[Client, str], Any], history: History, otto: User, browser: Callable[[User], Client]
) -> None:
    last = history.event.pk
    attempt(browser(otto), reverse("admin:classifier_case_change", args=[history.case.pk]))
    assert not AuditEvent.objects.filter(pk__gt=last).exists()


def test_the_audit_trail_and_the_models_name_no_patient_and_are_read_freely(
    history: History, otto: User, browser: Callable[[User], Client]
) -> None:
    last = history.event.pk
    for name in ("auditevent", "modelversion", "workerheartbeat"):
        page = browser(otto).get(reverse(f"admin:classifier_{name}_changelist"))
        assert b"MRN-1" not in page.content
    assert not AuditEvent.objects.filter(pk__gt=last).exists()
