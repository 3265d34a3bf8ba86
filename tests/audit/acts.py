"""The table of acts: for each word of the audit trail somebody who does it, and how."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from classifier.models import Analysis, ApiToken, AuditEvent, Case, ModelVersion, Report, Scan, User
from classifier.services.analyses import recover_analyses
from tests.audit.world import (
    FILE,
    NEW_PASSWORD,
    PATIENT,
    REFERENCE,
    World,
    differing,
    registered,
    reviewed,
    sign,
)
from tests.conftest import NEURO, PASSWORD, upload
from tests.ml.pictures import brain_png

Action = AuditEvent.Action

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


def user_to_add() -> dict[str, str]:
    return {"username": "carol", "password": NEW_PASSWORD, "repeated": NEW_PASSWORD}


REVIEW = {"verdict": "correct", "label": "pituitary", "comment": f"As in {REFERENCE}, {PATIENT}"}
DECISION = {"answer": "glioma", "comment": f"As in {REFERENCE}, {PATIENT}"}
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
    Act(Action.CASE_VIEWED, "page", "alice", page("case_history", a_case), a_case),
    Act(Action.CASE_VIEWED, "page", "alice", page("upload", a_case), a_case),
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
