"""PNG, JPEG, BMP, TIFF and WebP to grey slices, with Pillow told which format to expect."""

import io
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ml import containers
from ml.image_types import Facts, Image, Limits, Pixels, refusal
from ml.intensity import byte_to_unit, robust_range, to_unit

WIDE_MODES: Final = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I", "F"})
ORIENTATION: Final = 0x0112
TRANSPARENT: Final = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})

_OPENERS: Final[dict[str, Callable[[bytes, Limits], containers.Container]]] = {
    "png": containers.png,
    "jpeg": containers.jpeg,
    "bmp": containers.bmp,
    "webp": containers.webp,
}


def decode(data: bytes, kind: str, limits: Limits) -> Image:
    """Grey slices of ``data``: 8 bits and fewer divided by 255, wider ones by their robust range.

    Colour becomes its luma (ITU-R 601), transparency is laid over black, EXIF orientation is
    applied. Raises ImageError for what can be foreseen and anything at all for the rest.
    """
    if kind == "tiff":
        return _decode_tiff(data, limits)
    container = _OPENERS[kind](data, limits)
    with PIL.Image.open(io.BytesIO(container.data), formats=[kind]) as picture:
        limits.check(*picture.size)
        mode = picture.mode
        if kind == "jpeg":
            picture.draft("L", picture.size)
        pixels = _upright(grey(picture), _orientation(container.exif))
    return _assemble([pixels], kind, container.bits, mode)


def _assemble(frames: list[NDArray[Any]], kind: str, bits: int, mode: str) -> Image:
    wide = [frame for frame in frames if frame.dtype != np.uint8]
    low, high = robust_range(wide) if wide else (0.0, 1.0)
    slices = tuple(_unit(frame, low, high) for frame in frames)
    height, width = slices[0].shape
    return Image(slices, Facts(kind, width, height, len(slices), bits, mode))


def _unit(frame: NDArray[Any], low: float, high: float) -> Pixels:
    return byte_to_unit(frame) if frame.dtype == np.uint8 else to_unit(frame, low, high)


def grey(picture: PIL.Image.Image) -> NDArray[Any]:
    """(height, width): uint8 for pictures of up to 8 bits a sample, the stored type for wider ones."""
    if picture.mode in WIDE_MODES:
        return np.asarray(picture)
    if picture.mode in TRANSPARENT or "transparency" in picture.info:
        return _over_black(picture)
    if picture.mode == "LAB":
        return np.asarray(picture.getchannel(0))
    if picture.mode == "CMYK":
        picture = picture.convert("RGB")
    return np.asarray(picture if picture.mode == "L" else picture.convert("L"))


def _over_black(picture: PIL.Image.Image) -> NDArray[np.uint8]:
    layers = picture.convert("RGBA")
    luma, alpha = np.asarray(layers.convert("RGB").convert("L")), np.asarray(layers.getchannel("A"))
    if alpha.min() == 255:
        return luma
    return ((luma.astype(np.uint16) * alpha + 127) // 255).astype(np.uint8)


def _orientation(exif: bytes) -> int:
    if not exif:
        return 1
    tags = PIL.Image.Exif()
    try:
        tags.load(exif)
        return int(tags.get(ORIENTATION, 1))
    except Exception:  # a damaged note about the picture is no reason to refuse the picture
        return 1


def _upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    if orientation in (5, 6, 7, 8):
        pixels = pixels.T
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _decode_tiff(data: bytes, limits: Limits) -> Image:
    with PIL.Image.open(io.BytesIO(data), formats=["tiff"]) as picture:
        mode, bits = picture.mode, _tiff_bits(picture)
        frames = list(_tiff_pages(picture, len(data), limits))
    if not frames:
        raise refusal("image_unreadable")
    return _assemble(frames, "tiff", bits, mode)


PREVIEW_OR_MASK: Final = 0b101
BITS, WHITE_IS_ZERO_TAG, SUBFILE = 258, 262, 254
TILE_WIDTH, TILE_HEIGHT = 322, 323
PLACES: Final = ((273, 279), (324, 325))


def _tiff_bits(picture: Any) -> int:
    return int(picture.tag_v2.get(BITS, (1,))[0])


def _tiff_pages(picture: Any, length: int, limits: Limits) -> Iterator[NDArray[Any]]:
    """Every page that is a picture of its own, not a preview or mask of another one."""
    total = 0
    for index in range(limits.max_frames + 1):
        try:
            picture.seek(index)
        except EOFError:
            return
        tags = picture.tag_v2
        if int(tags.get(SUBFILE, 0)) & PREVIEW_OR_MASK:
            continue
        limits.check(*picture.size, index + 1)
        total += picture.size[0] * picture.size[1]
        if max(total, tags.get(TILE_WIDTH, 0) * tags.get(TILE_HEIGHT, 0)) > limits.max_pixels:
            raise refusal("image_too_large")
        _check_places(tags, length)
        yield _tiff_grey(picture)
    raise refusal("image_too_large")


def _check_places(tags: Any, length: int) -> None:
    for offsets, counts in PLACES:
        for offset, count in zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False):
            if offset + count > length:
                raise refusal("image_truncated")


def _tiff_grey(picture: PIL.Image.Image) -> NDArray[Any]:
    """Pillow leaves 16-bit and wider "white is zero" pictures as negatives."""
    negative = picture.mode in WIDE_MODES and picture.tag_v2.get(WHITE_IS_ZERO_TAG) == 0  # type: ignore[attr-defined]
    values = grey(picture)
    return values.max() - values if negative else values.copy()
