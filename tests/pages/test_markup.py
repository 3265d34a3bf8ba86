"""What every page keeps to: strict content security, labels, one heading, nothing from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from classifier.audit import Actor
from classifier.models import Scan
from classifier.services.reports import amend_report, sign_report
from classifier.services.reviews import submit_review
from tests.worker import Worker

TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))
OWN_STATIC = [
    path
    for path in sorted((settings.BASE_DIR / "static").rglob("*"))
    if path.suffix in {".css", ".js", ".svg"} and "vendor" not in path.parts
]
# Made of a word of the portal's and of what it is about, or of a form's own making.
COMPOSED = re.compile(r"(tag|tone|event|upload|edge)-\w+|errorlist")
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Page(HTMLParser):
    """Tags with their attributes, and whether every one was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture
def pages(browser: Client, scan: Scan, worker: Worker) -> dict[str, Page]:
    analysis = worker.finish(scan)
    urls = [
        "/",
        "/?q=none",
        "/cases/new/",
        "/settings/",
        "/settings/password/",
        "/nothing/",
        reverse("case", args=[scan.case_id]),
        reverse("case_history", args=[scan.case_id]),
        reverse("upload", args=[scan.case_id]),
        reverse("scan", args=[scan.pk]),
        reverse("review", args=[analysis.pk]),
        reverse("adjudication", args=[analysis.pk]),
        reverse("report", args=[scan.case_id]),
        reverse("model_card", args=["test-1"]),
    ]
    found = {url: Page(browser.get(url).content.decode()) for url in urls}
    actor = Actor(user=scan.uploaded_by, via="page")
    submit_review(actor=actor, analysis=analysis, verdict="agree", wrong_region=True)
    for word in ("ready", "signed", "amended"):
        url = reverse("report", args=[scan.case_id])
        found[f"{url} {word}"] = Page(browser.get(url).content.decode())
        if word == "ready":
            sign_report(actor=actor, case=scan.case)
        elif word == "signed":
            amend_report(actor=actor, case=scan.case, amends=1, reason="A slip.")
    case = reverse("case", args=[scan.case_id])
    found[f"{case} signed"] = Page(browser.get(case).content.decode())
    return found | {"/sign-in/": Page(Client().get("/sign-in/").content.decode())}


def test_every_page_has_a_language_a_title_one_main_heading_and_a_way_past_the_menu(
    pages: dict[str, Page],
) -> None:
    for url, page in pages.items():
        assert page.open == [], url
        assert page.all("html")[0]["lang"] == "en", url
        assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1, url
        assert any(link.get("href") == "#main" for link in page.all("a")), url


def test_every_input_has_a_label(pages: dict[str, Page]) -> None:
    for url, page in pages.items():
        labelled = {label.get("for") for label in page.all("label")}
        for tag in ("input", "select", "textarea"):
            for field in page.all(tag):
                if field.get("type") != "hidden":
                    assert field.get("id") in labelled or field.get("aria-label"), (url, field)


def test_no_id_is_used_twice(pages: dict[str, Page]) -> None:
    for url, page in pages.items():
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), (url, ids)


def test_every_picture_has_words(pages: dict[str, Page]) -> None:
    assert all("alt" in picture for page in pages.values() for picture in page.all("img"))


def test_no_page_has_script_style_or_handlers_of_its_own(pages: dict[str, Page]) -> None:
    for url, page in pages.items():
        assert all("src" in script for script in page.all("script")), url
        assert not page.all("style"), url
        for tag, attributes in page.tags:
            odd = [name for name in attributes if name == "style" or name.startswith(("on", "hx-on"))]
            assert not odd, (url, tag, odd)


def test_every_page_forbids_what_it_does_not_need(browser: Client) -> None:
    policy = browser.get("/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_no_page_is_kept_by_a_cache(browser: Client, scan: Scan) -> None:
    for url in ("/", reverse("case", args=[scan.case_id]), "/settings/"):
        assert {"no-store", "private"} <= set(browser.get(url)["Cache-Control"].split(", "))


@pytest.mark.parametrize("path", TEMPLATES + OWN_STATIC, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//[a-z]+\.", text)


def test_no_style_is_of_a_class_that_nothing_has() -> None:
    sheets = "".join(path.read_text("utf-8") for path in OWN_STATIC if path.suffix == ".css")
    scripts = [path for path in OWN_STATIC if path.suffix == ".js"]
    code = sorted((settings.BASE_DIR / "classifier").rglob("*.py"))
    used = "".join(path.read_text("utf-8") for path in [*TEMPLATES, *scripts, *code])
    styled = set(re.findall(r"\.([a-z][\w-]*)", re.sub(r"/\*.*?\*/|url\(.*?\)", "", sheets, flags=re.DOTALL)))
    words = set(re.findall(r"[\w-]+", used))
    assert {one for one in styled - words if not COMPOSED.fullmatch(one)} == set()


def test_htmx_may_neither_evaluate_nor_remember(browser: Client) -> None:
    page = browser.get("/").content.decode()
    for rule in ('"allowEval":false', '"includeIndicatorStyles":false', '"historyCacheSize":0'):
        assert rule in page
