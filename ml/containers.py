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
from typing import Final, TypeVar

from ml.image_types import Limits, refusal

Part = TypeVar("Part")


@dataclass(frozen=True)
class Container:
    """``data`` is safe to decode; ``bits`` is the stored sample depth; ``exif`` may be empty."""

    data: bytes
    bits: int = 8
    exif: bytes = b""


MOST_CHUNKS: Final = 100_000
"""Of a PNG or WebP picture: some writers begin one for every row."""

MOST_SEGMENTS: Final = 4096
MOST_SCANS: Final = 64
"""Of a progressive JPEG, which is gone through from edge to edge for each of them; a usual one has ten."""

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
PNG_NEEDED: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


def _no_more_than(most: int, parts: Iterator[Part]) -> Iterator[Part]:
    """Parts cost time and memory whatever they hold, and a few bytes of a file make one."""
    for count, part in enumerate(parts, start=1):
        if count > most:
            raise ValueError("too many parts")
        yield part


def png(data: bytes, limits: Limits) -> Container:
    kept, exif, bits = [PNG_SIGNATURE], b"", 8
    for index, (name, body, chunk) in enumerate(_no_more_than(MOST_CHUNKS, _png_chunks(data))):
        if (index == 0) != (name == b"IHDR"):
            raise ValueError("IHDR is the first chunk")
        if name == b"IHDR":
            width, height, bits = struct.unpack(">IIB", body[:9])
            limits.check(width, height)
        elif name == b"acTL" and body[:4] not in (b"\0\0\0\0", b"\0\0\0\1"):
            raise refusal("image_animated", "This is an animated PNG, not a scan.")
        elif name == b"eXIf":
            exif = body
        if name in PNG_NEEDED:
            kept.append(chunk)
    return Container(b"".join(kept), bits, exif)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Name, body and whole of each chunk up to IEND; damage in a chunk that is needed is refused."""
    position, name = len(PNG_SIGNATURE), b""
    while name != b"IEND":
        length = int.from_bytes(data[position : position + 4], "big")
        name, end = data[position + 4 : position + 8], position + 12 + length
        if end > len(data):
            raise refusal("image_truncated")
        body, chunk = data[position + 8 : end - 4], data[position:end]
        if name in PNG_NEEDED and zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise ValueError("a chunk is damaged")
        yield name, body, chunk
        position = end


JPEG_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
JPEG_DROPPED: Final = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})
JPEG_END: Final = b"\xff\xd9"
JPEG_SCAN: Final = 0xDA
_END_OF_FILL: Final = re.compile(rb"\xff(?!\xff)")
_MARKER_IN_SCAN: Final = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]", re.DOTALL)


def jpeg(data: bytes, limits: Limits) -> Container:
    kept, exif, bits, seen = [data[:2]], b"", 8, False
    for marker, segment in jpeg_segments(data):
        if marker in JPEG_FRAMES and not seen:
            bits, height, width = struct.unpack(">BHH", segment[4:9])
            limits.check(width, height)
            seen = True
        elif marker == 0xE1 and segment[4:10] == b"Exif\0\0":
            exif = segment[4:]
        if marker not in JPEG_DROPPED:
            kept.append(segment)
    return Container(b"".join(kept), bits, exif)


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and whole segment up to and with the end mark; a scan's segment holds its data."""
    scans = 0
    for marker, segment in _no_more_than(MOST_SEGMENTS, _jpeg_segments(data)):
        scans += marker == JPEG_SCAN
        if scans > MOST_SCANS:
            raise ValueError("too many scans")
        yield marker, segment


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    position, marker = 2, 0
    while marker != 0xD9:
        marker, position = _jpeg_marker(data, position)
        end = position + 2 if marker == 0xD9 else _jpeg_segment_end(data, marker, position)
        yield marker, data[position:end]
        position = end


def _jpeg_marker(data: bytes, position: int) -> tuple[int, int]:
    """The marker at ``position`` and where it begins, past any fill bytes."""
    if data[position : position + 1] not in (b"\xff", b""):
        raise ValueError("no marker where one must be")
    found = _END_OF_FILL.search(data, position)
    position = found.start() if found else len(data)
    if position + 2 > len(data):
        raise refusal("image_truncated")
    return data[position + 1], position


def _jpeg_segment_end(data: bytes, marker: int, position: int) -> int:
    length = int.from_bytes(data[position + 2 : position + 4], "big")
    end = position + 2 + length
    if length < 2 and position + 4 <= len(data):
        raise ValueError("a segment is too short")
    if marker == JPEG_SCAN:
        found = _MARKER_IN_SCAN.search(data, end)
        end = found.start() if found else len(data) + 1
    if end > len(data):
        raise refusal("image_truncated")
    return end


def webp(data: bytes, limits: Limits) -> Container:
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise refusal("image_truncated")
    exif, drawn = b"", False
    for name, body in _no_more_than(MOST_CHUNKS, _riff_chunks(data[:end])):
        if name in (b"VP8X", b"VP8 ", b"VP8L"):
            limits.check(*_webp_size(name, body))
            drawn = drawn or name != b"VP8X"
        if name in (b"ANIM", b"ANMF"):
            raise refusal("image_animated", "This is an animated WebP picture, not a scan.")
        exif = body if name == b"EXIF" else exif
    if not drawn:
        raise refusal("image_truncated")
    return Container(data[:end], 8, exif)


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    while position + 8 <= len(data):
        name, length = (
            data[position : position + 4],
            int.from_bytes(data[position + 4 : position + 8], "little"),
        )
        position += 8 + length + length % 2
        if position - length % 2 > len(data):
            raise refusal("image_truncated")
        yield name, data[position - length - length % 2 : position - length % 2]


def _webp_size(name: bytes, body: bytes) -> tuple[int, int]:
    if name == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if name == b"VP8L":
        packed = int.from_bytes(body[1:5], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", body[6:10])
    return width & 0x3FFF, height & 0x3FFF


OLD_BMP_HEADER: Final = 12
UNCOMPRESSED_BMP: Final = frozenset({0, 3, 6})
MOST_RUN_LENGTH_PIXELS: Final = 4_000_000
"""Pillow decodes run lengths in Python, a second for a million of them."""


def bmp(data: bytes, limits: Limits) -> Container:
    start, header = struct.unpack("<II", data[10:18])
    if header == OLD_BMP_HEADER:
        width, height, depth, compression = *struct.unpack("<HHxxH", data[18:26]), 0
    else:
        width, height, depth, compression = struct.unpack("<iixxHI", data[18:34])
    limits.check(abs(width), abs(height))
    row = (abs(width) * depth + 31) // 32 * 4
    if compression in UNCOMPRESSED_BMP:
        if start + row * abs(height) > len(data):
            raise refusal("image_truncated")
    elif max(abs(width * height), len(data) // 3) > MOST_RUN_LENGTH_PIXELS:
        raise refusal("image_too_large")
    return Container(data, 1 if depth == 1 else 8)
