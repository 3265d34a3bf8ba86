from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from classifier.errors import UserFacingError
from classifier.services.backups import restore_backup
from mri_portal import supervisor


class Command(BaseCommand):
    help = "Bring back a backup; the portal must be stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="remove what this portal holds now")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with supervisor.only_one(settings.DATA_DIR):
                files = restore_backup(path=options["file"].absolute(), replace=options["replace"])
        except (UserFacingError, supervisor.Refusal) as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError("The database does not answer.") from error
        self.stdout.write(f"Restored the database and {files} files.")
