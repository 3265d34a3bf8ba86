"""Files taken into a case as a program sends them, without a request."""

from collections.abc import Sequence
from typing import Any

from classifier.audit import Actor
from classifier.models import Case
from classifier.services.intake import Destination, receive_scans
from classifier.services.scans import Upload


def upload_scans(*, actor: Actor, case: Case, files: Sequence[Any]) -> list[Upload]:
    """All of ``files`` as scans of ``case``, or none."""
    return receive_scans(actor=actor, files=files, destination=Destination(case_id=case.pk))
