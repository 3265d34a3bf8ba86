from typing import Any

from classifier.audit import Actor
from classifier.management.base import PortalCommand
from classifier.models import ModelVersion
from classifier.services import model_versions


class Command(PortalCommand):
    help = "List the model versions: version, active, registered or installed, SHA-256."

    def act(self, actor: Actor, options: dict[str, Any]) -> None:
        for row in ModelVersion.objects.order_by("registered_at"):
            state = "active" if row.is_active else "registered"
            self.stdout.write(f"{row.version}\t{state}\t{row.sha256}")
        for bundle in model_versions.installed_bundles():
            if not bundle.is_registered:
                self.stdout.write(f"{bundle.version}\tinstalled\t")
