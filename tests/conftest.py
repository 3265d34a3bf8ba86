"""The cast and the fixtures every test shares.

Alice is a clinician and Rita a reviewer of Neuroradiology; Bob is a clinician of Orthopaedics, to whom
Neuroradiology's cases do not exist. Otto audits, Ada administers.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import translation
from pytest_django.fixtures import Settings

from classifier import inference
from classifier.audit import Actor
from classifier.models import Case, ModelVersion, Role, Scan, User
from classifier.services import cases, departments, model_versions
from tests.flush import flush_steps_around_triggers  # noqa: F401
from tests.intake import upload_scans
from tests.ml.pictures import brain_png

PASSWORD = "a long enough passphrase"
NEURO, ORTHO = "Neuroradiology", "Orthopaedics"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

Reads = Callable[..., None]


@pytest.fixture(autouse=True)
def language_of_the_project() -> Iterator[None]:
    """A request leaves the language of its page active in its thread, where the next test would speak it."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def quick_hashes_and_private_files(settings: Settings, tmp_path: Path) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.SCANS_DIR = tmp_path / "scans"


@pytest.fixture(autouse=True)
def own_counters(settings: Settings, tmp_path: Path) -> None:
    """Throttles count for one test alone; to clear Redis would empty the queues of others."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": str(tmp_path)}}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite in a file, as the portal has it: in memory, threads do not wait for each other's locks."""
    if connection.vendor == "sqlite":
        path = tmp_path_factory.mktemp("database") / "test.sqlite3"
        connection.settings_dict["TEST"]["NAME"] = str(path)


@pytest.fixture
def data() -> Path:
    """The folder of research images; tests that ask for it are marked ``data``."""
    if not DATA.is_dir():
        pytest.skip(f"the research images are not at {DATA.parent.name}/{DATA.name} beside the project")
    return DATA


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    def make(username: str, *groups: str, **fields: object) -> User:
        user = User.objects.create_user(username=username, password=PASSWORD, **fields)
        user.groups.set([Group.objects.get_or_create(name=name)[0] for name in groups])
        return user

    return make


@pytest.fixture
def alice(make_user: Callable[..., User]) -> User:
    return make_user("alice", Role.CLINICIAN, NEURO)


@pytest.fixture
def rita(make_user: Callable[..., User]) -> User:
    return make_user("rita", Role.REVIEWER, NEURO)


@pytest.fixture
def bob(make_user: Callable[..., User]) -> User:
    return make_user("bob", Role.CLINICIAN, ORTHO)


@pytest.fixture
def otto(make_user: Callable[..., User]) -> User:
    return make_user("otto", Role.AUDITOR, is_staff=True)


@pytest.fixture
def ada(make_user: Callable[..., User]) -> User:
    return make_user("ada", Role.ADMINISTRATOR, is_staff=True)


@pytest.fixture
def as_alice(alice: User) -> Actor:
    return Actor(user=alice, via="page")


@pytest.fixture
def reads(ada: User) -> Reads:
    """``reads(second_reader=…, blind=…)``: how Neuroradiology reads from now on."""

    def reads(*, second_reader: bool = False, blind: bool = False) -> None:
        departments.set_reading_policy(
            actor=Actor(user=ada, via="admin"),
            department=Group.objects.get(name=NEURO),
            second_reader=second_reader,
            blind=blind,
        )

    return reads


@pytest.fixture
def active_model(db: None) -> ModelVersion:
    command = Actor.command()
    row = model_versions.register_model(actor=command, directory=inference.default_bundle())
    return model_versions.activate_model(actor=command, version=row.version)


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids the worker was told of, instead of telling a broker."""
    ids: list[str] = []
    monkeypatch.setattr("classifier.tasks.run_analysis.delay", ids.append)
    return ids


@pytest.fixture
def case(as_alice: Actor) -> Case:
    return cases.open_case(actor=as_alice, patient_reference="MRN-1", question="Headache for six weeks")


def upload(data: bytes, name: str = "slice.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, BytesIO(data).read())


@pytest.fixture
def scan(as_alice: Actor, case: Case, rung: list[str]) -> Iterator[Scan]:
    [result] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png())])
    yield result.scan
