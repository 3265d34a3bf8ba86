"""PNG, JPEG, BMP, TIFF and WebP to grey slices, with Pillow told which format to expect."""

import io
import logging
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ml import containers, sheets, tiff
from ml.deep_colour import deep_grey, is_deep_colour
from ml.errors import Interruption
from ml.grey import grey
from ml.image_types import Facts, Image, Limits, Pixels, refusal
from ml.intensity import byte_to_unit, robust_range, to_unit

# Quotes what it stumbles over, which may be a patient's name, into the log.
logging.getLogger("PIL").setLevel(logging.CRITICAL)

ORIENTATION: Final = 0x0112

CONTAINERS: Final[dict[str, Callable[[bytes, Limits], containers.Container]]] = {
    "png": containers.png,
    "jpeg": containers.jpeg,
    "bmp": containers.bmp,
    "webp": containers.webp,
}


def decode(data: bytes, kind: str, limits: Limits) -> Image:
    """Grey slices of ``data``: 8 bits and fewer divided by 255, wider ones by their robust range.

    EXIF orientation is applied, and a sheet of slices is opened. Raises ImageError for what can be
    foreseen and anything at all for the rest.
    """
    if kind == "tiff":
        frames, bits, mode = tiff.read_pages(data, limits)
        return _assemble(frames, kind, bits, mode)
    container = CONTAINERS[kind](data, limits)
    with _open(container.data, kind) as picture:
        limits.check(*picture.size)
        mode = picture.mode
        pixels = _pixels(picture, container.data, kind)
    return _assemble([_upright(pixels, _orientation(container.exif))], kind, container.bits, mode)


def _open(data: bytes, kind: str) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(data), formats=[kind])


def _pixels(picture: PIL.Image.Image, data: bytes, kind: str) -> NDArray[Any]:
    if kind == "jpeg":
        return _grey_jpeg(picture, data)
    if is_deep_colour(picture):
        return deep_grey(picture, _open(data, kind))
    return grey(picture)


def _assemble(frames: list[NDArray[Any]], kind: str, bits: int, mode: str) -> Image:
    wide = [frame for frame in frames if frame.dtype != np.uint8]
    low, high = robust_range(wide) if wide else (0.0, 1.0)
    slices = tuple(_unit(frame, low, high) for frame in frames)
    height, width = slices[0].shape
    return sheets.opened(Image(slices, Facts(kind, width, height, len(slices), bits, mode)))


def _unit(frame: NDArray[Any], low: float, high: float) -> Pixels:
    return byte_to_unit(frame) if frame.dtype == np.uint8 else to_unit(frame, low, high)


def _grey_jpeg(picture: PIL.Image.Image, data: bytes) -> NDArray[Any]:
    """Luma only, decoded without ever computing the colours.

    Where scan data end early the decoder fills the rest with one grey and does not tell. Other bytes
    placed after the data then change the picture; after complete data they change nothing.
    """
    pixels = _luma(picture)
    if np.ptp(pixels[-1]) == 0:
        padded = data.removesuffix(containers.JPEG_END) + bytes(range(1, 255)) * 16 + containers.JPEG_END
        if not np.array_equal(pixels, _luma(_open(padded, "jpeg"))):
            raise refusal("image_truncated")
    return pixels


def _luma(picture: PIL.Image.Image) -> NDArray[Any]:
    picture.draft("L", picture.size)
    return grey(picture)


def _orientation(exif: bytes) -> int:
    if not exif:
        return 1
    tags = PIL.Image.Exif()
    try:
        tags.load(exif)
        return int(tags.get(ORIENTATION, 1))
    except Exception as error:  # a damaged note about the picture is no reason to refuse the picture
        if isinstance(error, Interruption):
            raise
        return 1


def _upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    if orientation in (5, 6, 7, 8):
        pixels = pixels.T
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
