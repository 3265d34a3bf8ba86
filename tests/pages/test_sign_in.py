"""The one door: signing in and out, failing, being locked out, and a session that ends."""

import time
from http import cookies

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from classifier.models import AuditEvent, Case, Scan, User
from classifier.tasks import sweep
from tests.conftest import PASSWORD
from tests.pages.reading import actions, last_event, polled_url, words

Action = AuditEvent.Action
DOOR = "/sign-in/"


def sign_in(client: Client, name: str = "alice", password: str = PASSWORD, **more: str):  # type: ignore[no-untyped-def]
    return client.post(DOOR, {"username": name, "password": password, **more})


def test_the_right_password_opens_the_worklist_and_is_recorded(alice: User, client: Client) -> None:
    assert sign_in(client)["Location"] == reverse("worklist")
    event = last_event()
    assert (event.action, event.actor, event.address, event.via) == (
        Action.SIGNED_IN,
        alice,
        "127.0.0.1",
        "page",
    )


def test_one_returns_to_where_one_wanted_to_go(case: Case, client: Client) -> None:
    wanted = reverse("case", args=[case.pk])
    door = client.get(wanted)["Location"]
    assert client.get(door).context["next"] == wanted
    assert sign_in(client, next=wanted)["Location"] == wanted


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_no_link_leads_from_the_door_to_elsewhere(elsewhere: str, alice: User, client: Client) -> None:
    assert sign_in(client, next=elsewhere)["Location"] == reverse("worklist")


def test_a_failure_tells_nothing_and_records_the_name_but_never_the_password(
    alice: User, client: Client
) -> None:
    wrong = sign_in(client, password="a wrong passphrase")
    unknown = sign_in(client, name="nobody\u202e", password="a wrong passphrase")
    assert "The name or the password is wrong" in words(wrong)
    assert "The name or the password is wrong" in words(unknown)
    events = AuditEvent.objects.filter(action=Action.SIGN_IN_FAILED).order_by("pk")
    assert [(event.actor, event.actor_name) for event in events] == [(None, "alice"), (None, "nobody")]
    assert not any("wrong passphrase" in str(vars(event)) for event in events)


def test_a_disabled_account_cannot_sign_in_and_looks_like_a_wrong_password(
    alice: User, client: Client
) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert "The name or the password is wrong" in words(sign_in(client))
    assert actions() == [Action.SIGN_IN_FAILED]


def test_an_account_disabled_meanwhile_is_out_at_once(alice: User, browser: Client) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert browser.get("/")["Location"].startswith(DOOR)


def test_repeated_failures_lock_out_with_a_page_that_says_how_long(alice: User, client: Client) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT - 1):
        assert sign_in(client, password="wrong").status_code == 200
    blocked = sign_in(client, password="wrong")
    right_but_blocked = sign_in(client)
    for response in (blocked, right_but_blocked):
        assert response.status_code == 429
        assert "for 15 minutes" in words(response)
        assert response["Retry-After"] == "900"
        assert "To the sign-in" in words(response)
        assert "To the worklist" not in words(response)
    assert last_event().action == Action.LOCKED_OUT
    assert last_event().actor_name == "alice"


def test_a_lock_out_is_of_one_name_at_one_address(alice: User, rita: User, client: Client) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        sign_in(client, password="wrong")
    assert sign_in(client).status_code == 429
    assert sign_in(Client(REMOTE_ADDR="192.0.2.7")).status_code == 302
    assert sign_in(Client(), name="rita").status_code == 302


def test_signing_out_ends_the_session_and_is_recorded(alice: User, browser: Client) -> None:
    response = browser.post(reverse("sign_out"), follow=True)
    assert "You have signed out." in words(response)
    assert browser.get("/").status_code == 302
    assert (last_event().action, last_event().actor) == (Action.SIGNED_OUT, alice)


def test_an_ended_session_leads_back_to_the_door_with_a_note(browser: Client, case: Case) -> None:
    browser.session.flush()
    page = browser.get(reverse("case", args=[case.pk]), follow=True)
    assert "Your session has ended" in words(page)
    assert page.context["next"] == reverse("case", args=[case.pk])


def test_what_is_sent_after_the_session_leads_back_to_the_page_it_was_sent_from(
    browser: Client, case: Case
) -> None:
    browser.session.flush()
    address = reverse("case", args=[case.pk])
    for referer, back in (
        (f"http://testserver{address}?start=12#scan", f"{address}?start=12"),
        (f"https://elsewhere.example{address}", ""),
        ("", ""),
    ):
        page = browser.post(reverse("saved_views"), headers={"Referer": referer}, follow=True)
        assert "Your session has ended" in words(page)
        assert page.context["next"] == back


def test_a_page_learns_who_is_signed_in_and_a_key_of_now(browser: Client, alice: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    answer = strict.get(reverse("session"))
    assert answer.json()["user"] == str(alice.pk)
    given = {"csrfmiddlewaretoken": answer.json()["token"], "hidden": "1"}
    assert strict.post(reverse("choose_guide"), given).status_code == 302
    assert strict.post(reverse("choose_guide"), {"hidden": "1"}).status_code == 403
    strict.session.flush()
    assert strict.get(reverse("session"), headers={"Accept": "application/json"}).status_code == 401


def test_who_never_signed_in_gets_no_note(client: Client, db: None) -> None:
    assert "session has ended" not in words(client.get("/", follow=True))


def test_a_page_that_refreshes_itself_is_loaded_anew_when_the_session_has_ended(browser: Client) -> None:
    refresh = polled_url(browser.get("/"))
    browser.session.flush()
    response = browser.get(refresh, headers={"HX-Request": "true"})
    assert response["HX-Refresh"] == "true"
    assert response.content == b""


def test_a_script_is_told_in_json_that_the_session_has_ended(browser: Client, case: Case) -> None:
    browser.session.flush()
    url = reverse("upload", args=[case.pk])
    response = browser.post(url, headers={"Accept": "application/json"})
    assert response.status_code == 401
    assert response.json()["code"] == "signed_out"


def expiry_after(client: Client, url: str, *, unused: float = 1) -> int:
    """Seconds the session has left, after it was nearly over and ``url`` was asked for.

    ``unused`` is the time since its last use, in its length.
    """
    session = client.session
    session["last_act"] = int(time.time() - unused * settings.SESSION_COOKIE_AGE)
    session.set_expiry(60)
    session.save()
    morsel: cookies.Morsel[str] | None = client.get(url).cookies.get(settings.SESSION_COOKIE_NAME)
    return 60 if morsel is None else settings.SESSION_COOKIE_AGE


def test_looking_at_a_page_keeps_the_session_alive(browser: Client) -> None:
    for unused in (0.06, 1):
        assert expiry_after(browser, reverse("own_settings"), unused=unused) == settings.SESSION_COOKIE_AGE


def test_a_page_refreshing_itself_does_not_keep_the_session_alive(browser: Client, scan: Scan) -> None:
    assert expiry_after(browser, "/worklist/rows/") == 60
    assert expiry_after(browser, reverse("progress", args=[scan.case_id])) == 60
    assert expiry_after(browser, reverse("thumbnail", args=[scan.pk])) == 60


def test_a_new_password_is_recorded_and_ends_the_other_sessions(alice: User, browser: Client) -> None:
    other = Client()
    other.force_login(alice)
    new = "another long passphrase"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    page = browser.post(reverse("change_password"), form, follow=True)
    assert "Your password is changed" in words(page)
    assert other.get("/").status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(new)
    assert Action.PASSWORD_CHANGED in actions()


def test_an_old_password_that_is_guessed_locks_out_like_a_sign_in(
    alice: User, browser: Client, settings: Settings
) -> None:
    """A session that was left open is no place to learn its password."""
    settings.AXES_FAILURE_LIMIT = 2
    new = "another long passphrase"
    guess = {"old_password": "a guess", "new_password1": new, "new_password2": new}
    answers = [browser.post(reverse("change_password"), guess).status_code for _ in range(2)]
    right = browser.post(reverse("change_password"), guess | {"old_password": PASSWORD})
    assert [*answers, right.status_code] == [400, 429, 429]
    assert Client().post(DOOR, {"username": "alice", "password": PASSWORD}).status_code == 429
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    events = AuditEvent.objects.filter(actor_name="alice").order_by("pk").values_list("action", flat=True)
    assert list(events) == [Action.SIGN_IN_FAILED, *[Action.LOCKED_OUT] * 3]


def test_an_old_password_that_is_left_out_is_no_guess(browser: Client) -> None:
    assert browser.post(reverse("change_password"), {}).status_code == 400
    assert actions() == []


def test_where_one_wanted_to_go_is_not_kept_with_a_failure(alice: User, client: Client) -> None:
    """An address may hold what was searched for."""
    client.post(f"{DOOR}?next=/%3Fq%3DMRN-1", {"username": "alice", "password": "wrong"})
    assert AccessAttempt.objects.exists()
    assert not [row for row in AccessAttempt.objects.values() if "MRN-1" in str(row)]


def test_the_sweeper_forgets_sessions_that_have_ended(browser: Client, alice: User) -> None:
    ended = Client()
    ended.force_login(alice)
    Session.objects.filter(pk=ended.session.session_key).update(expire_date=timezone.now())
    sweep()
    assert list(Session.objects.values_list("pk", flat=True)) == [browser.session.session_key]


def test_a_weak_password_is_refused_with_the_reason(alice: User, browser: Client) -> None:
    form = {"old_password": PASSWORD, "new_password1": "password", "new_password2": "password"}
    response = browser.post(reverse("change_password"), form)
    assert response.status_code == 400
    assert "too short" in words(response)
    assert Action.PASSWORD_CHANGED not in actions()


def test_the_address_behind_our_proxy_is_the_one_it_names(
    alice: User, client: Client, settings: Settings
) -> None:
    settings.BEHIND_PROXY = True
    client.post(
        DOOR,
        {"username": "alice", "password": PASSWORD},
        headers={"X-Forwarded-For": "6.6.6.6, 192.0.2.7"},
    )
    assert last_event().address == "192.0.2.7"


def test_the_admin_site_has_no_door_of_its_own(client: Client, alice: User, browser: Client) -> None:
    assert client.get("/admin/")["Location"] == f"{DOOR}?next=%2Fadmin%2F"
    assert browser.get("/admin/", follow=True).status_code == 403
