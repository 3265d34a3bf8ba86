"""DICOM files to series: grouped by their header, decoded together, ordered in the patient."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydicom.dataset import Dataset

from ml.anatomy import Place, parallel
from ml.decoding import blaming, bytes_of, refusing
from ml.dicom import PIXEL_KEYWORDS, assemble, data_set, parse
from ml.dicom_geometry import pixel_spacing, place
from ml.dicom_passes import Rank, passes, rank
from ml.dicom_pixels import decompress, frame_count, stored_values
from ml.errors import ImageError
from ml.image_types import Limits, Series, refusal

SPACING_DIGITS: Final = 2
"""Of PixelSpacing, in millimetres: what is measured on a slice counts on it."""


def series_uid(source: bytes | Path, limits: Limits) -> str:
    """The SeriesInstanceUID; empty where there is none or the file cannot be read, which is not said here."""
    try:
        data = bytes_of(source, limits)
        with refusing("dicom"):
            return str(data_set(data, limits).get("SeriesInstanceUID") or "")
    except ImageError:
        return ""


class File(NamedTuple):
    """``kin`` is what all files of a series have in common; ``member`` the index of the source.

    All that is asked of the header outside of its pixels is asked when it is made, and a file that
    cannot answer is refused by itself.
    """

    member: int
    header: Dataset
    place: Place
    kin: tuple[Any, ...]
    rank: Rank
    patient: str


class Collection:
    """Files on their way to becoming series; their pixels stay as they are stored until ``series``.

    ``together`` where they are known to be one, whatever their headers say.
    """

    def __init__(self, *, together: bool = False) -> None:
        self._together = together
        self._groups: list[list[File]] = []
        self._seen: set[object] = set()

    def add(self, member: int, data: bytes, limits: Limits) -> int:
        """Number of pixels of this file, which is refused if it holds no picture; 0 for a copy."""
        with refusing("dicom"):
            header = parse(data, limits)
            file = File(member, header, place(header), _kin(member, header), rank(header), _patient(header))
            identity = _identity(file, data)
            if identity in self._seen:
                return 0
            self._seen.add(identity)
            self._group_of(file).append(file)
            return int(header.Rows) * int(header.Columns) * frame_count(header)

    def _group_of(self, file: File) -> list[File]:
        for group in self._groups:
            if self._together or (group[0].kin == file.kin and parallel(group[0].place, file.place)):
                return group
        self._groups.append([])
        return self._groups[-1]

    def series(self, limits: Limits) -> Iterator[Series]:
        for group in self._groups:
            if len(group) > limits.max_frames:
                raise refusal("image_too_large", f"A series of {len(group)} slices is too long.")
            for part in [group] if self._together else _passes(group):
                yield _series(part)


def _kin(member: int, header: Dataset) -> tuple[Any, ...]:
    uid = str(header.get("SeriesInstanceUID") or "")
    if not uid or frame_count(header) > 1:
        return (member,)
    stored = ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation")
    spacing = tuple(round(size, SPACING_DIGITS) for size in pixel_spacing(header) or ())
    return (uid, *(str(header.get(keyword)) for keyword in stored), spacing)


def _passes(group: Sequence[File]) -> list[list[File]]:
    found = passes([file.rank for file in group], [file.place for file in group])
    return [[group[index] for index in indices] for indices in found]


def _identity(file: File, data: bytes) -> object:
    """What copies of one image share, also those that are stored in different ways.

    The identifier alone is not trusted: where names were removed it may be the same in every file.
    """
    uid, position = str(file.header.get("SOPInstanceUID") or ""), file.place.position
    if uid and position is not None and frame_count(file.header) == 1:
        return uid, tuple(position), file.rank
    return hashlib.sha256(data).digest()


def _series(group: Sequence[File]) -> Series:
    _decompress(group)
    decoded = []
    for file in group:
        with blaming(file.member), refusing("dicom"):
            decoded.append((file.header, stored_values(file.header)))
            for keyword in PIXEL_KEYWORDS:
                file.header.pop(keyword, None)
    with blaming(group[0].member), refusing("dicom"):
        image, order = assemble(decoded)
    members = tuple(group[position].member for position in order)
    return Series(image, members, image.facts.sequence, group[0].patient)


def _patient(header: Dataset) -> str:
    """Two hospitals may give the same number to two people."""
    number = str(header.get("PatientID") or "").strip()
    return f"{number} {header.get('IssuerOfPatientID') or ''}".strip() if number else ""


def _decompress(group: Sequence[File]) -> None:
    """All at once; one by one only to find out which file is damaged."""
    try:
        with refusing("dicom"):
            decompress([file.header for file in group])
    except ImageError:
        for file in group:
            with blaming(file.member), refusing("dicom"):
                decompress([file.header])
