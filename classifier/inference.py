"""The door to ``ml``: nothing else in the portal imports it. A worker's process holds its predictors here."""

from __future__ import annotations

import gzip
import io
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import PIL.Image
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from numpy.typing import NDArray

import ml.bundle
import ml.findings
import ml.images
from classifier.errors import UserFacingError
from classifier.sentences import translated
from ml.errors import BundleError, ImageError, Interruption

if TYPE_CHECKING:
    from ml.predictor import Predictor

AT_HAND: Final = 2
"""The active model, and the last other one that somebody asked for."""

LEVELS: Final = 4095
"""Grey values of a `Volume` go from 0 to this: as fine as the scanners' own twelve bits."""

TOWARDS: Final = {
    "R": (1, 0, 0),
    "L": (-1, 0, 0),
    "A": (0, 1, 0),
    "P": (0, -1, 0),
    "S": (0, 0, 1),
    "I": (0, 0, -1),
}
"""Unit vectors in NIfTI's space, by the side of the patient that they point to."""

# A worker's time limit strikes inside decoders, too, and is no fault of the file.
Interruption.register(SoftTimeLimitExceeded)

_predictors: OrderedDict[tuple[str, str], Predictor] = OrderedDict()
_loading = threading.Lock()


@dataclass(frozen=True)
class BundleFacts:
    version: str
    sha256: str
    card: dict[str, Any]


class BadImage(UserFacingError):
    """The file is not an image that can be classified; ``code`` says why.

    ``member`` is the index of the file at fault where several were given.
    """

    status = 422

    def __init__(self, code: str, detail: str, *, member: int | None = None) -> None:
        super().__init__(code, detail)
        self.member = member


def limits() -> ml.images.Limits:
    return ml.images.Limits(
        max_bytes=settings.MAX_UPLOAD_BYTES,
        max_total_bytes=settings.MAX_UPLOAD_TOTAL_BYTES,
        max_files=settings.MAX_UPLOAD_FILES,
        max_pixels=settings.MAX_IMAGE_PIXELS,
    )


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except ImageError as error:
        raise BadImage(error.code, translated(error.code, error.detail), member=error.member) from error


@dataclass(frozen=True)
class Series:
    """One series of a scan. ``members`` are the indices of its files in slice order; ``facts`` identify
    nobody."""

    members: tuple[int, ...]
    facts: dict[str, Any]
    patient: str


def is_archive(source: bytes | Path) -> bool:
    return ml.images.is_archive(_head(source))


def unpack(source: bytes | Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files of an archive that may be images, one at a time; `BadImage`."""
    with _refusing():
        for member in ml.images.unpack(source, limits()):
            yield member.name, member.data


def is_dicom(source: bytes | Path) -> bool:
    return ml.images.sniff(_head(source)) == "dicom"


def without_identity(source: bytes | Path, key: bytes) -> bytes:
    """The DICOM file without its patient, the same again for the same ``key``; `BadImage`."""
    with _refusing():
        return ml.images.without_identity(source, key, limits())


def grouped(files: Sequence[bytes | Path]) -> list[list[int]]:
    """Indices of files that may form series with each other, as their headers say; nothing is refused."""
    return ml.images.grouped(files, limits())


def read_series(files: Sequence[bytes | Path]) -> Iterator[Series]:
    """The series that the files form; `BadImage` with its ``member`` for the first that cannot be read.

    One group is in memory at a time. Of the copies of one DICOM image the first is a member.
    """
    for group in grouped(files):
        yield from _series_of(files, group)


def _series_of(files: Sequence[bytes | Path], group: Sequence[int]) -> Iterator[Series]:
    try:
        found = ml.images.read_series([files[index] for index in group], limits())
    except ImageError as error:
        member = error.member or 0
        detail = error.detail.removeprefix(f"File {member + 1} of {len(group)}: ")
        raise BadImage(error.code, translated(error.code, detail), member=group[member]) from error
    for series in found:
        slices = series.image.slices
        facts = series.image.facts.as_dict() | {"frames": len(slices)}
        # Tells a department when a scanner or an export has changed.
        facts["mean_brightness"] = round(sum(float(one.mean()) for one in slices) / len(slices), 4)
        if series.description:
            facts["description"] = series.description
        yield Series(tuple(group[member] for member in series.members), facts, series.patient)


def _head(source: bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source[: ml.images.HEAD]
    with source.open("rb") as handle:
        return handle.read(ml.images.HEAD)


def _one_series(files: Sequence[Path]) -> ml.images.Image:
    with _refusing():
        return ml.images.read_one(files, limits()).image


@dataclass(frozen=True)
class Volume:
    """The slices of a scan as grey values from 0 to ``LEVELS``, half the size of what was decoded."""

    slices: tuple[NDArray[np.int16], ...]
    facts: ml.images.Facts

    @property
    def nbytes(self) -> int:
        return sum(pixels.nbytes for pixels in self.slices)

    def slice(self, index: int) -> NDArray[np.float32]:
        """Grey values (height, width) in [0, 1]."""
        return self.slices[index].astype(np.float32) / np.float32(LEVELS)


def read_volume(files: Sequence[Path]) -> Volume:
    """The files of one scan, decoded; `BadImage` where they are none."""
    image = _one_series(files)
    slices = tuple(np.rint(np.nan_to_num(pixels) * LEVELS).astype(np.int16) for pixels in image.slices)
    return Volume(slices, image.facts)


def picture(volume: Volume, *, index: int = 0, max_side: int | None = None) -> bytes:
    """One slice as a grey 8-bit PNG for a browser, free of metadata."""
    return ml.images.to_png(volume.slice(index), max_side)


Masks = Mapping[int, ml.findings.Mask]


def masks(stored: bytes) -> Masks:
    """The masks (height, width) of an analysis by slice, from what `analyse` gave to be stored."""
    return ml.findings.decode(stored)


def overlay(volume: Volume, outlines: Masks, *, index: int, opacity: float, outline: bool) -> bytes:
    """One slice as a colour PNG with its mask laid over it, filled or as an ``outline``."""
    pixels = volume.slice(index)
    return ml.findings.overlay_png(
        pixels, _mask_of(outlines, index, pixels.shape), opacity=opacity, outline=outline
    )


def mask_picture(volume: Volume, outlines: Masks, *, index: int) -> bytes:
    """The mask of one slice as a PNG of the slice's size: opaque colour in the mask, clear elsewhere."""
    mask = _mask_of(outlines, index, volume.slice(index).shape)
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[mask] = (*ml.findings.COLOUR, 255)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def border_picture(outlines: Masks, *, index: int, side: int) -> bytes:
    """A border around the mask of one outlined slice as a clear PNG, ``side`` pixels on its longer side."""
    return ml.findings.border_png(outlines[index], side)


def _mask_of(outlines: Masks, index: int, shape: tuple[int, ...]) -> ml.findings.Mask:
    return outlines.get(index, np.zeros(shape, np.bool_))


def nifti(volume: Volume) -> bytes:
    """The scan as a gzipped NIfTI-1 volume, grey values from 0 to ``LEVELS``.

    Its place in space is approximate: spacing and orientation are the file's where it tells them,
    otherwise 1 mm and a radiological axial view, and the origin is the first pixel's. Good for
    looking, not for registering.
    """
    return _nifti(volume.slices, volume.facts)


def mask_nifti(volume: Volume, outlines: Masks) -> bytes:
    """The masks as a gzipped NIfTI-1 volume in the same space, 1 where there is one."""
    slices = [
        _mask_of(outlines, index, pixels.shape).astype(np.uint8) for index, pixels in enumerate(volume.slices)
    ]
    return _nifti(slices, volume.facts)


def _nifti(slices: Sequence[NDArray[Any]], facts: ml.images.Facts) -> bytes:
    from nibabel.nifti1 import Nifti1Image  # only who asks for a volume pays for it

    height, width = (max(pixels.shape[axis] for pixels in slices) for axis in (0, 1))
    data = np.zeros((width, height, len(slices)), slices[0].dtype)
    for index, pixels in enumerate(slices):
        data[: pixels.shape[1], : pixels.shape[0], index] = pixels.T
    image = Nifti1Image(data, _affine(facts))
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)


def _affine(facts: ml.images.Facts) -> NDArray[np.float64]:
    """From (column, row, slice) to millimetres: right, anterior, superior."""
    left, top = facts.orientation or ("R", "A")
    row_spacing, column_spacing = facts.spacing_mm or (1.0, 1.0)
    along_row, down = -np.array(TOWARDS[left]), -np.array(TOWARDS[top])
    affine = np.eye(4)
    affine[:3, 0] = along_row * column_spacing
    affine[:3, 1] = down * row_spacing
    affine[:3, 2] = np.cross(along_row, down) * (facts.slice_spacing_mm or 1.0)
    return affine


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
    that was registered or gives wrong answers.
    """
    started = time.perf_counter()
    loaded_before = (version, sha256) in _predictors
    _predictor_of(version, sha256)
    return None if loaded_before else time.perf_counter() - started


def _predictor_of(version: str, sha256: str) -> Predictor:
    """Of more than ``AT_HAND`` models the one that has not been used for longest goes."""
    with _loading:
        if (version, sha256) not in _predictors:
            if len(_predictors) == AT_HAND:
                _predictors.popitem(last=False)
            _predictors[version, sha256] = _load(version, sha256)
        _predictors.move_to_end((version, sha256))
        return _predictors[version, sha256]


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


def analyse(
    files: Sequence[Path],
    *,
    version: str,
    sha256: str,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Classify one scan's files as one series.

    `ml.predictor.Prediction.as_dict`, with the stored form of its masks in ``masks`` (empty without any)
    and the slices that have one in its finding. ``progress`` hears of slices done and of all slices.
    """
    predictor = _predictor_of(version, sha256)
    started = time.perf_counter()
    image = _one_series(files)
    decode_ms = (time.perf_counter() - started) * 1000
    prediction = predictor.predict(image, progress)
    answer = prediction.as_dict()
    answer["timings"]["decode"] = decode_ms
    answer["masks"] = ml.findings.encode(prediction.masks) if prediction.masks else b""
    if answer["finding"]:
        answer["finding"]["slices"] = sorted(prediction.masks)
    return answer
