"""One way to write the audit trail. Callers write it in the transaction of the act itself."""

from __future__ import annotations

import os
import pwd
import uuid
from dataclasses import dataclass
from typing import Any

from classifier.models import Adjudication, Analysis, AuditEvent, Case, Report, Review, Scan, ScanFile, User

Action = AuditEvent.Action


@dataclass(frozen=True)
class Actor:
    """Who acts, from where and through which door; ``user`` is None for the system itself."""

    user: User | None
    via: str
    address: str | None = None
    name: str = ""

    @classmethod
    def command(cls, user: User | None = None) -> Actor:
        """Someone with a shell on the server: named after their account there."""
        return cls(user=user, via="command", name=_server_account())

    @classmethod
    def worker(cls) -> Actor:
        return cls(user=None, via="worker")

    @property
    def label(self) -> str:
        return self.user.get_username() if self.user else self.name

    def require_user(self) -> User:
        if self.user is None:
            raise TypeError("This act needs a user.")
        return self.user


def record(action: Action, *, actor: Actor, about: object = None, **detail: Any) -> AuditEvent:
    """Write one event. ``detail`` is JSON-ready and holds no identifying text and no secret."""
    return AuditEvent.objects.create(
        actor=actor.user,
        actor_name=actor.label[:150],
        action=action,
        # Not type(): the user of a request is lazy and only says that it is one.
        object_type=about.__class__.__name__.lower() if about is not None else "",
        object_id=str(getattr(about, "pk", "")) if about is not None else "",
        case_id=case_id_of(about),
        address=actor.address,
        via=actor.via,
        detail=detail,
    )


def _server_account() -> str:
    """As the system knows it; LOGNAME and USER are whatever their owner has set them to."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user often has a number and no name
        return f"uid {os.getuid()}"


def case_id_of(about: object) -> uuid.UUID | None:
    """The case that a row is or belongs to, if any."""
    match about:
        case Case():
            return about.pk
        case Scan() | Report():
            return about.case_id
        case ScanFile() | Analysis():
            return about.scan.case_id
        case Review() | Adjudication():
            return about.analysis.scan.case_id
    return None
