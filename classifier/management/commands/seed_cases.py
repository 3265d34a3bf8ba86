"""`manage.py seed_cases`: a great many made-up cases, to measure the worklist with."""

from typing import Any

from django.core.management import CommandError, CommandParser
from django.db import connection

from classifier.audit import Actor
from classifier.management.base import PortalCommand, user_named
from classifier.management.seeding import Seeder
from classifier.models import Case, ModelVersion
from classifier.services.departments import groups_named


class Command(PortalCommand):
    help = "Fill an empty database with made-up cases that have no images."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--cases", type=int, default=1_000_000)
        parser.add_argument(
            "--user", default="clinician", help="who opens them; the user's departments get them"
        )
        parser.add_argument("--departments", type=int, default=4, help="further ones that get some")
        parser.add_argument("--force", action="store_true", help="among other cases, for ever")

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        if Case.objects.exists() and not options["force"]:
            raise CommandError(
                "This database holds cases; made-up ones among them could never be removed. See --force."
            )
        for written in _seeder(actor, options).seed(options["cases"]):
            self.stdout.write(f"{written} cases")
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def _seeder(actor: Actor, options: dict[str, Any]) -> Seeder:
    user = user_named(options["user"])
    model_version = ModelVersion.objects.filter(is_active=True).first()
    if model_version is None:
        raise CommandError("No model version is active; run manage.py bootstrap first.")
    others = [f"Department {number}" for number in range(1, options["departments"] + 1)]
    groups = groups_named(actor=actor, roles=[], departments=others)
    return Seeder([*user.departments, *groups], user, model_version)
