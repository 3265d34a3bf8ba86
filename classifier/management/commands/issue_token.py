"""`manage.py issue_token USER --name N --scopes a,b [--days N]` prints the secret, and nothing else."""

from typing import Any

from django.core.management import CommandParser

from classifier.audit import Actor
from classifier.management.base import PortalCommand, user_named
from classifier.models.tokens import Scope
from classifier.services import tokens


class Command(PortalCommand):
    help = "Issue an API token of USER; its secret is printed this once and never again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER")
        parser.add_argument("--name", required=True, help="what the token is for")
        parser.add_argument("--scopes", required=True, help=f"some of {','.join(Scope.values)}")
        parser.add_argument("--days", type=int, default=tokens.DEFAULT_DAYS, help="how long it lasts")

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        _, secret = tokens.issue_token(
            actor=actor,
            user=user_named(options["user"]),
            name=options["name"],
            scopes=[scope.strip() for scope in options["scopes"].split(",")],
            days=options["days"],
        )
        self.stdout.write(secret)
