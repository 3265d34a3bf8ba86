"""TIFF files: their pages checked by their own directory, then drawn by Pillow."""

import ctypes
import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

import numpy as np
import PIL._imaging
import PIL.Image
from numpy.typing import NDArray

from ml.deep_colour import deep_grey, is_deep_colour
from ml.grey import WIDE_MODES, grey
from ml.image_types import Limits, refusal

SUBFILE, WIDTH, HEIGHT, BITS, PHOTOMETRIC = 254, 256, 257, 258, 262
PLANES, TILE_WIDTH, TILE_HEIGHT = 284, 322, 323
STRIPS: Final = (273, 279)
TILES: Final = (324, 325)
COLOURS, JPEG_TABLES = 320, 347
NEEDED: Final = frozenset(
    {
        SUBFILE,
        WIDTH,
        HEIGHT,
        BITS,
        PHOTOMETRIC,
        PLANES,
        TILE_WIDTH,
        TILE_HEIGHT,
        *STRIPS,
        *TILES,
        COLOURS,
        JPEG_TABLES,
    }
)
DESCRIBING: Final = (SUBFILE, BITS)
APART: Final = 2
"""Of ``PLANES``: each colour by itself."""
PREVIEW_OR_MASK: Final = 0b101
WHITE_IS_ZERO: Final = 0
NATIVE: Final = {"I;16BS": "I;16NS", "I;32BS": "I;32NS", "F;32BF": "F;32NF"}
"""What libtiff has unpacked is in this machine's byte order, which Pillow says of unsigned samples alone."""
INTEGER_TYPES: Final = {1: "u1", 3: "u2", 4: "u4", 7: "u1", 13: "u4", 16: "u8", 18: "u8"}
TYPE_SIZES: Final = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
MOST_ENTRIES: Final = 4096
LONGEST_TABLE: Final = 1 << 20
MOST_HELD: Final = 4
"""Pages may share tables, so that all of them hold up to so many times the bytes of the file."""

Page = dict[int, tuple[int, ...]]


class Layout(NamedTuple):
    """Byte order and, for BigTIFF (``large``), wider numbers."""

    order: str
    large: bool

    @property
    def counter(self) -> str:
        return self.order + ("Q" if self.large else "H")

    @property
    def pointer(self) -> str:
        return self.order + ("Q" if self.large else "L")

    @property
    def entry(self) -> str:
        return self.order + ("HHQ" if self.large else "HHL")

    @property
    def entry_size(self) -> int:
        return struct.calcsize(self.entry) + struct.calcsize(self.pointer)


with suppress(AttributeError, OSError):  # libtiff writes what it dislikes straight to the terminal
    ctypes.CDLL(PIL._imaging.__file__).TIFFSetErrorHandler(None)


def read_pages(data: bytes, limits: Limits) -> tuple[list[NDArray[Any]], int, str]:
    """The pages that are pictures of their own, not previews or masks; bits and mode of the first one."""
    pages = _checked_pages(data, limits)
    chosen = [index for index, page in enumerate(pages) if not page.get(SUBFILE, (0,))[0] & PREVIEW_OR_MASK]
    with _open(data) as picture, _open(data) as again:
        picture.seek(chosen[0])
        mode = picture.mode
        frames = [_page_grey(picture, again, index) for index in chosen]
    return frames, pages[chosen[0]].get(BITS, (1,))[0], mode


def _checked_pages(data: bytes, limits: Limits) -> list[Page]:
    """Of each page what ``DESCRIBING`` names: tables of all pages together would not fit into memory."""
    pages: list[Page] = []
    pixels = 0
    for page in _pages(data):
        pages.append({tag: page[tag] for tag in DESCRIBING if tag in page})
        bits, width, height = page.get(BITS, (1,)), page[WIDTH][0], page[HEIGHT][0]
        if page.get(PLANES, (1,))[0] == APART and len(bits) > 1 and max(bits) > 8:
            raise ValueError("wide samples in planes: Pillow takes their bytes for pixels")
        if not page.get(SUBFILE, (0,))[0] & PREVIEW_OR_MASK:
            limits.check(width, height, len(pages))
        tile = page.get(TILE_WIDTH, (0,))[0] * page.get(TILE_HEIGHT, (0,))[0]
        pixels += width * height
        if max(pixels, tile) > limits.max_pixels or len(pages) > limits.max_frames:
            raise refusal("image_too_large")
        for offsets, lengths in (STRIPS, TILES):
            ends = map(sum, zip(page.get(offsets, ()), page.get(lengths, ()), strict=False))
            if max(ends, default=0) > len(data):
                raise refusal("image_truncated")
    return pages


def _pages(data: bytes) -> Iterator[Page]:
    """The needed integer values of each page, tag by tag, down the chain of directories."""
    layout = Layout("<" if data[:2] == b"II" else ">", large=data[2:4] in (b"+\0", b"\0+"))
    start, seen = _unpack(layout.pointer, data, 8 if layout.large else 4), set()
    held = 0
    while start and start not in seen:
        seen.add(start)
        first = start + struct.calcsize(layout.counter)
        entries = _unpack(layout.counter, data, start)
        last = first + layout.entry_size * entries
        following = _unpack(layout.pointer, data, last)
        if entries > MOST_ENTRIES:
            raise ValueError("too many entries")
        positions = range(first, last, layout.entry_size)
        own = _held(data, positions, layout)
        held += own
        # The same bytes counted many times over: Pillow would copy them all.
        if own > len(data) or held > MOST_HELD * len(data):
            raise refusal("image_truncated")
        yield _page(data, positions, layout)
        start = following


def _held(data: bytes, positions: range, layout: Layout) -> int:
    """The bytes of all values of a page."""
    entries = (struct.unpack_from(layout.entry, data, position) for position in positions)
    return sum(TYPE_SIZES.get(kind, 1) * count for _, kind, count in entries)


def _page(data: bytes, positions: range, layout: Layout) -> Page:
    page = {}
    for position in positions:
        tag, kind, count = struct.unpack_from(layout.entry, data, position)
        if tag in NEEDED and kind in INTEGER_TYPES:
            page[tag] = _values(data, position, np.dtype(layout.order + INTEGER_TYPES[kind]), count, layout)
    return page


def _values(
    data: bytes, position: int, numbers: np.dtype[Any], count: int, layout: Layout
) -> tuple[int, ...]:
    place = position + struct.calcsize(layout.entry)
    if numbers.itemsize * count > struct.calcsize(layout.pointer):
        place = _unpack(layout.pointer, data, place)
    if place + numbers.itemsize * count > len(data):
        raise refusal("image_truncated")
    if count > LONGEST_TABLE:
        raise ValueError("too many values")
    return tuple(np.frombuffer(data, numbers, count, place).tolist())


def _unpack(form: str, data: bytes, position: int) -> int:
    if position + struct.calcsize(form) > len(data):
        raise refusal("image_truncated")
    return int(struct.unpack_from(form, data, position)[0])


def _open(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(data), formats=["tiff"])


def _as_unpacked(tile: Any) -> Any:
    if tile.codec_name != "libtiff":
        return tile
    form, *rest = tile.args
    return tile._replace(args=(NATIVE.get(form, form), *rest))


def _page_grey(picture: PIL.Image.Image, again: PIL.Image.Image, index: int) -> NDArray[Any]:
    """``again`` is the same file: anew for each page, it would be sought through from its beginning.

    Pillow leaves "white is zero" pictures of 16 and 32 bits as negatives.
    """
    picture.seek(index)
    picture.tile = [_as_unpacked(tile) for tile in picture.tile]  # type: ignore[attr-defined]
    if is_deep_colour(picture):
        again.seek(index)
        return deep_grey(picture, again)
    negative = picture.mode in WIDE_MODES and picture.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO  # type: ignore[attr-defined]
    values = grey(picture)
    return -values.astype(np.float64) if negative else values.copy()
