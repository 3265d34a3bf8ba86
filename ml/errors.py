"""Errors that ``ml`` raises on purpose. Each carries a stable code and a plain sentence."""

from abc import ABC


class Interruption(ABC):  # noqa: B024 - a place to register in
    """What a caller ends the work with at whatever line it has come to, such as a time limit.

    Callers register their exceptions (``Interruption.register``): none is taken for a damaged file.
    """


class MlError(Exception):
    """An expected failure: ``code`` is stable, ``detail`` is one sentence for a clinician."""

    code = "ml_error"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code


class ImageError(MlError):
    """The bytes given are not an image that can be classified.

    ``member`` is the index of the source at fault where several were given.
    """

    code = "image_unreadable"
    member: int | None = None


class BundleError(MlError):
    """A model bundle is missing, incomplete, altered or made for another version."""

    code = "bundle_invalid"
