"""Bring the database to this version: migrations, the installed model, the first users."""

from typing import Any

from django.conf import settings
from django.core.management import CommandError, call_command

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.management.base import PortalCommand
from classifier.services import first_start
from classifier.services.people import check_password_strength
from mri_portal import environment as env


class Command(PortalCommand):
    help = "Migrate the database, register and activate the installed model, create the first users."

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        self._ensure_model(actor)
        self._create_first_users(actor)

    def _ensure_model(self, actor: Actor) -> None:
        """On a laptop a model that is gone is replaced; in production an administrator chooses."""
        activated = first_start.ensure_model(actor=actor, replace_missing=not settings.PRODUCTION)
        if activated:
            self.stdout.write(f"Model {activated.version} is active.")
        if missing := first_start.missing_model():
            self.stderr.write(
                f"Model {missing} is active but not installed: no scan is analysed until an administrator"
                " activates another in the admin site or with manage.py activate_model."
            )

    def _create_first_users(self, actor: Actor) -> None:
        chosen = _chosen_passwords()
        generated = {} if settings.PRODUCTION else _generated_passwords(chosen)
        created = first_start.create_first_users(actor=actor, passwords=chosen | generated)
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
        check_password_strength(password=password)
    except UserFacingError as error:
        raise CommandError(f"PORTAL_{username.upper()}_PASSWORD is refused: {error.detail}") from error


def _generated_passwords(chosen: dict[str, str]) -> dict[str, str]:
    return {name: first_start.new_password() for name in first_start.FIRST_USERS if name not in chosen}
