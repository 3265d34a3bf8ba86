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


def ensure_model(*, actor: Actor) -> str | None:
    """Register what is installed and activate the default if none is active; the version then activated."""
    for directory in inference.bundled_versions():
        register_model(actor=actor, directory=directory)
    if ModelVersion.objects.filter(is_active=True).exists():
        return None
    return activate_model(actor=actor, version=inference.default_bundle().name).version


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
