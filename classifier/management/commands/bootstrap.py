"""Bring the database to this version: migrations, the installed model, the first users."""

from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError, call_command
from django.db import OperationalError

from classifier.errors import UserFacingError
from classifier.services import first_start
from mri_portal import environment as env


class Command(BaseCommand):
    help = "Migrate the database, register and activate the installed model, create the first users."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            call_command("migrate", interactive=False, verbosity=0)
            self._model()
            self._users()
        except OperationalError as error:
            raise CommandError(
                f"The database does not answer: {str(error).strip().splitlines()[0]}"
            ) from error
        except UserFacingError as error:
            raise CommandError(error.detail) from error

    def _model(self) -> None:
        if version := first_start.ensure_model():
            self.stdout.write(f"Model {version} is active.")

    def _users(self) -> None:
        chosen = _chosen_passwords()
        generated = {} if settings.PRODUCTION else _generated_passwords(chosen)
        created = first_start.create_first_users(chosen | generated)
        for username in created:
            shown = f"password {generated[username]}" if username in generated else "password as set"
            self.stdout.write(f"First user {username}, {shown}")
        if generated.keys() & set(created):
            self.stdout.write("These passwords are shown this once; change them after signing in.")


def _chosen_passwords() -> dict[str, str]:
    """From the environment; production accepts no weak one."""
    variables = {
        "clinician": env.text("PORTAL_CLINICIAN_PASSWORD", ""),
        "admin": env.text("PORTAL_ADMIN_PASSWORD", ""),
    }
    chosen = {username: password for username, password in variables.items() if password}
    if settings.PRODUCTION:
        for username, password in chosen.items():
            _refuse_weak(username, password)
    return chosen


def _refuse_weak(username: str, password: str) -> None:
    try:
        validate_password(password)
    except ValidationError as error:
        name = f"PORTAL_{username.upper()}_PASSWORD"
        raise CommandError(f"{name} is refused: {' '.join(error.messages)}") from error


def _generated_passwords(chosen: dict[str, str]) -> dict[str, str]:
    return {name: first_start.new_password() for name in first_start.FIRST_USERS if name not in chosen}
