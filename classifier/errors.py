"""Errors that reach a clinician or a program: a stable code, one sentence, an HTTP status."""

import errno

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

NOT_FOUND = {
    "analysis": _("There is no such analysis."),
    "case": _("There is no such case."),
    "file": _("There is no such file."),
    "model version": _("There is no such model version."),
    "page": _("There is no such page."),
    "patient": _("There is no such patient."),
    "report": _("There is no such report."),
    "scan": _("There is no such scan."),
    "slice": _("The scan has no such slice."),
    "outline": _("Nothing is outlined in this scan."),
    "token": _("There is no such token."),
    "view": _("There is no such view."),
}


class UserFacingError(Exception):
    """Expected, explained to the user. Everything else is "internal" for them and a traceback in the log."""

    status = 400

    def __init__(self, code: str, detail: str, *, status: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        if status is not None:
            self.status = status


class NotFound(UserFacingError):
    """Unknown or not visible: a stranger must not learn which."""

    status = 404

    def __init__(self, what: str = "page") -> None:
        super().__init__("not_found", str(NOT_FOUND[what]))


class NotAllowed(UserFacingError):
    status = 403

    def __init__(self, detail: str = "") -> None:
        super().__init__("not_allowed", detail or gettext("This needs a role that you do not have."))


class Conflict(UserFacingError):
    status = 409


class NoRoom(UserFacingError):
    """A disk of the server is full, wherever that was noticed: while files arrive, are unpacked or stored."""

    status = 503

    def __init__(self) -> None:
        super().__init__(
            "storage_unavailable",
            gettext("The server's disk is full, and nothing was stored; try again later."),
        )


def is_full_disk(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
