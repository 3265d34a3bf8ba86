"""What happens at the portal's one door, for the audit trail."""

import unicodedata
from dataclasses import replace

from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils import timezone

from classifier.audit import Action, Actor, record


def note_sign_in(*, actor: Actor) -> None:
    record(Action.SIGNED_IN, actor=actor, about=actor.require_user())


def note_sign_out(*, actor: Actor) -> None:
    record(Action.SIGNED_OUT, actor=actor, about=actor.require_user())


def note_failed_sign_in(*, actor: Actor, name_tried: str) -> None:
    record(Action.SIGN_IN_FAILED, actor=_named(actor, name_tried))


def note_lock_out(*, actor: Actor, name_tried: str) -> None:
    record(Action.LOCKED_OUT, actor=_named(actor, name_tried))


def forget_ended_sessions() -> int:
    """Remove what nobody can use any more: a session holds what was last searched for, also a patient."""
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]


@transaction.atomic
def change_password(*, actor: Actor, password: str) -> None:
    """Set an already validated password; every other session of the user ends with it."""
    user = actor.require_user()
    user.set_password(password)
    user.save(update_fields=["password"])
    record(Action.PASSWORD_CHANGED, actor=actor, about=user)


def _named(actor: Actor, name_tried: str) -> Actor:
    """Nobody is signed in yet; the trail holds the name that was typed, without control letters."""
    printable = "".join(letter for letter in name_tried if unicodedata.category(letter)[0] != "C")
    return replace(actor, user=None, name=printable[:150])
