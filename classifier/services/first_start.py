"""What a portal needs before its first scan: an active model and someone who may sign in."""

import secrets
from collections.abc import Mapping

from django.db import transaction

from classifier import inference
from classifier.audit import Actor
from classifier.models import ModelVersion, Role, User
from classifier.services.model_versions import activate_model, register_model
from classifier.services.people import create_user

DEPARTMENT = "Neuroradiology"
FIRST_USERS = {"clinician": Role.CLINICIAN, "admin": Role.ADMINISTRATOR}


def ensure_model(*, actor: Actor, replace_missing: bool) -> ModelVersion | None:
    """Register what is installed; activate the default where none is active. What was activated, if any.

    ``replace_missing`` also where the active version is no longer installed, so that no scan waits for it.
    """
    installed = inference.bundled_versions()
    for directory in installed:
        register_model(actor=actor, directory=directory)
    active = ModelVersion.objects.filter(is_active=True).first()
    if active and (not replace_missing or active.version in {directory.name for directory in installed}):
        return None
    return activate_model(actor=actor, version=inference.default_bundle().name)


def missing_model() -> str:
    """The active version where its bundle is not installed: workers wait for an administrator's choice."""
    active = ModelVersion.objects.filter(is_active=True).first()
    installed = {directory.name for directory in inference.bundled_versions()}
    return active.version if active and active.version not in installed else ""


@transaction.atomic
def create_first_users(*, actor: Actor, passwords: Mapping[str, str]) -> list[str]:
    """On a portal without any user, those of `FIRST_USERS` named in ``passwords``; who was created."""
    if User.objects.exists():
        return []
    for username, password in passwords.items():
        role = FIRST_USERS[username]
        create_user(
            actor=actor,
            username=username,
            password=password,
            roles=[role],
            departments=[DEPARTMENT],
            is_superuser=role == Role.ADMINISTRATOR,
        )
    return list(passwords)


def new_password() -> str:
    return secrets.token_urlsafe(12)
