"""The request behind the sign-in, and small questions the views ask of it."""

from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, QueryDict

from classifier.actors import actor_of
from classifier.audit import Actor
from classifier.models import User


class SignedInRequest(HttpRequest):
    """What `SignInMiddleware` lets through to every view that does not say otherwise."""

    user: User


def page_actor(request: HttpRequest) -> Actor:
    return actor_of(request, via="page")


def form_data(request: HttpRequest) -> QueryDict | None:
    """What binds a form: an empty POST is still an answer, and a wrong one."""
    return request.POST if request.method == "POST" else None


def is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def wants_json(request: HttpRequest) -> bool:
    """A program, or a script of ours that shows the answer in its own place."""
    if request.path.startswith("/api/"):
        return True
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def page_before(request: HttpRequest) -> str:
    """The portal's own page that the request comes from; empty where it comes from elsewhere."""
    before = urlsplit(request.headers.get("Referer", ""))
    if before.netloc != request.get_host():
        return ""
    return before._replace(scheme="", netloc="", fragment="").geturl()


def with_query(path: str, **parameters: str) -> str:
    return f"{path}?{urlencode(parameters)}"
