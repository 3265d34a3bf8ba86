"""The commands about people and tokens: only the result on stdout, one sentence for what is refused."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from classifier.models import ApiToken, AuditEvent, User
from classifier.models.tokens import Scope
from classifier.services.tokens import authenticate_token
from tests.conftest import NEURO


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as error:
        said(*arguments)
    return str(error.value)


def test_issue_token_prints_the_secret_and_nothing_else(alice: User) -> None:
    out = said("issue_token", "alice", "--name", "PACS", "--scopes", "scans:read, scans:write", "--days", "7")
    secret = out.removesuffix("\n")
    token = authenticate_token(secret=secret)
    assert token is not None and out == f"{secret}\n"
    assert (token.user, token.name, token.scopes) == (alice, "PACS", ["scans:read", "scans:write"])
    event = AuditEvent.objects.get()
    assert (event.action, event.via, event.object_id) == ("token_issued", "command", str(token.pk))
    assert event.actor_name


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nobody", "--name", "N", "--scopes", "scans:read"], "There is no user nobody."),
        (["alice", "--name", "N", "--scopes", "all"], f"Scopes are {', '.join(Scope.values)}; name"),
        (["alice", "--name", " ", "--scopes", "scans:read"], "A token needs a name"),
        (["alice", "--name", "N", "--scopes", "scans:read", "--days", "0"], "A token lasts from 1 to 366"),
    ],
)
def test_a_token_that_cannot_be_is_refused_in_a_sentence(
    arguments: list[str], sentence: str, alice: User
) -> None:
    assert refused("issue_token", *arguments).startswith(sentence)
    assert not ApiToken.objects.exists()


def test_a_deactivated_user_gets_no_token(alice: User) -> None:
    User.objects.update(is_active=False)
    sentence = refused("issue_token", "alice", "--name", "N", "--scopes", "scans:read")
    assert sentence == "The account is deactivated; its tokens would not work."


@pytest.mark.parametrize("by", ["pk", "prefix"])
def test_revoke_token_takes_the_id_or_the_prefix(by: str, alice: User) -> None:
    secret = said("issue_token", "alice", "--name", "N", "--scopes", "scans:read").strip()
    token = ApiToken.objects.get()
    assert "is revoked" in said("revoke_token", str(getattr(token, by)))
    assert authenticate_token(secret=secret) is None
    assert refused("revoke_token", "mri_unknown") == "There is no such token."


def test_create_user_makes_a_password_and_prints_it_alone(db: None) -> None:
    out = said("create_user", "carol", "--role", "clinician", "--role", "reviewer", "--department", NEURO)
    carol = User.objects.get()
    assert carol.check_password(out.removesuffix("\n"))
    assert carol.group_names == {"clinician", "reviewer", NEURO}
    assert AuditEvent.objects.filter(action="user_created", via="command").count() == 1


def test_create_user_reads_a_password_from_a_file_and_prints_nothing(db: None, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse battery staple\n")
    assert said("create_user", "root", "--superuser", "--password-file", str(file)) == ""
    root = User.objects.get()
    assert root.check_password("correct horse battery staple") and root.is_superuser


@pytest.mark.parametrize(
    ("content", "sentence"), [("short", "This password is too short."), (" \n", "holds no password.")]
)
def test_create_user_refuses_a_weak_or_missing_password(
    content: str, sentence: str, db: None, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(content)
    assert sentence in refused("create_user", "carol", "--password-file", str(file))
    assert not User.objects.exists()


def test_create_user_refuses_a_name_that_is_taken(alice: User) -> None:
    assert refused("create_user", "Alice") == "A user of that name exists already."


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://nobody@127.0.0.1:1/none", "Connection refused"),
        ("sqlite:///{folder}/empty.sqlite3", "no such table"),
    ],
)
def test_a_command_without_a_database_ends_with_a_sentence_and_no_traceback(
    url: str, words: str, tmp_path: Path
) -> None:
    ended = run(
        "issue_token",
        "alice",
        "--name=N",
        "--scopes=scans:read",
        DATABASE_URL=url.format(folder=tmp_path),
        PORTAL_DATA_DIR=str(tmp_path),
    )
    assert ended.returncode == 1 and ended.stdout == ""
    [sentence] = ended.stderr.splitlines()
    assert sentence.startswith("CommandError: The database cannot be used: ") and words in sentence


def test_unlock_user_forgets_failed_sign_ins(alice: User) -> None:
    assert said("unlock_user", "alice") == "There was no lock.\n"
    Client().post(reverse("login"), {"username": "alice", "password": "wrong password"})
    assert said("unlock_user", "alice") == "Unlocked.\n"
    assert AuditEvent.objects.latest("pk").via == "command"
    assert refused("unlock_user", "nobody") == "There is no user nobody."
