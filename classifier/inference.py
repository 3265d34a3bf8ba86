"""The door to ``ml``: nothing else in the portal imports it. Holds one predictor per process."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings

import ml.bundle
import ml.images
from classifier.errors import UserFacingError
from classifier.sentences import translated
from ml.errors import BundleError, ImageError

if TYPE_CHECKING:
    from ml.predictor import Predictor

_predictor: Predictor | None = None
_loading = threading.Lock()


@dataclass(frozen=True)
class BundleFacts:
    version: str
    sha256: str
    card: dict[str, Any]


class BadImage(UserFacingError):
    """The file is not an image that can be classified; ``code`` says why."""

    status = 422


def limits() -> ml.images.Limits:
    return ml.images.Limits(max_bytes=settings.MAX_UPLOAD_BYTES, max_pixels=settings.MAX_IMAGE_PIXELS)


def read_image(source: bytes | Path | IO[bytes]) -> ml.images.Image:
    """Decode by content; `BadImage` with the code of `ml.images` otherwise."""
    try:
        return ml.images.read(source, limits())  # type: ignore[arg-type]
    except ImageError as error:
        raise BadImage(error.code, translated(error.code, error.detail)) from error


def picture(source: bytes | IO[bytes], *, index: int = 0, max_side: int | None = None) -> bytes:
    """One slice as a grey 8-bit PNG for a browser, free of metadata."""
    slices = read_image(source).slices
    return ml.images.to_png(slices[min(index, len(slices) - 1)], max_side)


def verify_bundle(directory: Path) -> BundleFacts:
    try:
        bundle = ml.bundle.verify(directory)
    except BundleError as error:
        raise UserFacingError(error.code, error.detail) from error
    return BundleFacts(version=bundle.version, sha256=bundle.sha256, card=bundle.card)


def bundled_versions() -> Sequence[Path]:
    """The bundle folders shipped or installed under PORTAL_BUNDLES_DIR."""
    return ml.bundle.available(settings.BUNDLES_DIR)


def default_bundle() -> Path:
    try:
        return ml.bundle.default(settings.BUNDLES_DIR)
    except BundleError as error:
        raise UserFacingError(error.code, error.detail) from error


def bundle_directory(version: str) -> Path:
    return Path(settings.BUNDLES_DIR) / version


def load(*, version: str, sha256: str) -> float | None:
    """Have this bundle loaded, verified and warmed up in this process.

    Seconds taken, or None where it was loaded already. `UserFacingError` where it is not the one
    that was registered or gives wrong answers; then the predictor from before stays.
    """
    before, started = _predictor, time.perf_counter()
    if _predictor_of(version, sha256) is before:
        return None
    return time.perf_counter() - started


def _predictor_of(version: str, sha256: str) -> Predictor:
    global _predictor  # noqa: PLW0603 - one model in memory per process is the design
    with _loading:
        if _predictor is None or (_predictor.version, _predictor.sha256) != (version, sha256):
            _predictor = _load(version, sha256)
        return _predictor


def _load(version: str, sha256: str) -> Predictor:
    from ml.predictor import Predictor  # the web process decodes pictures and must not pay for an engine

    try:
        predictor = Predictor.load(bundle_directory(version))
        if predictor.sha256 != sha256:
            raise BundleError(f"Bundle {version} is not the one that was registered.", code="bundle_altered")
        predictor.warm_up()
    except BundleError as error:
        raise UserFacingError(error.code, error.detail) from error
    return predictor


def analyse(images: Sequence[bytes], *, version: str, sha256: str) -> dict[str, Any]:
    """Classify one scan's files as one series; the result of `ml.predictor.Prediction.as_dict`."""
    predictor = _predictor_of(version, sha256)
    started = time.perf_counter()
    decoded = [read_image(data) for data in images]
    decode_ms = (time.perf_counter() - started) * 1000
    slices = tuple(pixels for image in decoded for pixels in image.slices)
    prediction = predictor.predict(ml.images.Image(slices=slices, facts=decoded[0].facts)).as_dict()
    prediction["timings"]["decode"] = decode_ms
    return prediction
