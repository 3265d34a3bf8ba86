"""Registering and activating model versions in the admin site."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from classifier.audit import Actor
from classifier.models import AuditEvent, ModelVersion, User
from classifier.services.model_versions import activate_model, register_model
from tests.bundles import make_bundle

REGISTER = reverse("admin:classifier_modelversion_register")


def activation(version: ModelVersion) -> str:
    return reverse("admin:classifier_modelversion_activate", args=[version.pk])


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.BUNDLES_DIR = tmp_path / "bundles"
    return settings.BUNDLES_DIR


@pytest.fixture
def old(db: None, folder: Path) -> ModelVersion:
    register_model(actor=Actor.command(), directory=make_bundle(folder, "old-1"))
    return activate_model(actor=Actor.command(), version="old-1")


@pytest.fixture
def new(db: None, folder: Path) -> ModelVersion:
    return register_model(actor=Actor.command(), directory=make_bundle(folder, "new-2"))


def test_asking_to_activate_changes_nothing_yet(
    old: ModelVersion, new: ModelVersion, ada: User, browser: Callable[[User], Client]
) -> None:
    page = browser(ada).get(activation(new))
    assert page.status_code == 200 and b"Model old-1 answers now" in page.content
    assert ModelVersion.objects.get(is_active=True) == old


def test_an_administrator_activates_a_model_and_the_audit_says_who(
    old: ModelVersion, new: ModelVersion, ada: User, browser: Callable[[User], Client]
) -> None:
    answer = browser(ada).post(activation(new), follow=True, REMOTE_ADDR="10.0.0.9")
    assert b"Model new-2 answers from now on." in answer.content
    assert ModelVersion.objects.get(is_active=True) == new
    event = AuditEvent.objects.filter(action="model_activated").latest("pk")
    assert (event.actor, event.via, event.address) == (ada, "admin", "10.0.0.9")
    assert event.detail == {"version": "new-2", "before": "old-1"}


def test_activation_without_a_csrf_token_is_refused(old: ModelVersion, new: ModelVersion, ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    assert client.post(activation(new)).status_code == 403
    assert ModelVersion.objects.get(is_active=True) == old


@pytest.mark.parametrize("who", ["otto", "alice"])
def test_nobody_else_activates_or_registers(
    who: str,
    old: ModelVersion,
    new: ModelVersion,
    folder: Path,
    request: pytest.FixtureRequest,
    browser: Callable[[User], Client],
) -> None:
    make_bundle(folder, "third-3")
    client = browser(request.getfixturevalue(who))
    for url in (activation(new), REGISTER):
        assert client.get(url).status_code == 403
        assert client.post(url).status_code == 403
    assert ModelVersion.objects.get(is_active=True) == old
    assert not ModelVersion.objects.filter(version="third-3").exists()


def test_an_auditor_sees_the_versions_without_the_acts(
    old: ModelVersion, new: ModelVersion, otto: User, browser: Callable[[User], Client]
) -> None:
    listing = reverse("admin:classifier_modelversion_changelist")
    assert REGISTER not in browser(otto).get(listing).content.decode()
    row = reverse("admin:classifier_modelversion_change", args=[new.pk])
    assert activation(new) not in browser(otto).get(row).content.decode()


def test_an_altered_bundle_is_not_activated_and_the_reason_is_shown(
    old: ModelVersion, new: ModelVersion, folder: Path, ada: User, browser: Callable[[User], Client]
) -> None:
    (folder / "new-2" / "model.tflite").write_bytes(b"something else")
    answer = browser(ada).post(activation(new))
    assert answer.status_code == 400
    assert b"model.tflite is not what the bundle&#x27;s checksums say." in answer.content
    assert ModelVersion.objects.get(is_active=True) == old


def test_bundles_found_in_the_folder_are_registered_but_not_activated(
    old: ModelVersion, folder: Path, ada: User, browser: Callable[[User], Client]
) -> None:
    make_bundle(folder, "found-3")
    assert b"found-3" in browser(ada).get(REGISTER).content
    browser(ada).post(REGISTER)
    found = ModelVersion.objects.get(version="found-3")
    assert not found.is_active
    event = AuditEvent.objects.filter(action="model_registered").latest("pk")
    assert (event.actor, event.object_id) == (ada, str(found.pk))
