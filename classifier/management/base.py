"""Commands that act on the portal: expected errors are one sentence, never a traceback."""

from abc import ABC, abstractmethod
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import User


class PortalCommand(ABC, BaseCommand):
    """Subclasses write `act`. Only results go to stdout, so that a script can read them."""

    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.act(Actor.command(), options)
        except UserFacingError as error:
            raise CommandError(error.detail) from error
        except (OperationalError, ProgrammingError) as error:
            # Away, refusing the password, or not migrated: its first line says which.
            raise CommandError(f"The database cannot be used: {str(error).splitlines()[0]}") from error

    @abstractmethod
    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        """Do it, as ``actor``."""


def user_named(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user {username}.")
    return user
