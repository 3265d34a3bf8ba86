"""API tokens: issued once in the clear, kept as a hash, scoped, expiring, revocable."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from django.core.cache import cache
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.audit import Action, Actor, record
from classifier.errors import Conflict, NotFound, UserFacingError
from classifier.models import ApiToken, User
from classifier.models.tokens import Scope, hash_secret
from classifier.services.people import check_may_manage

PREFIX = "mri_"
PREFIX_LENGTH = 12
DEFAULT_DAYS = 90
MAX_DAYS = 366
LAST_USE_RESOLUTION = timedelta(minutes=1)
REFUSAL_RESOLUTION_S = 60


@transaction.atomic
def issue_token(
    *, actor: Actor, user: User, name: str, scopes: Sequence[str], days: int = DEFAULT_DAYS
) -> tuple[ApiToken, str]:
    """A new token of ``user`` and its secret, which nobody can show again."""
    _check_may_issue(actor, user)
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=_clean_name(name),
        prefix=secret[:PREFIX_LENGTH],
        secret_sha256=hash_secret(secret),
        scopes=_clean_scopes(scopes),
        expires_at=timezone.now() + timedelta(days=_clean_days(days)),
    )
    record(Action.TOKEN_ISSUED, actor=actor, about=token, owner=user.pk, scopes=token.scopes)
    return token, secret


@transaction.atomic
def revoke_token(*, actor: Actor, token: ApiToken) -> None:
    """End the token now; revoking it again changes nothing."""
    if token.user != actor.user:
        check_may_manage(actor=actor, user=token.user)
    if ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=timezone.now()):
        record(Action.TOKEN_REVOKED, actor=actor, about=token, owner=token.user_id)


def find_token(*, handle: str) -> ApiToken:
    """The token of that id or of that prefix, as lists show them."""
    by_handle = Q(pk=int(handle)) if handle.isdecimal() else Q(prefix=handle[:PREFIX_LENGTH])
    found = list(ApiToken.objects.select_related("user").filter(by_handle)[:2])
    if not found:
        raise NotFound("token")
    if len(found) > 1:
        raise Conflict("token_ambiguous", _("Several tokens begin like that; name one by its id."))
    return found[0]


def authenticate_token(*, secret: str) -> ApiToken | None:
    """The usable token of that secret; its last use is noted once a minute."""
    token = ApiToken.objects.usable().select_related("user").filter(secret_sha256=hash_secret(secret)).first()
    if token is None:
        return None
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > LAST_USE_RESOLUTION:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def record_refused_token(*, actor: Actor, secret: str) -> None:
    """A token that does not work was used: one event a minute for each address and known token.

    A program that keeps trying must not be able to fill the audit trail.
    """
    token = ApiToken.objects.filter(secret_sha256=hash_secret(secret)).first()
    if cache.add(f"refused-token:{actor.address}:{token and token.pk}", True, REFUSAL_RESOLUTION_S):
        record(Action.SIGN_IN_FAILED, actor=actor, about=token, reason="token")


def _check_may_issue(actor: Actor, owner: User) -> None:
    if owner != actor.user:
        check_may_manage(actor=actor, user=owner)
    if not owner.is_active:
        raise UserFacingError("user_inactive", _("The account is deactivated; its tokens would not work."))


def _clean_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > 100 or not name.isprintable():
        raise UserFacingError("token_name_invalid", _("A token needs a name of at most 100 characters."))
    return name


def _clean_scopes(scopes: Sequence[str]) -> list[str]:
    unknown = sorted(set(scopes) - set(Scope.values))
    if unknown or not scopes:
        raise UserFacingError(
            "token_scopes_invalid",
            _("Scopes are %(scopes)s; name at least one.") % {"scopes": ", ".join(Scope.values)},
        )
    return sorted(set(scopes))


def _clean_days(days: int) -> int:
    if not 1 <= days <= MAX_DAYS:
        raise UserFacingError(
            "token_days_invalid", _("A token lasts from 1 to %(days)d days.") % {"days": MAX_DAYS}
        )
    return days
