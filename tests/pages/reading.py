"""What a test reads in a page and in the trail behind it."""

import re
from html.parser import HTMLParser
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from classifier.models import AuditEvent, Scan


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._skipping = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._skipping += tag in {"script", "style", "template"}

    def handle_endtag(self, tag: str) -> None:
        self._skipping -= tag in {"script", "style", "template"}

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self.words.append(data)


def words(response: HttpResponse) -> str:
    """What a person reads, in single spaces."""
    parser = _Words()
    parser.feed(response.content.decode())
    return " ".join(" ".join(parser.words).split())


def polled_url(response: HttpResponse) -> str:
    """Where the page asks for news of itself."""
    found = re.findall(r'hx-get="([^"]+)" hx-trigger="every', response.content.decode())
    assert len(found) == 1, found
    return str(found[0]).replace("&amp;", "&")


def actions() -> list[str]:
    """The audit trail, oldest first."""
    return list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))


def last_event() -> AuditEvent:
    return AuditEvent.objects.latest("pk")


def page_of(client: Client, scan: Scan) -> Any:
    return client.get(reverse("case", args=[scan.case_id]))


def review(client: Client, analysis: Any, **form: str) -> Any:
    return client.post(reverse("review", args=[analysis.pk]), form)
