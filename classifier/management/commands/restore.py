from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError, CommandParser

from classifier.audit import Actor
from classifier.management.base import PortalCommand
from classifier.services.backups import restore_backup
from mri_portal import supervisor


class Command(PortalCommand):
    help = "Bring back a backup; the portal must be stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="remove what this portal holds now")

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        try:
            with supervisor.only_one(settings.DATA_DIR):
                path = options["file"].absolute()
                files = restore_backup(actor=actor, path=path, replace=options["replace"])
        except supervisor.Refusal as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Restored the database and {files} files.")
