"""Several files at once: which belong together and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ml.decoding import DEFAULT_LIMITS, Source, blaming, bytes_of, decode, head_of, kind_of
from ml.errors import ImageError
from ml.formats import sniff
from ml.image_types import Limits, Series, refusal

if TYPE_CHECKING:
    from ml.dicom_series import Collection


def read_series(sources: Sequence[Source], limits: Limits = DEFAULT_LIMITS) -> list[Series]:
    """The series that ``sources`` form, each with its slices in anatomical order.

    DICOM files with one SeriesInstanceUID are one series as far as they show the patient from one
    side in one size and pixel spacing, and as many as there are images at each position; any other
    file is a series of its own. Of the copies of one DICOM image the first counts. In the order of the
    first source of each series. Raises ImageError as ``read`` does, with ``member`` and, where there
    are several, the number of the source at fault in the detail; OSError where a source cannot be read.
    """
    with _naming(_numbered(sources)):
        return _read(sources, limits)


def read_groups(names: Sequence[str], sources: Sequence[bytes | Path], limits: Limits) -> Iterator[Series]:
    """The series of ``read_series``, one group of ``grouped`` in memory at a time.

    The limits on pixels hold for each group, those on files and bytes for all. In the order of the
    groups. A refusal calls the source at fault by its name and comes when its group is reached.
    """
    _check_together(sources, limits)
    for group in grouped(sources, limits):
        with _naming(names), _of_all(group):
            found = _read([sources[index] for index in group], limits)
        for series in found:
            yield replace(series, members=tuple(group[member] for member in series.members))


def _check_together(sources: Sequence[bytes | Path], limits: Limits) -> None:
    if len(sources) > limits.max_files:
        raise refusal("too_many_files")
    sizes = (one.stat().st_size if isinstance(one, Path) else len(one) for one in sources)
    if sum(sizes) > limits.max_total_bytes:
        raise refusal("too_many_bytes")


@contextmanager
def _of_all(group: Sequence[int]) -> Iterator[None]:
    """A refusal tells the index of the source at fault among all, not in its ``group``."""
    try:
        yield
    except ImageError as error:
        if error.member is not None:
            error.member = group[error.member]
        raise


def read_one(sources: Sequence[Source], limits: Limits = DEFAULT_LIMITS) -> Series:
    """The one series that ``sources`` are known to be, whatever their headers say.

    Stored scans stay what they were when they were read first. Raises as ``read_series`` does;
    ValueError where they cannot be one, being no DICOM files.
    """
    with _naming(_numbered(sources)):
        [series] = _read(sources, limits, together=True)
    return series


def grouped(sources: Sequence[bytes | Path], limits: Limits = DEFAULT_LIMITS) -> list[list[int]]:
    """Indices of the sources, apart from those that no series has in common with them.

    Told by the headers alone: each group can be read on its own, so that memory holds one. In the
    order of their first sources; nothing is refused here.
    """
    groups: dict[object, list[int]] = {}
    for index, source in enumerate(sources):
        groups.setdefault(_series_uid(source, limits) or index, []).append(index)
    return list(groups.values())


def _series_uid(source: bytes | Path, limits: Limits) -> str:
    """Empty for what is no DICOM file and for one that does not say."""
    if sniff(head_of(source)) != "dicom":
        return ""
    from ml.dicom_series import series_uid

    return series_uid(source, limits)


def _numbered(sources: Sequence[Source]) -> list[str]:
    return [f"File {number} of {len(sources)}" for number in range(1, len(sources) + 1)]


@contextmanager
def _naming(names: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except ImageError as error:
        if error.member is None or len(names) == 1:
            raise
        named = ImageError(f"{names[error.member]}: {error.detail}", code=error.code)
        named.member = error.member
        raise named from None


def _read(sources: Sequence[Source], limits: Limits, *, together: bool = False) -> list[Series]:
    if len(sources) > limits.max_files:
        raise refusal("too_many_files")
    found: list[Series] = []
    collection: Collection | None = None
    left, total = limits.max_pixels, 0
    for index, source in enumerate(sources):
        with blaming(index):
            data = bytes_of(source, limits)
            total += len(data)
            if total > limits.max_total_bytes:
                raise refusal("too_many_bytes")
            kind, rest = kind_of(data), replace(limits, max_pixels=left)
            if kind == "dicom":
                collection = collection or _collection(together=together)
                left -= collection.add(index, data, rest)
                continue
            image = decode(data, kind, rest)
            left -= sum(pixels.size for pixels in image.slices)
            found.append(Series(image, (index,), image.facts.sequence))
    found += collection.series(limits) if collection else []
    return sorted(found, key=lambda series: min(series.members))


def _collection(*, together: bool) -> Collection:
    from ml.dicom_series import Collection

    return Collection(together=together)
