"""Every act leaves one event that says who, what, to what, from where and through which door.

The table holds an act for each word of the trail; a new word without an act fails here. No event and no
log line names a patient or a file, or holds a secret.
"""

import io
import json
import logging

import pytest
from django.core.management import call_command
from django.urls import reverse
from pytest_django.fixtures import Settings

from classifier.audit import Actor
from classifier.models import Analysis, AuditEvent, Case, Report, Scan
from classifier.services.tokens import issue_token
from tests.audit.acts import ACTS, Act, analyse
from tests.audit.world import ADDRESS, FILE, NEW_PASSWORD, PATIENT, QUESTION, REFERENCE, World
from tests.bundles import make_bundle
from tests.conftest import PASSWORD, upload

Action = AuditEvent.Action


def events_of(act: Act, world: World) -> list[AuditEvent]:
    last = AuditEvent.objects.latest("pk").pk
    act.do(world)
    return list(AuditEvent.objects.filter(pk__gt=last, action=act.action).order_by("pk"))


@pytest.mark.parametrize("act", ACTS, ids=lambda act: f"{act.action} by {act.via}")
def test_an_act_is_one_event_with_who_what_and_where(act: Act, world: World) -> None:
    [event] = events_of(act, world)
    about = act.about(world)
    assert (event.actor_name, event.via) == (act.who, act.via)
    assert event.address == (None if act.via == "worker" else ADDRESS)
    expected = ("", "") if about is None else (type(about).__name__.lower(), str(about.pk))
    assert (event.object_type, event.object_id) == expected
    in_case = isinstance(about, Case | Scan | Analysis | Report) or event.object_type in {
        "scanfile",
        "review",
        "adjudication",
    }
    assert (event.case_id is not None) is in_case


def test_a_failed_analysis_is_one_event_with_its_code(world: World, settings: Settings) -> None:
    settings.MAX_ATTEMPTS = 1
    [event] = events_of(Act(Action.ANALYSIS_FAILED, "worker", "", analyse(ValueError("x"))), world)
    assert event.detail["code"] == "internal_error"


def test_a_revoked_token_is_one_event(world: World) -> None:
    token, _ = issue_token(actor=Actor.command(), user=world.alice, name="n", scopes=["scans:read"])
    revoke = Act(
        Action.TOKEN_REVOKED,
        "page",
        "alice",
        lambda w: w.page().post(reverse("revoke_token", args=[token.pk])),
    )
    [event] = events_of(revoke, world)
    assert (event.actor_name, event.object_id) == ("alice", str(token.pk))


def test_commands_act_under_the_name_of_the_servers_account(world: World) -> None:
    make_bundle(world.bundles, "new-1")
    last = AuditEvent.objects.latest("pk").pk
    call_command("register_model", str(world.bundles / "new-1"), stdout=io.StringIO())
    call_command("activate_model", "new-1", stdout=io.StringIO())
    events = AuditEvent.objects.filter(pk__gt=last).order_by("pk")
    assert [event.action for event in events] == [Action.MODEL_REGISTERED, Action.MODEL_ACTIVATED]
    assert {event.via for event in events} == {"command"}
    assert all(event.actor_name for event in events)


def test_nobody_with_a_shell_takes_another_name_by_setting_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Actor.command().name
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "alice")
    assert Actor.command().name == before != "alice"


# Tested by themselves: here or, for a backup that is brought back, in `tests/ops`.
ELSEWHERE = {
    Action.ANALYSIS_FAILED,
    Action.TOKEN_REVOKED,
    Action.MODEL_REGISTERED,
    Action.RESTORED,
}


def test_every_word_of_the_trail_has_an_act() -> None:
    assert {act.action for act in ACTS} | ELSEWHERE == set(Action.values)


def test_neither_the_trail_nor_the_log_names_a_patient_or_holds_a_secret(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for act in ACTS:
        act.do(world)
    world.page().post(reverse("upload", args=[world.case.pk]), {"file": upload(b"not an image", FILE)})
    trail = json.dumps(
        list(AuditEvent.objects.values("actor_name", "object_type", "object_id", "detail", "via"))
    )
    output = capsys.readouterr()
    ours = [r for r in caplog.records if r.name.split(".")[0] not in {"faker", "botocore"}]
    log = "\n".join(record.getMessage() for record in ours) + output.out + output.err
    forbidden = [REFERENCE, PATIENT, QUESTION, FILE, "Jane", PASSWORD, NEW_PASSWORD, "wrong password"]
    assert "finished: written" in log  # the log was listened to
    for text in (trail, log):
        assert [word for word in [*forbidden, *world.secrets] if word in text] == []
