"""Every act leaves one event that says who, what, to what, from where and through which door.

The table holds an act for each word of the trail; a new word without an act fails here. No event and no
log line names a patient or a file, or holds a secret.
"""

import io
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import Analysis, ApiToken, AuditEvent, Case, ModelVersion, Report, Role, Scan, User
from classifier.models.tokens import Scope
from classifier.services.analyses import recover_analyses
from classifier.services.departments import set_reading_policy
from classifier.services.model_versions import register_model
from classifier.services.reports import sign_off_of
from classifier.services.reviews import submit_review
from classifier.services.tokens import issue_token
from tests.bundles import make_bundle
from tests.conftest import NEURO, PASSWORD, upload
from tests.ml.pictures import brain_png
from tests.worker import Worker, worker  # noqa: F401

Action = AuditEvent.Action
ADDRESS = "10.1.2.3"
NEW_PASSWORD = "correct horse battery staple"
# Whatever identifies the patient of these tests, and the name their file was given.
REFERENCE, PATIENT, QUESTION, FILE = "MRN-77", "Doe^Jane", "Seizures since May", "Doe_Jane_1980.png"


@dataclass
class World:
    """A finished scan of Alice's, and how each of the cast reaches the portal."""

    alice: User
    ada: User
    case: Case
    scan: Scan
    analysis: Analysis
    worker: Worker
    bundles: Path
    secrets: list[str] = field(default_factory=list)

    def page(self, user: User | None = None) -> Client:
        who = user or self.alice
        who.refresh_from_db()  # an earlier act may have changed the password, and with it the session
        client = Client(REMOTE_ADDR=ADDRESS)
        client.force_login(who)
        return client

    def api(self) -> APIClient:
        _, secret = issue_token(actor=Actor.command(), user=self.alice, name="bridge", scopes=Scope.values)
        self.secrets.append(secret)
        client = APIClient(REMOTE_ADDR=ADDRESS)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return client

    def admin(self, name: str, key: Any = None, /, **given: Any) -> Any:
        url = reverse(f"admin:{name}", args=[key] if key else [])
        client = self.page(self.ada)
        return client.post(url, given) if given else client.get(url)

    def sign_in(self, password: str) -> None:
        Client(REMOTE_ADDR=ADDRESS).post(reverse("login"), {"username": "alice", "password": password})


@pytest.fixture
def world(
    alice: User,
    ada: User,
    worker: Worker,  # noqa: F811
    rung: list[str],
    settings: Settings,
    tmp_path: Path,
) -> World:
    cache.clear()
    settings.BUNDLES_DIR = tmp_path / "bundles"
    hers = Client()
    hers.force_login(alice)
    hers.post(reverse("new_case"), {"patient": REFERENCE, "name": PATIENT, "question": QUESTION, "sex": "F"})
    case = Case.objects.get()
    hers.post(reverse("upload", args=[case.pk]), {"file": upload(brain_png(), FILE)})
    scan = Scan.objects.get()
    analysis = worker.finish(scan)
    return World(alice, ada, case, scan, analysis, worker, settings.BUNDLES_DIR)


Do = Callable[[World], Any]
Key = Callable[[World], Any]


@dataclass(frozen=True)
class Act:
    """``about`` is the object the event names, as it is after the act; ``who`` a name in the trail."""

    action: str
    via: str
    who: str
    do: Do
    about: Key = lambda _: None


def newest(model: Any) -> Key:
    return lambda _: model.objects.latest("pk" if model in {ApiToken, ModelVersion} else "created_at")


def assign(world: World) -> None:
    given = {"case": world.case.pk, "act": "assign", "assignee": "me"}
    world.page().post(reverse("worklist_act"), given)


def export(world: World) -> None:
    list(world.page().get(reverse("worklist_export")))


def analyse(answer: Any = None) -> Do:
    def do(world: World) -> None:
        world.api().post(reverse("api:scan-analyses", args=[world.scan.pk]))
        world.worker.finish(world.scan, answer)

    return do


def lose_and_recover(world: World) -> None:
    world.api().post(reverse("api:scan-analyses", args=[world.scan.pk]))
    past = timezone.now() - timedelta(hours=1)
    Analysis.objects.filter(status="queued").update(
        status="running", attempts=1, started_at=past, lease_until=past
    )
    recover_analyses()


def lock_out(world: World) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        world.sign_in("wrong password")


def a_case(world: World) -> Case:
    return world.case


def a_scan(world: World) -> Scan:
    return world.scan


def an_analysis(world: World) -> Analysis:
    return world.analysis


def a_file(world: World) -> Any:
    return world.scan.files.get()


def alice_herself(world: World) -> User:
    return world.alice


def neuro(_: World) -> Group:
    return Group.objects.get(name__in=[NEURO, "Renamed"])


def page(name: str, key: Key, *more: Any) -> Do:
    return lambda world: world.page().get(reverse(name, args=[key(world).pk, *more]))


def program(name: str, key: Key) -> Do:
    return lambda world: world.api().get(reverse(f"api:{name}", args=[key(world).pk]))


def admin(name: str, key: Key | None = None, /, **given: Any) -> Do:
    return lambda world: world.admin(name, key(world).pk if key else None, **given)


def registered(world: World) -> ModelVersion:
    make_bundle(world.bundles, "new-1")
    return register_model(actor=Actor.command(), directory=world.bundles / "new-1")


def reads(world: World, *, second_reader: bool) -> None:
    department = Group.objects.get(name__in=[NEURO, "Renamed"])
    ada = Actor(user=world.ada, via="admin")
    set_reading_policy(actor=ada, department=department, second_reader=second_reader, blind=False)


def reviewed(world: World) -> Case:
    """The case with everything in it finished and read by Alice, whatever was done to it before."""
    reads(world, second_reader=False)
    for scan in world.case.scans.all():
        latest = scan.analyses.latest("created_at")
        analysis = latest if latest.is_finished else world.worker.finish(scan)
        with suppress(UserFacingError):
            submit_review(actor=Actor(user=world.alice, via="page"), analysis=analysis, verdict="agree")
    return world.case


def differing(world: World, third: str = "carl") -> User:
    """Who may decide between two reads that differ; it is ``third``."""
    reads(world, second_reader=True)
    for name, label in (("rita", "glioma"), ("rosa", "notumor")):
        actor = Actor(user=reviewer(name), via="page")
        with suppress(UserFacingError):
            submit_review(actor=actor, analysis=world.analysis, verdict="correct", label=label)
    return world.alice if third == "alice" else reviewer(third)


def reviewer(name: str) -> User:
    user, _ = User.objects.get_or_create(username=name)
    user.groups.set([Group.objects.get_or_create(name=group)[0] for group in (Role.REVIEWER, NEURO)])
    return user


def sign(world: World, *, amended: bool = False) -> Report:
    """Signed by Alice on the page, and amended there."""
    if not world.case.reports.exists():
        reviewed(world)
    url, page = reverse("report", args=[world.case.pk]), world.page()
    for given in [{}, {"amends": 1, "reason": REASON}] if amended else [{}]:
        state = sign_off_of(actor=Actor(user=world.alice, via="page"), case=world.case).state
        page.post(url, {"answer": "glioma", "impression": f"As in {REFERENCE}", "state": state, **given})
    return Report.objects.latest("version")


def user_to_add() -> dict[str, str]:
    return {"username": "carol", "password": NEW_PASSWORD, "repeated": NEW_PASSWORD}


REVIEW = {"verdict": "correct", "label": "pituitary", "comment": f"As in {REFERENCE}, {PATIENT}"}
DECISION = {"answer": "glioma", "comment": f"As in {REFERENCE}, {PATIENT}"}
REASON = f"Taken for {PATIENT}"
TOKEN = {"name": "PACS", "scopes": ["scans:read"], "days": 30}
CHANGED_PASSWORD = {
    "old_password": PASSWORD,
    "new_password1": NEW_PASSWORD,
    "new_password2": NEW_PASSWORD,
}

ACTS = [
    # At the door
    Act(Action.SIGNED_IN, "page", "alice", lambda w: w.sign_in(PASSWORD), alice_herself),
    Act(Action.SIGN_IN_FAILED, "page", "alice", lambda w: w.sign_in("wrong password")),
    Act(Action.LOCKED_OUT, "page", "alice", lock_out),
    Act(Action.SIGNED_OUT, "page", "alice", lambda w: w.page().post(reverse("sign_out")), alice_herself),
    Act(
        Action.PASSWORD_CHANGED,
        "page",
        "alice",
        lambda w: w.page().post(reverse("change_password"), CHANGED_PASSWORD),
        alice_herself,
    ),
    # Pages
    Act(Action.WORKLIST_VIEWED, "page", "alice", lambda w: w.page().get(reverse("worklist"))),
    Act(
        Action.CASE_OPENED,
        "page",
        "alice",
        lambda w: w.page().post(reverse("new_case"), {"patient": REFERENCE, "name": PATIENT}),
        newest(Case),
    ),
    Act(Action.CASE_VIEWED, "page", "alice", page("case", a_case), a_case),
    Act(Action.CASE_ASSIGNED, "page", "alice", assign, a_case),
    Act(Action.EXPORTED, "page", "alice", export),
    Act(
        Action.SCAN_UPLOADED,
        "page",
        "alice",
        lambda w: w.page().post(
            reverse("upload", args=[w.case.pk]), {"file": upload(brain_png(seed=5), FILE)}
        ),
        newest(Scan),
    ),
    Act(Action.SCAN_VIEWED, "page", "alice", page("scan", a_scan), a_scan),
    Act(Action.IMAGE_VIEWED, "page", "alice", page("picture", a_scan, 0), a_scan),
    Act(Action.FILE_DOWNLOADED, "page", "alice", page("file", a_scan, 0), a_file),
    Act(
        Action.ANALYSIS_REQUESTED,
        "page",
        "alice",
        lambda w: w.page().post(reverse("analyse", args=[w.scan.pk])),
        newest(Analysis),
    ),
    Act(
        Action.REVIEW_SUBMITTED,
        "page",
        "alice",
        lambda w: w.page().post(reverse("review", args=[w.analysis.pk]), REVIEW),
        lambda w: w.analysis.reviews.get(),
    ),
    Act(
        Action.ADJUDICATED,
        "page",
        "carl",
        lambda w: w.page(differing(w)).post(reverse("adjudication", args=[w.analysis.pk]), DECISION),
        lambda w: w.analysis.adjudication,
    ),
    Act(
        Action.REPORT_SIGNED,
        "page",
        "alice",
        sign,
        newest(Report),
    ),
    Act(
        Action.REPORT_AMENDED,
        "page",
        "alice",
        lambda w: sign(w, amended=True),
        newest(Report),
    ),
    Act(
        Action.REPORT_VIEWED,
        "page",
        "alice",
        lambda w: w.page().get(reverse("report", args=[sign(w).case_id])),
        newest(Report),
    ),
    Act(
        Action.REPORT_DOWNLOADED,
        "page",
        "alice",
        lambda w: w.page().get(reverse("report_pdf", args=[sign(w).pk])),
        newest(Report),
    ),
    Act(
        Action.TOKEN_ISSUED,
        "page",
        "alice",
        lambda w: w.page().post(reverse("own_settings"), TOKEN),
        newest(ApiToken),
    ),
    # Programs
    Act(Action.WORKLIST_VIEWED, "api", "alice", lambda w: w.api().get(reverse("api:cases"))),
    Act(Action.CASE_VIEWED, "api", "alice", program("case", a_case), a_case),
    Act(
        Action.PATIENT_VIEWED,
        "api",
        "alice",
        lambda w: w.api().get(reverse("api:patient", args=[w.case.patient_id])),
        lambda w: w.case.patient,
    ),
    Act(Action.SCAN_VIEWED, "api", "alice", program("scan", a_scan), a_scan),
    Act(Action.FILE_DOWNLOADED, "api", "alice", program("scan-file", a_scan), a_file),
    Act(Action.ANALYSIS_VIEWED, "api", "alice", program("analysis", an_analysis), an_analysis),
    Act(
        Action.SCAN_UPLOADED,
        "api",
        "alice",
        lambda w: w.api().post(
            reverse("api:scans"),
            {"file": upload(brain_png(seed=6), FILE), "patient": REFERENCE},
            format="multipart",
        ),
        newest(Scan),
    ),
    Act(
        Action.REVIEW_SUBMITTED,
        "api",
        "alice",
        lambda w: w.api().post(reverse("api:reviews", args=[w.analysis.pk]), REVIEW, format="json"),
        lambda w: w.analysis.reviews.get(),
    ),
    Act(
        Action.ADJUDICATED,
        "api",
        "alice",
        lambda w: w.api().post(
            reverse("api:adjudication", args=[differing(w, third="alice") and w.analysis.pk]),
            DECISION,
            format="json",
        ),
        lambda w: w.analysis.adjudication,
    ),
    Act(
        Action.REPORT_SIGNED,
        "api",
        "alice",
        lambda w: w.api().post(reverse("api:reports", args=[reviewed(w).pk]), {}, format="json"),
        newest(Report),
    ),
    Act(
        Action.REPORT_VIEWED,
        "api",
        "alice",
        lambda w: w.api().get(reverse("api:report", args=[sign(w).pk])),
        newest(Report),
    ),
    Act(
        Action.REPORT_DOWNLOADED,
        "api",
        "alice",
        lambda w: w.api().get(reverse("api:report-pdf", args=[sign(w).pk])),
        newest(Report),
    ),
    # The worker
    Act(Action.ANALYSIS_FINISHED, "worker", "", analyse(), newest(Analysis)),
    Act(Action.ANALYSIS_RECOVERED, "worker", "", lose_and_recover, newest(Analysis)),
    # The admin site
    Act(Action.CASE_VIEWED, "admin", "ada", admin("classifier_case_change", a_case), a_case),
    Act(Action.WORKLIST_VIEWED, "admin", "ada", admin("classifier_patient_changelist")),
    Act(
        Action.USER_CREATED,
        "admin",
        "ada",
        admin("classifier_user_add", **user_to_add()),
        lambda _: User.objects.get(username="carol"),
    ),
    Act(
        Action.USER_CHANGED,
        "admin",
        "ada",
        admin("classifier_user_details", alice_herself, username="alice", first_name="A", is_active="on"),
        alice_herself,
    ),
    Act(
        Action.PERMISSIONS_CHANGED,
        "admin",
        "ada",
        admin("classifier_user_access", alice_herself, roles=["reviewer"]),
        alice_herself,
    ),
    Act(
        Action.PASSWORD_CHANGED,
        "admin",
        "ada",
        admin("classifier_user_password", alice_herself, password=NEW_PASSWORD, repeated=NEW_PASSWORD),
        alice_herself,
    ),
    Act(
        Action.TOKEN_ISSUED,
        "admin",
        "ada",
        lambda w: w.admin("classifier_apitoken_add", None, user=w.alice.pk, **TOKEN),
        newest(ApiToken),
    ),
    Act(
        Action.DEPARTMENT_CREATED,
        "admin",
        "ada",
        admin("auth_group_add", name="Cardiology"),
        lambda _: Group.objects.get(name="Cardiology"),
    ),
    Act(Action.DEPARTMENT_RENAMED, "admin", "ada", admin("auth_group_rename", neuro, name="Renamed"), neuro),
    Act(Action.POLICY_CHANGED, "admin", "ada", admin("auth_group_reading", neuro, blind="on"), neuro),
    Act(
        Action.MODEL_ACTIVATED,
        "admin",
        "ada",
        lambda w: w.admin("classifier_modelversion_activate", registered(w).pk, yes="yes"),
        newest(ModelVersion),
    ),
]


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


# Tested below or, for a backup that is brought back, in `tests/ops`.
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
