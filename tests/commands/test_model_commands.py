"""The commands about model versions."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from classifier.models import AuditEvent, ModelVersion
from tests.bundles import make_bundle


@pytest.fixture
def folder(db: None, settings: Settings, tmp_path: Path) -> Path:
    settings.BUNDLES_DIR = tmp_path / "bundles"
    return settings.BUNDLES_DIR


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_a_bundle_is_registered_activated_and_listed(folder: Path) -> None:
    one, two = make_bundle(folder, "one"), make_bundle(folder, "two")
    make_bundle(folder, "waiting")
    assert said("register_model", str(one)) == "Model one is registered.\n"
    said("register_model", str(two))
    assert said("activate_model", "two") == "Model two is active.\n"
    listed = [line.split("\t")[:2] for line in said("list_models").splitlines()]
    assert listed == [["one", "registered"], ["two", "active"], ["waiting", "installed"]]
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.via, event.detail["version"]) == ("model_activated", "command", "two")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("activate_model", "nowhere"), "There is no such model version."),
        (("register_model", "nowhere"), "There is no model bundle at nowhere."),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(
    arguments: tuple[str, ...], sentence: str, folder: Path
) -> None:
    with pytest.raises(CommandError) as refused:
        said(*arguments)
    assert str(refused.value) == sentence
    assert not ModelVersion.objects.exists()
