from typing import Any

from django.core.management import CommandParser

from classifier.audit import Actor
from classifier.management.base import PortalCommand
from classifier.services import model_versions


class Command(PortalCommand):
    help = "Let a registered model version answer from the next analysis on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", metavar="VERSION")

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        model_version = model_versions.activate_model(actor=actor, version=options["version"])
        self.stdout.write(f"Model {model_version.version} is active.")
