"""Registering bundles and choosing the one that answers."""

from dataclasses import dataclass
from pathlib import Path

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from classifier import inference
from classifier.audit import Action, Actor, record
from classifier.errors import Conflict, NotFound, UserFacingError
from classifier.models import ModelVersion
from classifier.services.administrators import check_may_administer


@dataclass(frozen=True)
class InstalledBundle:
    """A folder under PORTAL_BUNDLES_DIR, not yet verified."""

    version: str
    directory: Path
    is_registered: bool


def installed_bundles() -> list[InstalledBundle]:
    registered = set(ModelVersion.objects.values_list("version", flat=True))
    return [
        InstalledBundle(directory.name, directory, directory.name in registered)
        for directory in inference.bundled_versions()
    ]


def registered_versions() -> QuerySet[ModelVersion]:
    """Every version that an analysis can be asked of, without the cards: the active one first."""
    return ModelVersion.objects.defer("card").order_by("-is_active", "-registered_at", "-pk")


def find_version(version: str) -> ModelVersion:
    """Compared here: PostgreSQL cannot be asked for every text, such as one with a NUL in it."""
    for row in registered_versions():
        if row.version == version:
            return row
    detail = _("No model of this version is registered.")
    raise UserFacingError("model_version_unknown", detail, status=422)


@transaction.atomic
def register_model(*, actor: Actor, directory: Path) -> ModelVersion:
    """Verify the bundle in ``directory`` and make it known; registering it again changes nothing."""
    check_may_administer(actor=actor, what=_("model versions"))
    facts = inference.verify_bundle(directory)
    if directory.resolve() != inference.bundle_directory(facts.version).resolve():
        raise UserFacingError(
            "bundle_elsewhere",
            _("Put the bundle's folder into PORTAL_BUNDLES_DIR, where workers look for it."),
        )
    model_version, created = ModelVersion.objects.get_or_create(
        version=facts.version, defaults={"sha256": facts.sha256, "card": facts.card}
    )
    if model_version.sha256 != facts.sha256:
        raise Conflict(
            "model_version_taken",
            _("Another bundle is registered as %(version)s; a version never changes.")
            % {"version": facts.version},
        )
    if created:
        record(Action.MODEL_REGISTERED, actor=actor, about=model_version, sha256=facts.sha256)
    return model_version


@transaction.atomic
def activate_model(*, actor: Actor, version: str) -> ModelVersion:
    """Make ``version`` answer from the next claim on; workers switch with their next task."""
    check_may_administer(actor=actor, what=_("model versions"))
    versions = {row.version: row for row in ModelVersion.objects.select_for_update().order_by("pk")}
    chosen = versions.get(version)
    if chosen is None:
        raise NotFound("model version")
    if chosen.is_active:
        return chosen
    _check_unaltered(chosen)
    before = next((row.version for row in versions.values() if row.is_active), "")
    ModelVersion.objects.filter(is_active=True).update(is_active=False)
    ModelVersion.objects.filter(pk=chosen.pk).update(is_active=True)
    record(Action.MODEL_ACTIVATED, actor=actor, about=chosen, version=version, before=before)
    chosen.is_active = True
    return chosen


def _check_unaltered(model_version: ModelVersion) -> None:
    facts = inference.verify_bundle(inference.bundle_directory(model_version.version))
    if facts.sha256 != model_version.sha256:
        raise Conflict(
            "bundle_altered",
            _("Bundle %(version)s is not the one that was registered.") % {"version": facts.version},
        )
