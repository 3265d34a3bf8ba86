"""Who may administer: an administrator, a superuser, or someone with a shell on the server."""

from django.utils.translation import gettext as _

from classifier.audit import Actor
from classifier.errors import NotAllowed


def check_may_administer(*, actor: Actor, what: str) -> None:
    if actor.via != "command" and not actor.require_user().may_administer:
        raise NotAllowed(_("Only administrators manage %(what)s.") % {"what": what})
