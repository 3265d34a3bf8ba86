"""Every page of the admin site works under the portal's policy: no inline script, style or handler."""

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from classifier.models import User
from tests.admin.conftest import History
from tests.admin.test_read_only import a_row, address

pytestmark = pytest.mark.usefixtures("signed")
ACTS = [
    "classifier_user_add",
    "classifier_apitoken_add",
    "auth_group_add",
    "classifier_modelversion_register",
]


class Inline(HTMLParser):
    """Collects what the policy would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        self._in_script = tag == "script" and "src" not in names
        self.found += [name for name in names if name == "style" or name.startswith("on")]
        self.found += [value for _, value in attrs if value and value.lower().startswith("javascript:")]
        self.found += [tag] if tag == "style" else []

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.found.append(data.strip())


def inline(html: str) -> list[str]:
    parser = Inline()
    parser.feed(html)
    return parser.found


def test_the_search_for_inline_code_finds_it() -> None:
    page = "<p style='x'></p><a onclick='x' href='javascript:x'></a><script>x()</script><style></style>"
    assert len(inline(page)) == 5


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model.__name__)
def test_lists_and_rows_hold_no_inline_code(
    model: type, history: History, root: User, browser: Callable[[User], Client]
) -> None:
    client = browser(root)
    for url in (address(model, "changelist"), address(model, "change", a_row(model).pk)):
        answer = client.get(url)
        assert answer.status_code == 200
        assert inline(answer.content.decode()) == []
        directives = answer["Content-Security-Policy"].split("; ")
        assert {"script-src 'self'", "style-src 'self'", "default-src 'none'"} <= set(directives)


@pytest.mark.parametrize("name", ["index", *ACTS])
def test_the_pages_of_acts_hold_no_inline_code(
    name: str, root: User, browser: Callable[[User], Client]
) -> None:
    answer = browser(root).get(reverse(f"admin:{name}"))
    assert answer.status_code == 200
    assert inline(answer.content.decode()) == []


def test_every_page_says_research_use_only(root: User, browser: Callable[[User], Client]) -> None:
    for name in ("index", "classifier_case_changelist", *ACTS):
        page = browser(root).get(reverse(f"admin:{name}")).content
        assert b"Research use only, not a medical device" in page
