"""What `bootstrap` makes of an empty database, and what it leaves alone."""

import json
import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from classifier import inference
from classifier.audit import Actor
from classifier.models import AuditEvent, ModelVersion, Role, User
from classifier.services.model_versions import activate_model
from ml.bundle import seal

CHOSEN = "correct horse battery staple"


@pytest.fixture(autouse=True)
def empty_database(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables as after the migrations, whose commands a test cannot run inside its transaction."""
    monkeypatch.setattr(
        "classifier.management.commands.bootstrap.call_command", lambda *args, **options: None
    )
    monkeypatch.delenv("PORTAL_CLINICIAN_PASSWORD", raising=False)
    monkeypatch.delenv("PORTAL_ADMIN_PASSWORD", raising=False)


def bootstrap() -> str:
    output = StringIO()
    call_command("bootstrap", stdout=output)
    return output.getvalue()


def shown(output: str) -> dict[str, str]:
    lines = [line.removeprefix("First user ") for line in output.splitlines() if line.startswith("First")]
    return dict(line.split(", password ") for line in lines)


def test_the_bundled_model_is_registered_active_and_audited() -> None:
    output = bootstrap()
    active = ModelVersion.objects.get(is_active=True)
    assert f"Model {active.version} is active." in output
    actions = AuditEvent.objects.filter(object_id=str(active.pk)).values_list("action", flat=True)
    assert {"model_registered", "model_activated"} <= set(actions)


@pytest.fixture
def other_bundle(settings: Settings, tmp_path: Path) -> str:
    """A second installed bundle: the default one under another name, sealed again."""
    default = inference.default_bundle()
    bundles = tmp_path / "bundles"
    shutil.copytree(default.parent, bundles)
    folder = shutil.copytree(default, bundles / "other-1")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"version": "other-1"}))
    seal(folder)
    settings.BUNDLES_DIR = bundles
    return folder.name


def active() -> str:
    return ModelVersion.objects.get(is_active=True).version


def test_the_model_an_administrator_chose_stays_active(other_bundle: str) -> None:
    bootstrap()
    activate_model(actor=Actor.command(), version=other_bundle)
    assert "active" not in bootstrap()
    assert active() == other_bundle


def test_a_model_that_is_no_longer_installed_is_replaced_on_a_laptop(
    settings: Settings, other_bundle: str
) -> None:
    bootstrap()
    activate_model(actor=Actor.command(), version=other_bundle)
    shutil.rmtree(settings.BUNDLES_DIR / other_bundle)
    default = inference.default_bundle().name
    assert f"Model {default} is active." in bootstrap()
    assert active() == default


def test_a_model_that_is_no_longer_installed_waits_for_an_administrator_in_production(
    settings: Settings, other_bundle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bootstrap()
    activate_model(actor=Actor.command(), version=other_bundle)
    shutil.rmtree(settings.BUNDLES_DIR / other_bundle)
    settings.PRODUCTION = True
    bootstrap()
    assert active() == other_bundle
    assert f"Model {other_bundle} is active but not installed" in capsys.readouterr().err


def test_generated_passwords_let_the_first_users_in_with_their_roles() -> None:
    passwords = shown(bootstrap())
    assert passwords.keys() == {"clinician", "admin"}
    for username, password in passwords.items():
        assert len(password) >= 12
        assert User.objects.get(username=username).check_password(password)
    clinician, admin = (User.objects.get(username=name) for name in ("clinician", "admin"))
    assert clinician.has_role(Role.CLINICIAN)
    assert not clinician.is_staff
    assert admin.has_role(Role.ADMINISTRATOR)
    assert admin.is_staff
    assert admin.is_superuser
    assert [group.name for group in clinician.departments] == ["Neuroradiology"]
    assert [group.name for group in admin.departments] == ["Neuroradiology"]


def test_passwords_from_the_environment_are_used_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_CLINICIAN_PASSWORD", CHOSEN)
    monkeypatch.setenv("PORTAL_ADMIN_PASSWORD", "short")
    output = bootstrap()
    assert User.objects.get(username="clinician").check_password(CHOSEN)
    assert User.objects.get(username="admin").check_password("short")
    assert CHOSEN not in output
    assert "short" not in output


def test_where_any_user_exists_none_is_created_and_nothing_is_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bootstrap()
    User.objects.filter(username="clinician").update(username="dr.house")
    monkeypatch.setenv("PORTAL_CLINICIAN_PASSWORD", CHOSEN)
    assert bootstrap() == ""
    assert set(User.objects.values_list("username", flat=True)) == {"dr.house", "admin"}


def test_production_creates_only_the_users_whose_passwords_are_given(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PRODUCTION = True
    assert shown(bootstrap()) == {}
    assert not User.objects.exists()
    monkeypatch.setenv("PORTAL_ADMIN_PASSWORD", CHOSEN)
    bootstrap()
    assert list(User.objects.values_list("username", flat=True)) == ["admin"]


def test_production_refuses_a_weak_password_by_the_name_of_its_variable(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PRODUCTION = True
    monkeypatch.setenv("PORTAL_ADMIN_PASSWORD", "short")
    with pytest.raises(CommandError, match=r"PORTAL_ADMIN_PASSWORD is refused: .*too short"):
        bootstrap()
    assert not User.objects.exists()


def test_a_portal_without_a_bundle_is_refused_with_a_sentence(settings: Settings, tmp_path: object) -> None:
    settings.BUNDLES_DIR = tmp_path
    with pytest.raises(CommandError, match="No released model bundle is installed"):
        bootstrap()


def test_first_users_sign_in_through_the_portals_own_backends(rf: object) -> None:
    password = shown(bootstrap())["clinician"]
    user = authenticate(request=rf.post("/"), username="clinician", password=password)  # type: ignore[attr-defined]
    assert user is not None
