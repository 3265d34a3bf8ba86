from typing import Any

from django.core.management import CommandParser

from classifier.audit import Actor
from classifier.management.base import PortalCommand
from classifier.services import tokens


class Command(PortalCommand):
    help = "End an API token now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("token", metavar="TOKEN", help="the token's id or prefix")

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        token = tokens.find_token(handle=options["token"])
        tokens.revoke_token(actor=actor, token=token)
        self.stdout.write(f"{token} of {token.user} is revoked.")
