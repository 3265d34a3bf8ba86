"""One pass over a collection: what each file is, what its picture looks like, and its small copy."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from tqdm import tqdm

from ml import images, preprocess
from ml.datasets import DataError, Row
from ml.errors import ImageError
from ml.evaluate import Unreadable
from ml.image_types import Facts, Pixels

SIDE: Final = 96
"""The side of the prepared copies, in pixels."""


@dataclass(frozen=True)
class Picture:
    """``sha256`` is the file's, ``pixels`` the digest of the grey picture before any preparation.

    ``asymmetry`` says which side is brighter, (left - right) / (left + right). ``tables`` is the sum
    of a JPEG's first quantisation table (0 for other kinds): how hard it was compressed.
    """

    row: Row
    bytes: int
    sha256: str
    pixels: str
    facts: Facts
    asymmetry: float
    tables: int


@dataclass(frozen=True)
class Survey:
    """``prepared`` is uint8 (pictures, SIDE, SIDE), the network's view in the order of ``pictures``."""

    pictures: tuple[Picture, ...]
    prepared: NDArray[np.uint8]
    unreadable: tuple[Unreadable, ...]

    @property
    def rows(self) -> list[Row]:
        return [picture.row for picture in self.pictures]


def survey(data: Path, rows: Sequence[Row]) -> Survey:
    """Read every row once. Files that cannot be read are listed; DataError where none can."""
    pictures: list[Picture] = []
    prepared = np.empty((len(rows), SIDE, SIDE), np.uint8)
    unreadable: list[Unreadable] = []
    for row in tqdm(rows, desc="read", unit="image", disable=None):
        try:
            picture, pixels = _look(data, row)
        except ImageError as error:
            unreadable.append(Unreadable(row.path, error.code, error.detail))
            continue
        prepared[len(pictures)] = np.rint(preprocess.prepare(pixels, SIDE)[..., 0] * 255)
        pictures.append(picture)
    if not pictures:
        raise DataError(f"None of the {len(rows)} files in {data} can be read.", code="data_unreadable")
    return Survey(tuple(pictures), prepared[: len(pictures)], tuple(unreadable))


def _look(data: Path, row: Row) -> tuple[Picture, Pixels]:
    try:
        content = (data / row.path).read_bytes()
    except OSError as error:
        raise ImageError(f"The file cannot be opened: {error.strerror}.", code="file_unreadable") from None
    image = images.read(content)
    pixels = image.slices[0]
    picture = Picture(
        row=row,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        pixels=_digest(pixels),
        facts=image.facts,
        asymmetry=asymmetry(pixels),
        tables=_quantisation(content) if image.facts.kind == "jpeg" else 0,
    )
    return picture, pixels


def _digest(pixels: Pixels) -> str:
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def asymmetry(pixels: NDArray[Any]) -> float:
    half = pixels.shape[1] // 2
    left, right = (float(np.mean(part)) for part in (pixels[:, :half], pixels[:, -half:]))
    return (left - right) / (left + right) if left + right > 0 else 0.0


def _quantisation(content: bytes) -> int:
    with PIL.Image.open(io.BytesIO(content), formats=["jpeg"]) as picture:
        tables: dict[int, list[int]] = getattr(picture, "quantization", {})
    return sum(tables.get(0, ()))
