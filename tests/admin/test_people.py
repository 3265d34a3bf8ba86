"""Managing users and departments in the admin site, and nobody climbing above their rank."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from classifier.models import AuditEvent, Role, User
from tests.admin.conftest import History
from tests.conftest import NEURO, PASSWORD

ADD = reverse("admin:classifier_user_add")
STRONG = "correct horse battery staple"


def page(name: str, user: User) -> str:
    return reverse(f"admin:classifier_user_{name}", args=[user.pk])


def details(user: User, **changes: Any) -> dict[str, Any]:
    now = {"username": user.username, "first_name": user.first_name, "last_name": user.last_name}
    return now | {"email": user.email, "is_active": "on"} | changes


@pytest.fixture
def eve(make_user: Callable[..., User]) -> User:
    """Another administrator, as good a target as any."""
    return make_user("eve", Role.ADMINISTRATOR, is_staff=True)


def last_event() -> AuditEvent:
    return AuditEvent.objects.latest("pk")


def test_an_administrator_adds_a_user_with_roles_and_departments(
    ada: User, alice: User, browser: Callable[[User], Client]
) -> None:
    given = {
        "username": "carol",
        "password": STRONG,
        "repeated": STRONG,
        "roles": ["clinician", "reviewer"],
        "departments": [NEURO],
    }
    answer = browser(ada).post(ADD, given, REMOTE_ADDR="10.0.0.9")
    carol = User.objects.get(username="carol")
    assert answer.url == page("change", carol)
    assert carol.check_password(STRONG) and carol.may_upload
    assert carol.group_names == {"clinician", "reviewer", NEURO}
    assert not carol.is_staff and not carol.is_superuser
    event = AuditEvent.objects.get(action="user_created", object_id=str(carol.pk))
    assert (event.actor_name, event.via, event.address) == ("ada", "admin", "10.0.0.9")
    assert event.detail["roles"] == ["clinician", "reviewer"]
    assert STRONG not in str(event.detail)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "short", "repeated": "short"}, b"too short"),
        ({"repeated": "something else entirely"}, b"The two passwords differ."),
        ({"username": "ALICE"}, b"A user of that name exists already."),
        ({"username": "no spaces please"}, b"Enter a valid username."),
        ({"roles": ["emperor"]}, b"Select a valid choice."),
        ({"departments": ["administrator"]}, b"Select a valid choice."),
    ],
)
def test_a_user_that_cannot_be_is_refused_beside_the_form(
    changes: dict[str, Any], words: bytes, ada: User, alice: User, browser: Callable[[User], Client]
) -> None:
    given = {"username": "carol", "password": STRONG, "repeated": STRONG} | changes
    answer = browser(ada).post(ADD, given)
    assert answer.status_code == 400 and words in answer.content
    assert set(User.objects.values_list("username", flat=True)) == {"ada", "alice"}


def test_a_change_of_roles_is_one_event_that_names_what_was_added_and_removed(
    ada: User, alice: User, browser: Callable[[User], Client]
) -> None:
    browser(ada).post(page("access", alice), {"roles": ["reviewer"], "departments": [NEURO]})
    alice = User.objects.get(pk=alice.pk)
    assert alice.group_names == {"reviewer", NEURO} and not alice.may_upload
    event = last_event()
    assert (event.action, event.actor, event.object_id) == ("permissions_changed", ada, str(alice.pk))
    assert event.detail == {"added": ["reviewer"], "removed": ["clinician"], "superuser": False}


def test_the_role_of_an_auditor_opens_the_admin_site_and_losing_it_closes_it(
    ada: User, alice: User, browser: Callable[[User], Client]
) -> None:
    browser(ada).post(page("access", alice), {"roles": ["auditor"]})
    assert User.objects.get(pk=alice.pk).is_staff
    browser(ada).post(page("access", alice), {"roles": ["clinician"]})
    assert not User.objects.get(pk=alice.pk).is_staff


def test_a_deactivated_user_is_signed_out_and_their_tokens_end(
    history: History, ada: User, rita: User, browser: Callable[[User], Client]
) -> None:
    hers = browser(rita)
    given = details(rita)
    del given["is_active"]
    browser(ada).post(page("details", rita), given)
    assert not User.objects.get(pk=rita.pk).is_active
    assert hers.get(reverse("worklist")).status_code == 302
    event = AuditEvent.objects.get(action="user_changed")
    assert event.detail == {"fields": ["is_active"], "username_before": "rita", "active": False}


def test_a_new_password_ends_the_sessions_of_its_user(
    ada: User, alice: User, browser: Callable[[User], Client]
) -> None:
    hers = browser(alice)
    browser(ada).post(page("password", alice), {"password": STRONG, "repeated": STRONG})
    assert User.objects.get(pk=alice.pk).check_password(STRONG)
    assert hers.get(reverse("worklist")).status_code == 302
    event = AuditEvent.objects.get(action="password_changed")
    assert (event.actor, event.object_id, event.detail) == (ada, str(alice.pk), {})


def test_who_is_locked_out_may_be_let_in_sooner(
    ada: User, alice: User, browser: Callable[[User], Client], settings: Settings
) -> None:
    door = reverse("login")

    def sign_in(password: str) -> int:
        return Client().post(door, {"username": "alice", "password": password}).status_code

    for _ in range(settings.AXES_FAILURE_LIMIT):
        sign_in("wrong password")
    assert sign_in(PASSWORD) == settings.AXES_HTTP_RESPONSE_CODE
    browser(ada).post(page("unlock", alice))
    event = last_event()
    assert (event.action, event.actor, event.object_id) == ("user_changed", ada, str(alice.pk))
    assert sign_in(PASSWORD) == 302
    answer = browser(ada).post(page("unlock", alice), follow=True)
    assert b"was not locked out" in answer.content


def test_saving_without_a_change_is_no_event(
    ada: User, alice: User, browser: Callable[[User], Client]
) -> None:
    browser(ada).post(page("details", alice), details(alice))
    browser(ada).post(page("access", alice), {"roles": ["clinician"], "departments": [NEURO]})
    assert not AuditEvent.objects.filter(action__in=["user_changed", "permissions_changed"]).exists()


def test_nobody_deactivates_themselves_or_gives_up_the_right_to_administer(
    ada: User, browser: Callable[[User], Client]
) -> None:
    given = details(ada)
    del given["is_active"]
    assert browser(ada).post(page("details", ada), given).status_code == 400
    assert browser(ada).post(page("access", ada), {"roles": ["clinician"]}).status_code == 400
    assert User.objects.get(pk=ada.pk).may_administer


SUPERUSER_PAGES = [
    ("details", {"username": "taken-over", "is_active": "on"}),
    ("access", {"roles": []}),
    ("password", {"password": STRONG, "repeated": STRONG}),
    ("unlock", {}),
]


@pytest.mark.parametrize(("name", "given"), SUPERUSER_PAGES, ids=lambda value: str(value)[:8])
def test_an_administrator_does_not_touch_a_superuser(
    name: str, given: dict[str, Any], ada: User, root: User, browser: Callable[[User], Client]
) -> None:
    client = browser(ada)
    assert client.get(page(name, root)).status_code == 403
    assert client.post(page(name, root), given).status_code == 403
    after = User.objects.get(pk=root.pk)
    assert (after.username, after.is_superuser) == ("root", True)
    assert after.check_password(PASSWORD)
    assert page(name, root) not in client.get(page("change", root)).content.decode()


@pytest.mark.parametrize("whom", ["ada", "eve", "alice"])
def test_an_administrator_makes_nobody_a_superuser(
    whom: str, ada: User, eve: User, request: pytest.FixtureRequest, browser: Callable[[User], Client]
) -> None:
    user = request.getfixturevalue(whom)
    client = browser(ada)
    assert "is_superuser" not in client.get(page("access", user)).context["form"].fields
    given = {"roles": sorted(user.group_names & set(Role.values)), "is_superuser": "on", "is_staff": "on"}
    client.post(page("access", user), given)
    client.post(page("details", user), details(user, is_superuser="on"))
    client.post(ADD, {"username": "mallory", "password": STRONG, "repeated": STRONG, "is_superuser": "on"})
    assert User.objects.filter(username="mallory").exists()
    assert not User.objects.filter(is_superuser=True).exists()


def test_a_superuser_makes_and_unmakes_a_superuser(
    root: User, ada: User, browser: Callable[[User], Client]
) -> None:
    client = browser(root)
    client.post(page("access", ada), {"roles": ["administrator"], "is_superuser": "on"})
    assert User.objects.get(pk=ada.pk).is_superuser
    assert last_event().detail["superuser"] is True
    client.post(page("access", ada), {"roles": ["administrator"]})
    assert not User.objects.get(pk=ada.pk).is_superuser


@pytest.mark.parametrize("who", ["otto", "alice", "rita"])
def test_nobody_below_an_administrator_manages_users(
    who: str, eve: User, request: pytest.FixtureRequest, browser: Callable[[User], Client]
) -> None:
    user = request.getfixturevalue(who)
    client = browser(user)
    groups = user.group_names
    assert client.post(page("access", user), {"roles": ["administrator"]}).status_code == 403
    assert client.post(page("password", eve), {"password": STRONG, "repeated": STRONG}).status_code == 403
    assert client.post(ADD, {"username": "m", "password": STRONG, "repeated": STRONG}).status_code == 403
    assert User.objects.get(pk=user.pk).group_names == groups
    assert User.objects.get(pk=eve.pk).check_password(PASSWORD)


def test_permissions_of_a_user_or_group_cannot_be_given_by_hand(
    ada: User, alice: User, browser: Callable[[User], Client]
) -> None:
    client, group = browser(ada), Group.objects.get(name=NEURO)
    client.post(page("access", alice), {"roles": ["clinician"], "user_permissions": ["1", "2"]})
    client.post(reverse("admin:auth_group_rename", args=[group.pk]), {"name": NEURO, "permissions": ["1"]})
    assert not alice.user_permissions.exists()
    assert not group.permissions.exists()


def test_permissions_in_the_database_open_nothing_without_the_role(
    alice: User, history: History, browser: Callable[[User], Client]
) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    alice.user_permissions.set(Permission.objects.all())
    client = browser(alice)
    assert client.get(reverse("admin:index")).status_code == 403
    assert client.get(page("change", alice)).status_code == 403


def test_a_department_is_added_and_renamed_and_both_are_recorded(
    ada: User, browser: Callable[[User], Client]
) -> None:
    client = browser(ada)
    client.post(reverse("admin:auth_group_add"), {"name": "Cardiology"})
    group = Group.objects.get(name="Cardiology")
    client.post(reverse("admin:auth_group_rename", args=[group.pk]), {"name": "Heart"})
    events = AuditEvent.objects.filter(object_type="group", object_id=str(group.pk)).order_by("pk")
    assert [event.action for event in events] == ["department_created", "department_renamed"]
    assert events[1].detail == {"name": "Heart", "name_before": "Cardiology"}


@pytest.mark.parametrize("role", Role.values)
def test_a_role_is_neither_renamed_nor_deleted(
    role: str, root: User, browser: Callable[[User], Client]
) -> None:
    client = browser(root)
    group, _ = Group.objects.get_or_create(name=role)
    assert client.post(reverse("admin:auth_group_rename", args=[group.pk]), {"name": "x"}).status_code == 404
    url = reverse("admin:auth_group_delete", args=[group.pk])
    assert client.post(url, {"post": "yes"}).status_code == 403
    assert Group.objects.filter(pk=group.pk, name=role).exists()


@pytest.mark.parametrize("name", ["administrator", "Administrator", "neuroradiology", "  "])
def test_a_department_cannot_take_the_name_of_a_role_or_another_department(
    name: str, ada: User, alice: User, browser: Callable[[User], Client]
) -> None:
    before = Group.objects.count()
    assert browser(ada).post(reverse("admin:auth_group_add"), {"name": name}).status_code == 400
    assert Group.objects.count() == before


def test_admin_sign_out_and_password_change_go_through_the_portals_own(
    ada: User, browser: Callable[[User], Client]
) -> None:
    client = browser(ada)
    assert client.get(reverse("admin:password_change")).url == reverse("change_password")
    client.post(reverse("admin:logout"))
    assert last_event().action == "signed_out"
    assert client.get(reverse("admin:index")).status_code == 302


def test_a_visitor_is_sent_to_the_portals_sign_in(db: None, client: Client) -> None:
    answer = client.get(reverse("admin:index"))
    assert answer.url.startswith(reverse("login"))
    assert client.get(reverse("admin:login")).url.startswith(reverse("login"))
