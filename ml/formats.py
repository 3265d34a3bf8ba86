"""What a file is, judged by its first bytes and never by its name."""

import re
import zlib
from collections.abc import Callable
from typing import Final

HEAD: Final = 4096
"""How many of the first bytes ``sniff`` and ``describe`` want to see."""

ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
WITHOUT_PICTURE: Final = frozenset({"a PDF document", "a program", "a web page"})
_STORAGE: Final = b"1.2.840.10008.5.1.4.1.1."
CLASSES_WITHOUT_PICTURE: Final = (
    b"1.2.840.10008.1.3.10.",  # directory
    b"1.2.840.10008.5.1.4.38.",  # how pictures are to be hung
    b"1.2.840.10008.5.1.4.39.",  # palettes
    _STORAGE + b"4.2.",  # spectroscopy
    _STORAGE + b"9.",  # waveforms
    _STORAGE + b"11.",  # presentation states
    _STORAGE + b"66.1.",  # registrations
    _STORAGE + b"66.3.",
    _STORAGE + b"66.5.",  # surfaces
    _STORAGE + b"66.6.",  # fibre tracts
    _STORAGE + b"67.",  # real world values
    _STORAGE + b"88.",  # reports and key objects
    _STORAGE + b"104.",  # documents
    _STORAGE + b"481.3.",  # outlines and plans of radiotherapy
    _STORAGE + b"481.5.",
    b"1.2.840.113619.4.30.",  # vendors' raw data: GE
    b"1.3.12.2.1107.5.9.1.",  # Siemens
    b"1.3.46.670589.11.0.0.12.",  # Philips, with spectra and examination cards
)
RAW_DATA: Final = _STORAGE + b"66."
NIFTI_HEADER: Final = 352
STILL_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"})
DIB_HEADERS: Final = frozenset({12, 40, 52, 56, 64, 108, 124})
VALUE_REPRESENTATIONS: Final = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW".split()
    + b"PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
LONG_VALUES: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


def sniff(head: bytes) -> str | None:
    """The kind of image that begins with ``head``: png, jpeg, bmp, tiff, webp, dicom, nifti, or None.

    The DICM mark wins over everything: a DICOM preamble may hold the beginning of a TIFF.
    """
    if head[128:132] == b"DICM":
        return "dicom"
    for kind, matches in _MAGIC:
        if matches(head):
            return kind
    return "dicom" if starts_like_a_data_set(head) else None


def is_archive(head: bytes) -> bool:
    """Whether this is a ZIP archive."""
    return head.startswith(ZIP)


def is_no_picture(head: bytes) -> bool:
    """Whether this is certainly something that comes along with pictures and holds none.

    Texts, documents, programs, and DICOM's own directories, reports, presentation states and the
    like. A damaged picture is none of them.
    """
    stored = _storage_class(head)
    if stored == RAW_DATA or stored.startswith(CLASSES_WITHOUT_PICTURE):
        return True
    return _is_text(head) or any(matches(head) for name, matches in _FOREIGN if name in WITHOUT_PICTURE)


def _storage_class(head: bytes) -> bytes:
    """The kind of object that the beginning of a DICOM file names; empty for other files."""
    element = b"\x02\x00\x02\x00UI"
    start = head.find(element, 132) + len(element)
    if head[128:132] != b"DICM" or start < len(element):
        return b""
    length = int.from_bytes(head[start : start + 2], "little")
    return head[start + 2 : start + 2 + length].rstrip(b"\0 ") + b"."


def _is_nifti(head: bytes) -> bool:
    if head[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(31).decompress(head, NIFTI_HEADER)
        except zlib.error:
            return False
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0")


def _is_bmp(head: bytes) -> bool:
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in DIB_HEADERS


_MAGIC: Final[tuple[tuple[str, Callable[[bytes], bool]], ...]] = (
    ("png", lambda head: head[:8] == b"\x89PNG\r\n\x1a\n"),
    ("jpeg", lambda head: head[:3] == b"\xff\xd8\xff"),
    ("tiff", lambda head: head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ("webp", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
    ("bmp", _is_bmp),
    ("nifti", _is_nifti),
)


def starts_like_a_data_set(head: bytes) -> bool:
    """Whether DICOM elements begin at once, without preamble: two well-formed ones in order."""
    return any(
        _elements_agree(head, order, explicit)
        for order, explicit in (("little", True), ("little", False), ("big", True))
    )


def _elements_agree(head: bytes, order: str, explicit: bool) -> bool:
    position, previous = 0, (0, -1)
    for _ in range(2):
        tag = (_integer(head, position, 2, order), _integer(head, position + 2, 2, order))
        if tag[0] not in (2, 8) or tag <= previous:
            return False
        value = _value_span(head, position + 4, order, explicit)
        if value is None:
            return False
        position, previous = value, tag
    return True


def _value_span(head: bytes, position: int, order: str, explicit: bool) -> int | None:
    """Where the element whose tag ends at ``position`` ends; None where it cannot be one."""
    start, width = position + 4, 4
    if explicit:
        representation = head[position : position + 2]
        if representation not in VALUE_REPRESENTATIONS:
            return None
        long = representation in LONG_VALUES
        position, start, width = (position + 4, position + 8, 4) if long else (position + 2, start, 2)
    length = _integer(head, position, width, order)
    end = start + length
    return end if length % 2 == 0 and end <= len(head) else None


def _integer(head: bytes, position: int, width: int, order: str) -> int:
    return int.from_bytes(head[position : position + width], "big" if order == "big" else "little")


def describe(head: bytes, data: bytes) -> str:
    """A sentence that names what an unsupported file is, as far as it can be told."""
    for name, matches in _FOREIGN:
        if matches(head):
            return f"This is {name}, not a PNG, JPEG, BMP, TIFF, WebP, DICOM or NIfTI image."
    if head[:6] in (b"GIF87a", b"GIF89a"):
        named = "An animated GIF" if data.count(b"\x21\xf9\x04") > 1 else "A GIF picture"
        return f"{named} cannot be classified: export the scan as PNG or DICOM."
    if _is_text(head):
        return "This is a text file, not an image."
    return "The file is not a PNG, JPEG, BMP, TIFF, WebP, DICOM or NIfTI image."


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signatures)


def _contains(pattern: bytes) -> Callable[[bytes], bool]:
    expression = re.compile(pattern, re.IGNORECASE)
    return lambda head: expression.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


_FOREIGN: Final[tuple[tuple[str, Callable[[bytes], bool]], ...]] = (
    ("a PDF document", lambda head: b"%PDF-" in head[:1024]),
    ("a ZIP archive", is_archive),
    ("a RAR archive", _starts(b"Rar!\x1a\x07")),
    ("a 7-Zip archive", _starts(b"7z\xbc\xaf\x27\x1c")),
    ("a gzip archive", _starts(b"\x1f\x8b")),
    (
        "a program",
        _starts(b"\x7fELF", b"MZ", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!"),
    ),
    ("a HEIC or AVIF picture", lambda head: head[4:8] == b"ftyp" and head[8:12] in STILL_BRANDS),
    ("a video", lambda head: head[4:8] == b"ftyp" or head[:4] == b"\x1aE\xdf\xa3"),
    ("a JPEG 2000 picture", _starts(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")),
    (
        "an SVG drawing",
        _contains(rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!doctype svg[^>]*>\s*)?<svg[\s>]"),
    ),
    ("a web page", _contains(rb"\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body|script|iframe)[\s>]")),
    ("a Photoshop picture", _starts(b"8BPS")),
    ("an HDF5 or MATLAB data file", _starts(b"\x89HDF\r\n\x1a\n", b"MATLAB ")),
)


def _is_text(head: bytes) -> bool:
    text = head.decode("utf-8", "ignore")
    return (
        bool(text)
        and len(text.encode()) >= len(head) - 3
        and all(c.isprintable() or c.isspace() for c in text)
    )
