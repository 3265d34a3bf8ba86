"""Who stands behind an HTTP request: the one place that turns a request into an `Actor`."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

from classifier.audit import Actor
from classifier.models import User


def actor_of(request: HttpRequest, *, via: str) -> Actor:
    """``via`` names the door: page, api or admin."""
    user = request.user if isinstance(request.user, User) else None
    return Actor(user=user, via=via, address=client_address(request))


def client_address(request: HttpRequest) -> str | None:
    """The peer, or what our own proxy says of it: the last entry, which the client cannot forge."""
    text = request.META.get("REMOTE_ADDR", "")
    if settings.BEHIND_PROXY:
        text = request.META.get("HTTP_X_FORWARDED_FOR", text).rsplit(",", 1)[-1].strip()
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
