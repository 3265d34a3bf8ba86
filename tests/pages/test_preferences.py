"""Language, colours, time zone and keys: kept with the account, carried to the sign-in by cookies."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import Case, User
from classifier.services.preferences import keep_preferences
from tests.conftest import PASSWORD
from tests.pages.conftest import SignedIn
from tests.pages.reading import words

CHOSEN = {"language": "es", "theme": "light", "time_zone": "America/Bogota", "single_keys": "on"}


def page(client: Client, url: str = "/") -> str:
    return client.get(url).content.decode()


def test_what_is_chosen_is_kept_with_the_account_on_every_device(
    browser: Client, alice: User, signed_in: SignedIn
) -> None:
    browser.post(reverse("choose_preferences"), CHOSEN)
    elsewhere = page(signed_in(alice))
    assert 'lang="es"' in elsewhere
    assert 'data-theme="light"' in elsewhere
    assert '<meta name="color-scheme" content="light">' in elsewhere, "or the page flashes dark"


def test_a_choice_that_was_taken_back_is_nobodys(browser: Client, alice: User) -> None:
    browser.post(reverse("choose_preferences"), CHOSEN)
    browser.post(reverse("choose_preferences"), {"language": "", "theme": "dark", "time_zone": ""})
    alice.refresh_from_db()
    assert (alice.language, alice.theme, alice.time_zone, alice.single_keys) == ("", "dark", "", False)
    assert 'lang="en"' in page(browser)
    assert 'data-single-keys="off"' in page(browser)


def test_the_language_of_the_account_goes_before_the_browsers(browser: Client, alice: User) -> None:
    keep_preferences(actor=Actor(user=alice, via="page"), language="en")
    assert 'lang="en"' in browser.get("/", headers={"Accept-Language": "es"}).content.decode()


@pytest.mark.parametrize(("asked", "language"), [("es-MX,es;q=0.9", "es"), ("de", "en"), ("xx-!!", "en")])
def test_before_the_sign_in_the_browser_is_asked(asked: str, language: str, client: Client, db: None) -> None:
    response = client.get("/sign-in/", headers={"Accept-Language": asked})
    assert f'lang="{language}"' in response.content.decode()
    assert response["Content-Language"] == language


def test_before_the_sign_in_a_press_changes_language_and_colours(client: Client, db: None) -> None:
    for look in ({"language": "es"}, {"theme": "light"}):
        response = client.post(reverse("choose_look"), {**look, "next": "/sign-in/?next=/settings/"})
        assert response["Location"] == "/sign-in/?next=/settings/"
    assert '<html lang="es" data-theme="light">' in page(client, "/sign-in/")


def test_the_next_sign_in_speaks_the_persons_language(client: Client, alice: User) -> None:
    keep_preferences(actor=Actor(user=alice, via="page"), language="es", theme="light")
    client.post("/sign-in/", {"username": "alice", "password": PASSWORD})
    client.post(reverse("sign_out"))
    assert '<html lang="es" data-theme="light">' in page(client, "/sign-in/")


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_the_way_back_never_leads_elsewhere(elsewhere: str, browser: Client) -> None:
    response = browser.post(reverse("choose_look"), {"theme": "dark", "next": elsewhere})
    assert response["Location"] == "/"


@pytest.mark.parametrize("wrong", [{"theme": '"><script>'}, {"language": "de"}, {"theme": "dark\0"}])
def test_a_look_that_is_none_changes_nothing(wrong: dict[str, str], browser: Client, alice: User) -> None:
    browser.post(reverse("choose_look"), wrong)
    alice.refresh_from_db()
    assert (alice.language, alice.theme) == ("", "")


def test_a_cookie_of_a_stranger_is_inert(client: Client, db: None) -> None:
    client.cookies["theme"] = "<b>"
    client.cookies["language"] = "<b>"
    assert "<b>" not in page(client, "/sign-in/")


@pytest.mark.parametrize("wrong", [{"language": "xx"}, {"theme": "pink"}, {"time_zone": "Mars/Olympus"}])
def test_the_service_takes_only_what_can_be_chosen(wrong: dict[str, str], alice: User) -> None:
    with pytest.raises(UserFacingError, match="can be chosen"):
        keep_preferences(actor=Actor(user=alice, via="page"), **wrong)


def test_times_stand_in_the_persons_zone_and_the_next_request_in_its_own(
    browser: Client, alice: User, rita: User, case: Case, signed_in: SignedIn
) -> None:
    Case.objects.filter(pk=case.pk).update(created_at=datetime(2026, 3, 1, 2, 30, tzinfo=UTC))
    keep_preferences(actor=Actor(user=alice, via="page"), time_zone="America/Bogota")
    url = reverse("case", args=[case.pk])
    assert "2026-02-28 21:30" in words(browser.get(url))
    assert "2026-03-01 02:30" in words(signed_in(rita).get(url))


def test_dates_are_written_as_the_language_writes_them(browser: Client, case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(created_at=datetime(2026, 3, 1, 2, 30, tzinfo=UTC))
    response = browser.get(reverse("case", args=[case.pk]), headers={"Accept-Language": "es"})
    assert "01/03/2026 02:30" in words(response)
    assert 'datetime="2026-03-01T02:30:00+00:00"' in response.content.decode()


def test_the_guide_goes_and_comes_back(browser: Client) -> None:
    assert "Your first steps" in words(browser.get("/"))
    browser.post(reverse("choose_guide"), {"hidden": "1"})
    assert "Your first steps" not in words(browser.get("/"))
    browser.post(reverse("choose_guide"), {"hidden": "0"})
    assert "Your first steps" in words(browser.get("/"))
