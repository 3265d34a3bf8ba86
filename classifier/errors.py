"""Errors that reach a clinician or a program: a stable code, one sentence, an HTTP status."""


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
        super().__init__("not_found", f"There is no such {what}.")


class NotAllowed(UserFacingError):
    status = 403

    def __init__(self, detail: str = "Your role does not allow this.") -> None:
        super().__init__("not_allowed", detail)


class Conflict(UserFacingError):
    status = 409
