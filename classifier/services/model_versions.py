"""Registering bundles and choosing the one that answers."""

from pathlib import Path

from django.db import transaction

from classifier import inference
from classifier.audit import Action, Actor, record
from classifier.errors import Conflict, NotAllowed, NotFound
from classifier.models import ModelVersion


@transaction.atomic
def register_model(*, actor: Actor, directory: Path) -> ModelVersion:
    """Verify the bundle in ``directory`` and make it known; registering it again changes nothing."""
    _check_may_administer(actor)
    facts = inference.verify_bundle(directory)
    model_version, created = ModelVersion.objects.get_or_create(
        version=facts.version, defaults={"sha256": facts.sha256, "card": facts.card}
    )
    if model_version.sha256 != facts.sha256:
        raise Conflict(
            "model_version_taken",
            f"Another bundle is registered as {facts.version}; a version never changes.",
        )
    if created:
        record(Action.MODEL_REGISTERED, actor=actor, about=model_version, sha256=facts.sha256)
    return model_version


@transaction.atomic
def activate_model(*, actor: Actor, version: str) -> ModelVersion:
    """Make ``version`` answer from the next claim on; workers switch with their next task."""
    _check_may_administer(actor)
    versions = {row.version: row for row in ModelVersion.objects.select_for_update().order_by("pk")}
    chosen = versions.get(version)
    if chosen is None:
        raise NotFound("model version")
    if chosen.is_active:
        return chosen
    inference.verify_bundle(inference.bundle_directory(version))
    before = next((row.version for row in versions.values() if row.is_active), "")
    ModelVersion.objects.filter(is_active=True).update(is_active=False)
    ModelVersion.objects.filter(pk=chosen.pk).update(is_active=True)
    record(Action.MODEL_ACTIVATED, actor=actor, about=chosen, version=version, before=before)
    chosen.is_active = True
    return chosen


def _check_may_administer(actor: Actor) -> None:
    if actor.via != "command" and not actor.require_user().may_administer:
        raise NotAllowed("Only administrators manage model versions.")
