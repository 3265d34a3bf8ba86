"""How a person wants the pages to look and speak. Nothing here is in the audit trail: no fact hangs on it."""

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.utils.translation import gettext as _

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import User
from classifier.models.preferences import Theme

FLAGS = ("single_keys", "guide_hidden")


def keep_preferences(*, actor: Actor, **chosen: Any) -> None:
    """Keep some columns of `Preferences`; an empty one goes back to what everybody has."""
    user = actor.require_user()
    for name, value in chosen.items():
        if name not in FLAGS and value not in {"", *_known(name)}:
            raise UserFacingError("preference_unknown", _("That is not among what can be chosen."))
    User.objects.filter(pk=user.pk).update(**chosen)
    for name, value in chosen.items():
        setattr(user, name, value)


@cache
def time_zones() -> tuple[str, ...]:
    """The zones with a continent in their name, and UTC."""
    zones = sorted(name for name in available_timezones() if "/" in name and name[:4] != "Etc/")
    return (*zones, "UTC")


def _known(name: str) -> set[str]:
    known: dict[str, set[str]] = {
        "language": {code for code, _name in settings.LANGUAGES},
        "theme": set(Theme.values),
        "time_zone": set(time_zones()),
    }
    return known[name]
