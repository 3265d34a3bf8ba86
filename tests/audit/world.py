"""A finished scan, the cast around it, and what has to happen before some acts of theirs."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import Analysis, Case, ModelVersion, Report, Role, Scan, User
from classifier.models.tokens import Scope
from classifier.services.departments import set_reading_policy
from classifier.services.model_versions import register_model
from classifier.services.reports import sign_off_of
from classifier.services.reviews import submit_review
from classifier.services.tokens import issue_token
from tests.bundles import make_bundle
from tests.conftest import NEURO
from tests.worker import Worker

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
    for given in [{}, {"amends": 1, "reason": f"Taken for {PATIENT}"}] if amended else [{}]:
        state = sign_off_of(actor=Actor(user=world.alice, via="page"), case=world.case).state
        page.post(url, {"answer": "glioma", "impression": f"As in {REFERENCE}", "state": state, **given})
    return Report.objects.latest("version")
