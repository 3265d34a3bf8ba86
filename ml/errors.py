"""Errors that ``ml`` raises on purpose. Each carries a stable code and a plain sentence."""


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
