"""Departments: Django groups that are not one of the four roles. They are renamed, never deleted."""

from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.translation import gettext as _

from classifier.audit import Action, Actor, record
from classifier.errors import Conflict, NotAllowed, UserFacingError
from classifier.models import DepartmentPolicy, Role
from classifier.services.administrators import check_may_administer
from classifier.services.triage import refresh_department


@transaction.atomic
def create_department(*, actor: Actor, name: str) -> Group:
    check_may_administer(actor=actor, what=_("departments"))
    lock_names()
    department = Group.objects.create(name=_free_name(name))
    record(Action.DEPARTMENT_CREATED, actor=actor, about=department, name=department.name)
    return department


@transaction.atomic
def rename_department(*, actor: Actor, department: Group, name: str) -> Group:
    """The same department under another name; the four roles keep theirs."""
    check_may_administer(actor=actor, what=_("departments"))
    lock_names()
    current = Group.objects.select_for_update().get(pk=department.pk)
    before = current.name
    if before in Role.values:
        raise NotAllowed(_("A role cannot be renamed."))
    if before != name:
        current.name = _free_name(name, current)
        current.save(update_fields=["name"])
        record(Action.DEPARTMENT_RENAMED, actor=actor, about=current, name=current.name, name_before=before)
    return current


@transaction.atomic
def set_reading_policy(
    *, actor: Actor, department: Group, second_reader: bool, blind: bool
) -> DepartmentPolicy:
    """How the department reads from now on; cases that are not signed move to their place in it."""
    check_may_administer(actor=actor, what=_("departments"))
    current = Group.objects.select_for_update().get(pk=department.pk)
    if current.name in Role.values:
        raise NotAllowed(_("A role does not read cases; departments do."))
    before = reading_policy_of(current)
    after = {"second_reader": second_reader, "blind": blind}
    policy = DepartmentPolicy(department=current, **after)
    if before != after:
        policy.save()
        record(Action.POLICY_CHANGED, actor=actor, about=current, **after, before=before)
        refresh_department(department_id=current.pk)
    return policy


def lock_names() -> None:
    """Let one name of a person or department at a time be given out, until the caller's transaction ends.

    Taken before the row that gets the name, so that no two wait for each other. The roles' rows stand for
    all names: two that differ in case alone are no conflict for the database.
    """
    roles = Group.objects.filter(name__in=Role.values).order_by("pk")
    list(roles.select_for_update(no_key=True).values_list("pk"))


def reading_policy_of(department: Group) -> dict[str, bool]:
    policy = getattr(department, "reading_policy", None) or DepartmentPolicy()
    return {"second_reader": policy.second_reader, "blind": policy.blind}


def groups_named(*, actor: Actor, roles: Iterable[str], departments: Iterable[str]) -> list[Group]:
    """The groups of these roles and departments; a department that is new is created."""
    of_roles = [Group.objects.get_or_create(name=role)[0] for role in roles]
    return [*of_roles, *(_department(actor, name) for name in departments)]


def _department(actor: Actor, name: str) -> Group:
    known = Group.objects.filter(name=name).exclude(name__in=Role.values).first()
    return known or create_department(actor=actor, name=name)


def _free_name(name: str, current: Group | None = None) -> str:
    """``name``, if no role or other department could be mistaken for it."""
    name = " ".join(name.split())
    if not name or len(name) > 150 or not name.isprintable():
        raise UserFacingError(
            "department_name_invalid", _("A department needs a name of at most 150 characters.")
        )
    others = Group.objects.exclude(pk=current.pk) if current else Group.objects.all()
    if name.casefold() in Role.values or others.filter(name__iexact=name).exists():
        raise Conflict("department_name_taken", _("That name is a role or a department already."))
    return name
