"""`manage.py backup FILE.tar`; exit status 1 also where it is written but stored files are damaged."""

from pathlib import Path
from typing import Any

from django.core.management import CommandError, CommandParser

from classifier.audit import Actor
from classifier.management.base import PortalCommand
from classifier.services.backups import write_backup


class Command(PortalCommand):
    help = "Write database and scan files into one tar file, while the portal runs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        report = write_backup(actor=actor, path=options["file"].absolute())
        self.stdout.write(f"{options['file']}: the database and {report.files} files.")
        if report.damaged:
            raise CommandError(
                f"The backup is written, but {len(report.damaged)} stored files are missing or altered;"
                f" the first is {report.damaged[0]}."
            )
