from pathlib import Path
from typing import Any

from django.core.management import CommandParser

from classifier.audit import Actor
from classifier.management.base import PortalCommand
from classifier.services import model_versions


class Command(PortalCommand):
    help = "Verify a model bundle and make it known; activate_model chooses the one that answers."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", metavar="DIR", type=Path, help="the bundle, under PORTAL_BUNDLES_DIR")

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        model_version = model_versions.register_model(actor=actor, directory=options["folder"])
        self.stdout.write(f"Model {model_version.version} is registered.")
