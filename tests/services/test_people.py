"""The rules about people that hold at every door; `tests/admin/test_people.py` walks through one."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group

from classifier.audit import Actor
from classifier.errors import NotAllowed, UserFacingError
from classifier.models import AuditEvent, Role, User
from classifier.services.departments import create_department, rename_department
from classifier.services.people import change_access, change_user, create_user, reset_password
from tests.conftest import NEURO
from tests.services.locks import WHERE_ROWS_ARE_LOCKED, as_a_row_is_written

STRONG = "correct horse battery staple"


def created(actor: Actor, **changes: object) -> User:
    given = {"username": "carol", "password": STRONG, "roles": [], "departments": [], **changes}
    return create_user(actor=actor, **given)  # type: ignore[arg-type]


def refused_code(attempt: Callable[[], object]) -> str:
    with pytest.raises(UserFacingError) as refused:
        attempt()
    return refused.value.code


@pytest.mark.parametrize(
    ("roles", "enters"), [([], False), (["clinician"], False), (["auditor"], True), (["administrator"], True)]
)
def test_roles_decide_who_enters_the_admin_site(roles: list[str], enters: bool, as_ada: Actor) -> None:
    user = created(as_ada, roles=roles)
    assert (user.is_staff, user.may_audit) == (enters, enters)


def test_a_new_department_is_created_and_recorded_with_its_first_user(as_ada: Actor) -> None:
    created(as_ada, departments=["Cardiology"])
    assert list(AuditEvent.objects.order_by("pk").values_list("action", flat=True)) == [
        "department_created",
        "user_created",
    ]


def test_a_department_may_have_a_name_of_a_hundred_and_fifty_characters_and_no_longer(as_ada: Actor) -> None:
    assert created(as_ada, departments=["x" * 150]).groups.get().name == "x" * 150
    too_long = {"username": "dora", "departments": ["x" * 151]}
    assert refused_code(lambda: created(as_ada, **too_long)) == "department_name_invalid"


@pytest.mark.parametrize("name", ["administrator", "Administrator", "reviewer"])
def test_a_role_cannot_be_had_as_a_department(name: str, as_ada: Actor) -> None:
    assert refused_code(lambda: created(as_ada, departments=[name])) == "department_name_taken"
    assert not User.objects.filter(username="carol").exists()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"username": "ADA"}, "username_taken"),
        ({"username": ""}, "user_invalid"),
        ({"username": "x" * 151}, "user_invalid"),
        ({"email": "not an address"}, "user_invalid"),
        ({"roles": ["emperor"]}, "role_unknown"),
    ],
)
def test_a_user_that_cannot_be_is_refused(changes: dict[str, object], code: str, as_ada: Actor) -> None:
    assert refused_code(lambda: created(as_ada, **changes)) == code
    assert User.objects.count() == 1 and not AuditEvent.objects.exists()


def test_a_renamed_user_keeps_the_old_name_in_the_trail(as_ada: Actor, alice: User, as_alice: Actor) -> None:
    change_user(actor=as_ada, user=alice, username="alice.smith")
    event = AuditEvent.objects.get()
    assert event.detail == {"fields": ["username"], "username_before": "alice", "active": True}
    assert User.objects.get(pk=alice.pk).username == "alice.smith"


def test_only_what_is_a_detail_of_a_user_can_be_changed_as_one(as_ada: Actor, alice: User) -> None:
    for name in ("is_superuser", "is_staff", "password", "groups"):
        with pytest.raises(TypeError):
            change_user(actor=as_ada, user=alice, **{name: True})


def test_an_administrator_neither_makes_nor_manages_a_superuser(
    as_ada: Actor, make_user: Callable[..., User], alice: User
) -> None:
    root = make_user("root", is_superuser=True)
    attempts: list[Callable[[], object]] = [
        lambda: created(as_ada, is_superuser=True),
        lambda: change_access(
            actor=as_ada, user=alice, roles=["clinician"], departments=[], is_superuser=True
        ),
        lambda: change_access(actor=as_ada, user=root, roles=[], departments=[], is_superuser=False),
        lambda: change_user(actor=as_ada, user=root, is_active=False),
        lambda: reset_password(actor=as_ada, user=root, password=STRONG),
    ]
    for attempt in attempts:
        assert refused_code(attempt) == "not_allowed"
    assert User.objects.filter(is_superuser=True).get() == root
    assert not AuditEvent.objects.exists()


def test_a_stale_copy_of_a_user_does_not_get_around_the_rules(
    as_ada: Actor, make_user: Callable[..., User]
) -> None:
    user = make_user("rising")
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    assert refused_code(lambda: reset_password(actor=as_ada, user=user, password=STRONG)) == "not_allowed"


@pytest.mark.parametrize("who", ["as_alice", "as_rita", "as_otto"])
def test_nobody_below_an_administrator_manages_people(
    who: str, ada: User, request: pytest.FixtureRequest
) -> None:
    actor = request.getfixturevalue(who)
    group = Group.objects.create(name="Cardiology")
    attempts: list[Callable[[], object]] = [
        lambda: created(actor),
        lambda: change_user(actor=actor, user=ada, first_name="X"),
        lambda: change_access(actor=actor, user=actor.user, roles=Role.values, departments=[]),  # type: ignore[arg-type]
        lambda: reset_password(actor=actor, user=ada, password=STRONG),
        lambda: rename_department(actor=actor, department=group, name="Heart"),
    ]
    for attempt in attempts:
        with pytest.raises(NotAllowed):
            attempt()
    assert not AuditEvent.objects.exists()


def test_a_weak_password_is_not_set(as_ada: Actor, alice: User) -> None:
    assert refused_code(lambda: reset_password(actor=as_ada, user=alice, password="short")) == "password_weak"
    assert not AuditEvent.objects.exists()


def test_a_password_has_twelve_characters_at_least(as_ada: Actor, alice: User) -> None:
    short, enough = "vorhang-7-x", "vorhang-7-xy"
    assert refused_code(lambda: reset_password(actor=as_ada, user=alice, password=short)) == "password_weak"
    reset_password(actor=as_ada, user=alice, password=enough)
    assert User.objects.get(pk=alice.pk).check_password(enough)


def test_a_change_of_access_is_in_force_at_once(as_ada: Actor, alice: User) -> None:
    assert alice.may_upload
    after = change_access(actor=as_ada, user=alice, roles=["reviewer"], departments=[NEURO])
    assert not after.may_upload and after.may_review
    assert AuditEvent.objects.get().detail == {
        "added": ["reviewer"],
        "removed": ["clinician"],
        "superuser": False,
    }


def test_someone_with_a_shell_acts_under_the_name_of_their_account(alice: User) -> None:
    change_user(actor=Actor.command(), user=alice, first_name="Alice")
    event = AuditEvent.objects.get()
    assert event.actor is None and event.actor_name and event.via == "command"


@pytest.mark.django_db(transaction=True)
@WHERE_ROWS_ARE_LOCKED
@pytest.mark.parametrize("name", ["Cardiology", "CARDIOLOGY"])
def test_of_two_departments_that_get_one_name_at_once_the_later_is_refused(name: str, as_ada: Actor) -> None:
    with as_a_row_is_written(Group, create_department, actor=as_ada, name=name) as begun:
        create_department(actor=as_ada, name="Cardiology")
    assert refused_code(begun[0].result) == "department_name_taken"
    neuro = Group.objects.create(name=NEURO)
    with as_a_row_is_written(Group, create_department, actor=as_ada, name="Oncology") as begun:
        rename_department(actor=as_ada, department=neuro, name="ONCOLOGY")
    assert refused_code(begun[0].result) == "department_name_taken"


@pytest.mark.django_db(transaction=True)
@WHERE_ROWS_ARE_LOCKED
@pytest.mark.parametrize("username", ["carol", "Carol"])
def test_of_two_accounts_that_get_one_name_at_once_the_later_is_refused(username: str, as_ada: Actor) -> None:
    with as_a_row_is_written(User, created, actor=as_ada, username=username) as begun:
        carol = created(as_ada)
    assert refused_code(begun[0].result) == "username_taken"
    with as_a_row_is_written(User, created, actor=as_ada, username="Dora") as begun:
        change_user(actor=as_ada, user=carol, username="dora")
    assert refused_code(begun[0].result) == "username_taken"
