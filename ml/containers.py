"""The outer structure of image files, checked before any decoder sees them.

Each function walks the file's own lengths and gives back only what is needed to draw the picture:
comments, colour profiles, previews and text never reach a decoder. A file that ends early is found
here, because decoders accept many of them.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ml.image_types import Limits, refusal


@dataclass(frozen=True)
class Container:
    """``data`` is safe to decode; ``bits`` is the stored sample depth; ``exif`` may be empty."""

    data: bytes
    bits: int = 8
    exif: bytes = b""


PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
PNG_NEEDED: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


def png(data: bytes, limits: Limits) -> Container:
    kept, exif, bits = [PNG_SIGNATURE], b"", 8
    for index, (name, body, chunk) in enumerate(_png_chunks(data)):
        if (index == 0) != (name == b"IHDR"):
            raise refusal("image_unreadable")
        if name == b"IHDR":
            width, height, bits = struct.unpack(">IIB", body[:9])
            limits.check(width, height)
        elif name == b"acTL" and body[:4] not in (b"\0\0\0\0", b"\0\0\0\1"):
            raise refusal("image_animated", "This is an animated PNG, not a scan.")
        elif name == b"eXIf":
            exif = bytes(body)
        if name in PNG_NEEDED:
            kept.append(chunk)
    return Container(b"".join(kept), bits, exif)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """Name, body and whole of each chunk up to IEND; damage in a chunk that is needed is refused."""
    view, position, name = memoryview(data), len(PNG_SIGNATURE), b""
    while name != b"IEND":
        length = int.from_bytes(view[position : position + 4], "big")
        name, end = bytes(view[position + 4 : position + 8]), position + 12 + length
        if end > len(view):
            raise refusal("image_truncated")
        if name in PNG_NEEDED and zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(
            view[end - 4 : end], "big"
        ):
            raise refusal("image_unreadable")
        yield name, view[position + 8 : end - 4], view[position:end]
        position = end


JPEG_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
JPEG_DROPPED: Final = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})
JPEG_END: Final = b"\xff\xd9"
_MARKER_IN_SCAN: Final = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]", re.DOTALL)


def jpeg(data: bytes, limits: Limits) -> Container:
    kept, exif, bits, seen = [data[:2]], b"", 8, False
    for marker, segment in _jpeg_segments(data):
        if marker in JPEG_FRAMES and not seen:
            bits, height, width = struct.unpack(">BHH", segment[4:9])
            limits.check(width, height)
            seen = True
        elif marker == 0xE1 and segment[4:10] == b"Exif\0\0":
            exif = bytes(segment[4:])
        if marker not in JPEG_DROPPED:
            kept.append(segment)
    return Container(b"".join(kept), bits, exif)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Marker and whole segment up to and with the end mark; a scan's segment holds its data."""
    view, position, marker = memoryview(data), 2, 0
    while marker != 0xD9:
        marker, position = _jpeg_marker(data, position)
        end = position + 2 if marker == 0xD9 else _jpeg_segment_end(data, marker, position)
        yield marker, view[position:end]
        position = end


def _jpeg_marker(data: bytes, position: int) -> tuple[int, int]:
    """The marker at ``position`` and where it begins, past any fill bytes."""
    if data[position : position + 1] not in (b"\xff", b""):
        raise refusal("image_unreadable")
    while data[position + 1 : position + 2] == b"\xff":
        position += 1
    if position + 2 > len(data):
        raise refusal("image_truncated")
    return data[position + 1], position


def _jpeg_segment_end(data: bytes, marker: int, position: int) -> int:
    length = int.from_bytes(data[position + 2 : position + 4], "big")
    end = position + 2 + length
    if length < 2 and position + 4 <= len(data):
        raise refusal("image_unreadable")
    if marker == 0xDA:
        found = _MARKER_IN_SCAN.search(data, end)
        end = found.start() if found else len(data) + 1
    if end > len(data):
        raise refusal("image_truncated")
    return end


def webp(data: bytes, limits: Limits) -> Container:
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise refusal("image_truncated")
    position, exif, drawn = 12, b"", False
    while position + 8 <= end:
        name, length = (
            data[position : position + 4],
            int.from_bytes(data[position + 4 : position + 8], "little"),
        )
        body = data[position + 8 : position + 8 + length]
        if len(body) < length:
            raise refusal("image_truncated")
        if name in (b"VP8X", b"VP8 ", b"VP8L"):
            limits.check(*_webp_size(name, body))
            drawn = drawn or name != b"VP8X"
        if name in (b"ANIM", b"ANMF"):
            raise refusal("image_animated", "This is an animated WebP picture, not a scan.")
        exif = body if name == b"EXIF" else exif
        position += 8 + length + length % 2
    if not drawn:
        raise refusal("image_truncated")
    return Container(data[:end], 8, exif)


def _webp_size(name: bytes, body: bytes) -> tuple[int, int]:
    if name == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if name == b"VP8L":
        packed = int.from_bytes(body[1:5], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", body[6:10])
    return width & 0x3FFF, height & 0x3FFF


UNCOMPRESSED_BMP: Final = frozenset({0, 3, 6})


def bmp(data: bytes, limits: Limits) -> Container:
    start, header = struct.unpack("<II", data[10:18])
    if header == 12:
        width, height, depth = struct.unpack("<HHxxH", data[18:26])
        compression = 0
    else:
        width, height, depth, compression = struct.unpack("<iixxHI", data[18:34])
    limits.check(abs(width), abs(height))
    if compression in UNCOMPRESSED_BMP and start + (abs(width) * depth + 31) // 32 * 4 * abs(height) > len(
        data
    ):
        raise refusal("image_truncated")
    return Container(data, 1 if depth == 1 else 8)
