from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.services.backups import write_backup


class Command(BaseCommand):
    help = "Write database and scan files into one tar file, while the portal runs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = write_backup(actor=Actor.command(), path=options["file"].absolute())
        except UserFacingError as error:
            raise CommandError(error.detail) from error
        except OperationalError as error:
            raise CommandError("The database does not answer.") from error
        self.stdout.write(f"{options['file']}: the database and {report.files} files.")
        if report.damaged:
            raise CommandError(
                f"The backup is written, but {len(report.damaged)} stored files are missing or altered;"
                f" the first is {report.damaged[0]}."
            )
