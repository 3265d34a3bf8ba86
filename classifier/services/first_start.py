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


def ensure_model() -> str | None:
    """Register what is installed and activate the default if none is active; the version then activated."""
    actor = Actor.command()
    for directory in inference.bundled_versions():
        register_model(actor=actor, directory=directory)
    if ModelVersion.objects.filter(is_active=True).exists():
        return None
    return activate_model(actor=actor, version=inference.default_bundle().name).version


@transaction.atomic
def create_first_users(passwords: Mapping[str, str]) -> list[str]:
    """On a portal without any user, those of `FIRST_USERS` named in ``passwords``; who was created."""
    if User.objects.exists():
        return []
    for username, password in passwords.items():
        user = create_user(
            actor=Actor.command(),
            username=username,
            password=password,
            roles=[FIRST_USERS[username]],
            departments=[DEPARTMENT],
        )
        if FIRST_USERS[username] == Role.ADMINISTRATOR:
            User.objects.filter(pk=user.pk).update(is_superuser=True)
    return list(passwords)


def new_password() -> str:
    return secrets.token_urlsafe(12)
