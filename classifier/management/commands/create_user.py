"""`manage.py create_user NAME --role R --department D` prints the password it made, and nothing else."""

import sys
from pathlib import Path
from typing import Any

from django.core.management import CommandError, CommandParser

from classifier.audit import Actor
from classifier.management.base import PortalCommand
from classifier.models import Role
from classifier.services import people
from classifier.services.first_start import new_password


class Command(PortalCommand):
    help = "Create a user. Without --password-file a password is made and printed this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", metavar="USER")
        parser.add_argument("--role", action="append", default=[], choices=Role.values)
        parser.add_argument("--department", action="append", default=[], metavar="NAME")
        parser.add_argument("--superuser", action="store_true", help="may manage administrators")
        parser.add_argument("--password-file", metavar="FILE", help="- is standard input")

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        password = _read(options["password_file"]) if options["password_file"] else ""
        if password:
            people.check_password_strength(password=password)
        made = password or new_password()
        people.create_user(
            actor=actor,
            username=options["user"],
            password=made,
            roles=options["role"],
            departments=options["department"],
            is_superuser=options["superuser"],
        )
        if not password:
            self.stdout.write(made)


def _read(filename: str) -> str:
    try:
        text = sys.stdin.read() if filename == "-" else Path(filename).read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{filename} cannot be read: {error.strerror}.") from error
    if not text.strip():
        raise CommandError(f"{filename} holds no password.")
    return text.strip()
