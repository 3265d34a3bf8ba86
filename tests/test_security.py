"""What every answer of the portal carries, and what production adds to it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.conf.global_settings import PASSWORD_HASHERS
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path, reverse
from pytest_django.fixtures import Settings

from classifier.models import Scan, User
from tests.conftest import PASSWORD
from tests.ops.test_settings import PRODUCTION
from tests.pages.test_access import address_of  # noqa: F401
from tests.signed import signed  # noqa: F401
from tests.test_access import ADMIN, API, PAGES, client_for, keys, root, url_of  # noqa: F401
from tests.worker import worker  # noqa: F401

BYTES = {"picture", "file", "api:scan-file", "api:scan-slice"}
HOST = "mri.hospital.example"
TRANSPORT = ("SECURE_", "SESSION_COOKIE_", "CSRF_COOKIE_", "CSRF_TRUSTED", "ALLOWED_HOSTS", "DEBUG")


def production_settings() -> dict[str, Any]:
    """The transport settings as a production process has them."""
    code = (
        "import json; from mri_portal import settings as s; "
        f"print(json.dumps({{n: v for n, v in vars(s).items() if n.startswith({TRANSPORT})}}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=django_settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], **PRODUCTION, "PORTAL_SECRET_KEY": os.urandom(40).hex()},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded: dict[str, Any] = json.loads(answer.stdout)
    return loaded


@pytest.fixture(scope="module")
def production_values() -> dict[str, Any]:
    return production_settings()


@pytest.fixture
def production(settings: Settings, production_values: dict[str, Any]) -> dict[str, Any]:
    """This process, as far as its answers go, in production behind the proxy."""
    for name, value in production_values.items():
        setattr(settings, name, tuple(value) if name == "SECURE_PROXY_SSL_HEADER" else value)
    return production_values


def assert_guarded(answer: Any, name: str) -> None:
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy, name
    assert "frame-ancestors 'none'" in policy or "sandbox" in policy, name
    assert answer["X-Content-Type-Options"] == "nosniff", name
    assert answer["X-Frame-Options"] == "DENY", name
    assert answer["Referrer-Policy"] == "same-origin", name
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin", name


def test_every_answer_is_guarded_and_kept_by_no_cache(
    keys: dict[str, Any],  # noqa: F811
    address_of: Callable[[str], str],  # noqa: F811
    root: User,  # noqa: F811
    alice: User,
    rung: list[str],
) -> None:
    tables = ((PAGES, address_of), (ADMIN, lambda n: url_of(n, keys)), (API, lambda n: url_of(n, keys)))
    for table, address in tables:
        for method, name in table:
            for user in (alice, root, None):
                answer = client_for(name, user).generic(method, address(name))
                assert_guarded(answer, name)
                if name != "admin:jsi18n":  # words of the interface
                    assert re.search("no-store|private|no-cache", answer["Cache-Control"]), name


@pytest.mark.parametrize("name", sorted(BYTES))
def test_uploaded_bytes_can_do_nothing_in_a_browser(
    name: str,
    keys: dict[str, Any],  # noqa: F811
    address_of: Callable[[str], str],  # noqa: F811
    alice: User,
) -> None:
    answer = client_for(name, alice).get(url_of(name, keys) if ":" in name else address_of(name))
    assert answer.status_code == 200
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "'self'" not in policy and "sandbox" in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Type"] in {"image/png", "application/octet-stream"}
    assert answer["Content-Type"] == "image/png" or answer["Content-Disposition"].startswith("attachment")


def broken(request: object) -> HttpResponse:
    raise RuntimeError("secret path /srv/portal")


class Urls:
    from mri_portal.urls import handler400, handler403, handler404, handler500
    from mri_portal.urls import urlpatterns as _all

    urlpatterns = [path("broken/", broken), *_all]


@override_settings(ROOT_URLCONF=Urls)
def test_an_error_page_is_guarded_and_tells_nothing(alice: User) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    for address, status in (("/broken/", 500), ("/nowhere/", 404)):
        answer = client.get(address)
        assert answer.status_code == status
        assert_guarded(answer, address)
        assert b"/srv/portal" not in answer.content and b"Traceback" not in answer.content


def test_every_form_needs_its_token(
    keys: dict[str, Any],  # noqa: F811
    address_of: Callable[[str], str],  # noqa: F811
    root: User,  # noqa: F811
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(root)
    for method, name in [*PAGES, *ADMIN]:
        if method == "POST":
            address = address_of(name) if name in {n for _, n in PAGES} else url_of(name, keys)
            assert client.post(address).status_code == 403, name


def test_signing_in_starts_a_new_session_whose_cookie_no_script_reads(alice: User, client: Client) -> None:
    client.get(reverse("login"))
    answer = client.post(reverse("login"), {"username": "alice", "password": PASSWORD})
    cookie = answer.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", "")
    first = client.session.session_key
    client.post(reverse("sign_out"))
    client.post(reverse("login"), {"username": "alice", "password": PASSWORD})
    assert client.session.session_key != first


def test_production_asks_for_https_with_long_memory_and_secure_cookies(
    production: dict[str, Any], alice: User
) -> None:
    client = Client(SERVER_NAME=HOST)
    plain = client.get("/sign-in/")
    assert plain.status_code == 301 and plain["Location"] == f"https://{HOST}/sign-in/"
    by_proxy = {"HTTP_X_FORWARDED_PROTO": "https"}
    page = client.get("/sign-in/", **by_proxy)
    assert page.status_code == 200
    memory = page["Strict-Transport-Security"]
    assert int(re.findall(r"max-age=(\d+)", memory)[0]) >= 31_536_000 and "includeSubDomains" in memory
    assert page.cookies["csrftoken"]["secure"]
    signed_in = client.post("/sign-in/", {"username": "alice", "password": PASSWORD}, **by_proxy)
    assert signed_in.status_code == 302
    assert signed_in.cookies["sessionid"]["secure"]
    assert_guarded(page, "sign-in in production")


def test_production_answers_to_its_own_names_only(production: dict[str, Any]) -> None:
    answer = Client(SERVER_NAME="evil.example").get("/sign-in/", HTTP_X_FORWARDED_PROTO="https")
    assert answer.status_code == 400


def test_production_never_shows_its_insides(production_values: dict[str, Any]) -> None:
    assert production_values["DEBUG"] is False
    assert production_values["SESSION_COOKIE_SECURE"] and production_values["CSRF_COOKIE_SECURE"]
    assert production_values["SECURE_SSL_REDIRECT"]


def test_a_password_is_kept_as_a_slow_hash_only() -> None:
    assert PASSWORD_HASHERS[0].endswith("PBKDF2PasswordHasher")
    code = "from mri_portal import settings; print(hasattr(settings, 'PASSWORD_HASHERS'))"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "False"


def test_what_identifies_a_patient_is_in_no_address(
    scan: Scan,
    address_of: Callable[[str], str],  # noqa: F811
    keys: dict[str, Any],  # noqa: F811
) -> None:
    file = Path(scan.files.get().original_name).stem
    identifying = re.compile(rf"MRN|\b{file}\b")
    addresses = [address_of(name) for _, name in PAGES]
    addresses += [url_of(name, keys) for _, name in [*ADMIN, *API]]
    assert not [address for address in addresses if identifying.search(address)]
