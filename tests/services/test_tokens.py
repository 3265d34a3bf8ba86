from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from classifier.audit import Actor
from classifier.errors import NotAllowed, UserFacingError
from classifier.models import ApiToken, AuditEvent, User
from classifier.services.tokens import (
    authenticate_token,
    find_token,
    issue_token,
    record_refused_token,
    revoke_token,
)


def issued(actor: Actor, user: User, **changes: object) -> tuple[ApiToken, str]:
    given = {"name": "PACS", "scopes": ["scans:read"], **changes}
    return issue_token(actor=actor, user=user, **given)  # type: ignore[arg-type]


def test_of_a_secret_only_its_hash_and_first_letters_are_kept(as_alice: Actor, alice: User) -> None:
    token, secret = issued(as_alice, alice)
    columns = ApiToken.objects.values().get()
    assert all(secret not in str(value) for value in columns.values())
    assert secret.startswith(token.prefix) and len(secret) > 40
    assert secret != issued(as_alice, alice)[1]


def test_a_token_lasts_as_long_as_was_said_and_ninety_days_otherwise(as_alice: Actor, alice: User) -> None:
    now = timezone.now()
    assert timedelta(days=90) <= issued(as_alice, alice)[0].expires_at - now < timedelta(days=91)
    assert issued(as_alice, alice, days=1)[0].expires_at - now < timedelta(days=2)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": " \n"}, "token_name_invalid"),
        ({"name": "x" * 101}, "token_name_invalid"),
        ({"name": "PACS\x1b[2J"}, "token_name_invalid"),
        ({"scopes": []}, "token_scopes_invalid"),
        ({"scopes": ["scans:read", "admin"]}, "token_scopes_invalid"),
        ({"days": 0}, "token_days_invalid"),
        ({"days": 367}, "token_days_invalid"),
    ],
)
def test_a_token_that_cannot_be_is_refused(
    changes: dict[str, object], code: str, as_alice: Actor, alice: User
) -> None:
    with pytest.raises(UserFacingError) as refused:
        issued(as_alice, alice, **changes)
    assert refused.value.code == code
    assert not ApiToken.objects.exists() and not AuditEvent.objects.exists()


def test_a_secret_opens_until_its_token_is_revoked(as_alice: Actor, alice: User) -> None:
    token, secret = issued(as_alice, alice)
    assert authenticate_token(secret=secret) == token
    revoke_token(actor=as_alice, token=token)
    revoke_token(actor=as_alice, token=token)
    assert authenticate_token(secret=secret) is None
    assert AuditEvent.objects.filter(action="token_revoked").count() == 1


def test_an_expired_token_and_one_of_a_deactivated_user_open_nothing(as_alice: Actor, alice: User) -> None:
    token, secret = issued(as_alice, alice)
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())
    assert authenticate_token(secret=secret) is None
    _, secret = issued(as_alice, alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert authenticate_token(secret=secret) is None


def test_a_token_opens_until_the_moment_at_which_it_expires(as_alice: Actor, alice: User) -> None:
    token, _ = issued(as_alice, alice)
    just_before = token.expires_at - timedelta(microseconds=1)
    assert ApiToken.objects.usable(just_before).get() == token
    assert not ApiToken.objects.usable(token.expires_at).exists()


@pytest.mark.parametrize("secret", ["", "mri_", "mri_wrong", "\0", "ü" * 50])
def test_anything_else_opens_nothing(secret: str, as_alice: Actor, alice: User) -> None:
    issued(as_alice, alice)
    assert authenticate_token(secret=secret) is None


def test_the_last_use_is_noted_at_most_once_a_minute(as_alice: Actor, alice: User) -> None:
    token, secret = issued(as_alice, alice)
    authenticate_token(secret=secret)
    first = ApiToken.objects.get().last_used_at
    authenticate_token(secret=secret)
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=first - timedelta(minutes=2))
    authenticate_token(secret=secret)
    assert ApiToken.objects.get().last_used_at >= first


def test_a_token_that_is_refused_again_is_an_event_of_its_own_for_another_address_or_token(
    as_alice: Actor, alice: User
) -> None:
    known = issued(as_alice, alice)[1]
    for address, secret in (("10.0.0.1", "x"), ("10.0.0.1", "y"), ("10.0.0.2", "x"), ("10.0.0.1", known)):
        record_refused_token(actor=Actor(user=None, via="api", address=address), secret=secret)
    events = AuditEvent.objects.filter(action="sign_in_failed").order_by("pk")
    assert [(event.address, bool(event.object_id)) for event in events] == [
        ("10.0.0.1", False),
        ("10.0.0.2", False),
        ("10.0.0.1", True),
    ]


@pytest.mark.parametrize("who", ["as_rita", "as_otto"])
def test_nobody_but_its_owner_and_administrators_manages_a_token(
    who: str, as_alice: Actor, alice: User, as_ada: Actor, request: pytest.FixtureRequest
) -> None:
    other = request.getfixturevalue(who)
    token, _ = issued(as_alice, alice)
    with pytest.raises(NotAllowed):
        issued(other, alice)
    with pytest.raises(NotAllowed):
        revoke_token(actor=other, token=token)
    assert issued(as_ada, alice)[0].user == alice
    revoke_token(actor=as_ada, token=token)


def test_the_tokens_of_superusers_are_for_superusers_alone(
    as_ada: Actor, make_user: Callable[..., User]
) -> None:
    root = make_user("root", is_staff=True, is_superuser=True)
    token, _ = issued(Actor(user=root, via="page"), root)
    for other in (lambda: issued(as_ada, root), lambda: revoke_token(actor=as_ada, token=token)):
        with pytest.raises(NotAllowed):
            other()
    revoke_token(actor=Actor(user=root, via="page"), token=token)
    assert ApiToken.objects.get().revoked_at


def test_a_token_is_found_by_its_id_or_prefix(as_alice: Actor, alice: User) -> None:
    token, secret = issued(as_alice, alice)
    assert find_token(handle=str(token.pk)) == find_token(handle=secret) == token
    for handle in ("9" * 40, "mri_nothing", ""):
        with pytest.raises(UserFacingError) as refused:
            find_token(handle=handle)
        assert refused.value.code == "not_found"
    ApiToken.objects.create(
        user=alice, name="twin", prefix=token.prefix, secret_sha256="0", expires_at=timezone.now()
    )
    with pytest.raises(UserFacingError) as refused:
        find_token(handle=token.prefix)
    assert refused.value.code == "token_ambiguous"
