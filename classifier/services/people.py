"""Users, their roles and departments."""

from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.db import transaction

from classifier.audit import Action, Actor, record
from classifier.errors import NotAllowed
from classifier.models import Role, User


@transaction.atomic
def create_user(
    *, actor: Actor, username: str, password: str, roles: Iterable[Role], departments: Iterable[str]
) -> User:
    """A new account; an administrator may also enter the admin site."""
    if actor.via != "command" and not actor.require_user().may_administer:
        raise NotAllowed("Only administrators create users.")
    roles, departments = list(roles), list(departments)
    user = User.objects.create_user(
        username=username, password=password, is_staff=bool({Role.ADMINISTRATOR, Role.AUDITOR} & set(roles))
    )
    groups = [Group.objects.get_or_create(name=name)[0] for name in (*roles, *departments)]
    user.groups.set(groups)
    record(
        Action.USER_CREATED,
        actor=actor,
        about=user,
        roles=[str(role) for role in roles],
        departments=departments,
    )
    return user
