import json
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from pytest_django.fixtures import Settings

from classifier.audit import Actor
from classifier.errors import NotAllowed, UserFacingError
from classifier.models import AuditEvent, ModelVersion
from classifier.services.model_versions import activate_model, installed_bundles, register_model
from ml import bundle
from tests.bundles import make_bundle


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.BUNDLES_DIR = tmp_path / "bundles"
    return settings.BUNDLES_DIR


def refused_code(attempt: object) -> str:
    with pytest.raises(UserFacingError) as refused:
        attempt()  # type: ignore[operator]
    return refused.value.code


def test_a_bundle_is_registered_once_with_its_card_and_not_yet_active(as_ada: Actor, folder: Path) -> None:
    directory = make_bundle(folder, "new-1")
    first = register_model(actor=as_ada, directory=directory)
    assert register_model(actor=as_ada, directory=directory) == first
    assert (first.version, first.is_active) == ("new-1", False)
    assert first.card["version"] == "new-1"
    event = AuditEvent.objects.get()
    assert (event.action, event.detail) == ("model_registered", {"sha256": first.sha256})


def test_a_version_never_becomes_another_bundle(as_ada: Actor, folder: Path) -> None:
    directory = make_bundle(folder, "new-1")
    register_model(actor=as_ada, directory=directory)
    (directory / bundle.NETWORK).write_bytes(b"retrained")
    bundle.seal(directory)
    assert refused_code(lambda: register_model(actor=as_ada, directory=directory)) == "model_version_taken"
    assert refused_code(lambda: activate_model(actor=as_ada, version="new-1")) == "bundle_altered"


def test_a_bundle_that_workers_would_not_find_is_not_registered(
    as_ada: Actor, folder: Path, tmp_path: Path
) -> None:
    directory = make_bundle(tmp_path / "elsewhere", "new-1")
    assert refused_code(lambda: register_model(actor=as_ada, directory=directory)) == "bundle_elsewhere"
    assert not ModelVersion.objects.exists()


def test_activation_takes_the_place_of_the_active_version(as_ada: Actor, folder: Path) -> None:
    for version in ("one", "two"):
        register_model(actor=as_ada, directory=make_bundle(folder, version))
        activate_model(actor=as_ada, version=version)
    activate_model(actor=as_ada, version="two")
    assert ModelVersion.objects.get(is_active=True).version == "two"
    events = AuditEvent.objects.filter(action="model_activated").order_by("pk")
    assert [event.detail for event in events] == [
        {"version": "one", "before": ""},
        {"version": "two", "before": "one"},
    ]


def test_a_version_nobody_registered_is_not_activated(as_ada: Actor, folder: Path) -> None:
    make_bundle(folder, "unknown")
    assert refused_code(lambda: activate_model(actor=as_ada, version="unknown")) == "not_found"


def test_a_bundle_that_is_gone_or_made_for_another_portal_is_refused(as_ada: Actor, folder: Path) -> None:
    directory = make_bundle(folder, "new-1")
    card = json.loads((directory / bundle.CARD).read_text()) | {"preprocessing": "of another day"}
    (directory / bundle.CARD).write_text(json.dumps(card))
    bundle.seal(directory)
    assert refused_code(lambda: register_model(actor=as_ada, directory=directory)) == "bundle_incompatible"
    assert refused_code(lambda: register_model(actor=as_ada, directory=folder / "x")) == "bundle_missing"


def test_the_database_holds_at_most_one_active_version(as_ada: Actor, folder: Path) -> None:
    for version in ("one", "two"):
        register_model(actor=as_ada, directory=make_bundle(folder, version))
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.update(is_active=True)


@pytest.mark.parametrize("who", ["as_alice", "as_otto"])
def test_only_administrators_manage_models(who: str, folder: Path, request: pytest.FixtureRequest) -> None:
    actor = request.getfixturevalue(who)
    directory = make_bundle(folder, "new-1")
    with pytest.raises(NotAllowed):
        register_model(actor=actor, directory=directory)
    with pytest.raises(NotAllowed):
        activate_model(actor=actor, version="new-1")


def test_installed_bundles_are_listed_with_what_is_known_of_them(as_ada: Actor, folder: Path) -> None:
    register_model(actor=as_ada, directory=make_bundle(folder, "known"))
    make_bundle(folder, "new")
    assert [(found.version, found.is_registered) for found in installed_bundles()] == [
        ("known", True),
        ("new", False),
    ]
