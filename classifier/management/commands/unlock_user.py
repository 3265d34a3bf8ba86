from typing import Any

from django.core.management import CommandParser

from classifier.audit import Actor
from classifier.management.base import PortalCommand, user_named
from classifier.services import people


class Command(PortalCommand):
    help = "Let a user who is locked out after failed sign-ins try again now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER")

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        unlocked = people.unlock_user(actor=actor, user=user_named(options["user"]))
        self.stdout.write("Unlocked." if unlocked else "There was no lock.")
