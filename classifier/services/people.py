"""Users, their roles and departments, and who may change whom.

An administrator manages everyone but superusers, makes nobody a superuser, and cannot lock themselves out.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import axes.utils
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from classifier.audit import Action, Actor, record
from classifier.errors import Conflict, NotAllowed, UserFacingError
from classifier.models import Role, User
from classifier.services.administrators import check_may_administer
from classifier.services.departments import groups_named, lock_names

DETAILS = frozenset({"username", "first_name", "last_name", "email", "is_active"})
ADMIN_SITE_ROLES = frozenset({Role.ADMINISTRATOR, Role.AUDITOR})


@transaction.atomic
def create_user(
    *,
    actor: Actor,
    username: str,
    password: str,
    roles: Iterable[str],
    departments: Iterable[str],
    is_superuser: bool = False,
    **details: Any,
) -> User:
    """A new account. ``details`` are first_name, last_name and email.

    A weak password is for the caller to refuse: an embedded portal takes what its owner chose.
    """
    check_may_administer(actor=actor, what=_("users"))
    _check_may_grant_superuser(actor, is_superuser)
    roles, departments = _known_roles(roles), sorted(set(departments))
    lock_names()
    user = User(username=username, is_superuser=is_superuser, **_known_details(details))
    user.is_staff = _enters_admin_site(roles, is_superuser)
    user.set_password(password)
    _clean(user)
    user.save()
    user.groups.set(groups_named(actor=actor, roles=roles, departments=departments))
    record(
        Action.USER_CREATED,
        actor=actor,
        about=user,
        username=user.username,
        roles=roles,
        departments=departments,
        superuser=is_superuser,
    )
    return user


@transaction.atomic
def change_user(*, actor: Actor, user: User, **details: Any) -> User:
    """Change any of `DETAILS`; what is as it was is no change. Accounts are deactivated, never deleted."""
    current = _locked(actor, user)
    before = current.username
    changed = sorted(
        name for name, value in _known_details(details).items() if getattr(current, name) != value
    )
    if not changed:
        return current
    for name in changed:
        setattr(current, name, details[name])
    if not current.is_active and current == actor.user:
        raise NotAllowed(_("You cannot deactivate your own account."))
    _clean(current)
    current.save(update_fields=changed)
    record(
        Action.USER_CHANGED,
        actor=actor,
        about=current,
        fields=changed,
        username_before=before,
        active=current.is_active,
    )
    return current


@transaction.atomic
def change_access(
    *,
    actor: Actor,
    user: User,
    roles: Iterable[str],
    departments: Iterable[str],
    is_superuser: bool | None = None,
) -> User:
    """Give ``user`` exactly these roles and departments; None leaves the superuser status as it is."""
    current = _locked(actor, user)
    superuser = current.is_superuser if is_superuser is None else is_superuser
    _check_may_grant_superuser(actor, superuser and not current.is_superuser)
    roles = _known_roles(roles)
    before = set(current.group_names)
    after = {*roles, *departments}
    if before == after and superuser == current.is_superuser:
        return current
    if current == actor.user and not (superuser or Role.ADMINISTRATOR in roles):
        raise NotAllowed(_("You cannot take your own right to administer."))
    current.groups.set(groups_named(actor=actor, roles=roles, departments=after - set(roles)))
    current.is_superuser, current.is_staff = superuser, _enters_admin_site(roles, superuser)
    current.save(update_fields=["is_superuser", "is_staff"])
    record(
        Action.PERMISSIONS_CHANGED,
        actor=actor,
        about=current,
        added=sorted(after - before),
        removed=sorted(before - after),
        superuser=superuser,
    )
    return User.objects.get(pk=current.pk)


@transaction.atomic
def reset_password(*, actor: Actor, user: User, password: str) -> None:
    """Give ``user`` another password; every session of theirs ends with it."""
    current = _locked(actor, user)
    check_password_strength(password=password, user=current)
    current.set_password(password)
    current.save(update_fields=["password"])
    record(Action.PASSWORD_CHANGED, actor=actor, about=current)


@transaction.atomic
def unlock_user(*, actor: Actor, user: User) -> bool:
    """Forget the failed sign-ins of ``user``, from wherever they came; whether there were any."""
    current = _locked(actor, user)
    if not axes.utils.reset(username=current.username):
        return False
    record(Action.USER_CHANGED, actor=actor, about=current, fields=["failed_sign_ins"])
    return True


def check_password_strength(*, password: str, user: User | None = None) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise UserFacingError("password_weak", " ".join(error.messages)) from error


def check_may_manage(*, actor: Actor, user: User) -> None:
    """Administrators manage everyone except superusers, whom only superusers manage."""
    check_may_administer(actor=actor, what=_("users"))
    if actor.via != "command" and user.is_superuser and not actor.require_user().is_superuser:
        raise NotAllowed(_("Only a superuser manages a superuser."))


def may_manage(*, actor: Actor, user: User) -> bool:
    try:
        check_may_manage(actor=actor, user=user)
    except NotAllowed:
        return False
    return True


def _check_may_grant_superuser(actor: Actor, wanted: bool) -> None:
    if wanted and actor.via != "command" and not actor.require_user().is_superuser:
        raise NotAllowed(_("Only a superuser makes a superuser."))


def _locked(actor: Actor, user: User) -> User:
    lock_names()
    current = User.objects.select_for_update().get(pk=user.pk)
    check_may_manage(actor=actor, user=current)
    return current


def _known_details(details: Mapping[str, Any]) -> Mapping[str, Any]:
    if unknown := sorted(details.keys() - DETAILS):
        raise TypeError(f"Not a detail of a user: {', '.join(unknown)}.")
    return details


def _known_roles(roles: Iterable[str]) -> list[str]:
    chosen = sorted({str(role) for role in roles})
    if set(chosen) - set(Role.values):
        raise UserFacingError("role_unknown", _("Roles are %(roles)s.") % {"roles": ", ".join(Role.values)})
    return chosen


def _enters_admin_site(roles: Iterable[str], is_superuser: bool) -> bool:
    return is_superuser or not ADMIN_SITE_ROLES.isdisjoint(roles)


def _clean(user: User) -> None:
    if User.objects.filter(username__iexact=user.username).exclude(pk=user.pk).exists():
        raise Conflict("username_taken", _("A user of that name exists already."))
    try:
        user.clean_fields(exclude={"password"})
    except ValidationError as error:
        raise UserFacingError("user_invalid", " ".join(error.messages)) from error
