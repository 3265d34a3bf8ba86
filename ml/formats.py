"""What a file is, judged by its first bytes and never by its name."""

import codecs
import re
import zlib
from collections.abc import Callable
from typing import Final

HEAD: Final = 4096
"""How many of the first bytes ``sniff`` and ``describe`` want to see."""

ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
PACKAGES: Final = (
    b"[Content_Types].xml",
    b"_rels/.rels",
    b"META-INF/",
    b"mimetypeapplication/vnd.oasis.opendocument.",
)
"""How the first entry of an office document or of a Java program begins: both are ZIP archives."""

ZIP_NAME: Final = 30
"""Where the name of a ZIP archive's first entry begins."""

WITHOUT_PICTURE: Final = frozenset(
    {
        "a PDF document",
        "an office document",
        "a program",
        "a Windows cabinet",
        "a help file",
        "a font",
        "an icon",
        "a web page",
    }
)
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
END_OF_TEXT: Final = b"\x1a"
"""What MS-DOS and its heirs write behind a text."""

CONTROLS: Final = frozenset(range(0x20)) - frozenset(b"\t\n\v\f\r") | {0x7F}
WESTERN: Final = 0.7
"""Least share of ASCII."""

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

    Texts, documents, programs and what these need, and DICOM's own directories, reports,
    presentation states and the like. A damaged picture is none of them, and no archive of pictures is.
    """
    if is_archive(head):
        return _is_package(head)
    stored = _storage_class(head)
    if stored == RAW_DATA or stored.startswith(CLASSES_WITHOUT_PICTURE):
        return True
    return _is_text(head) or any(matches(head) for name, matches in _FOREIGN if name in WITHOUT_PICTURE)


def _is_package(head: bytes) -> bool:
    return head.startswith(ZIP[0]) and head[ZIP_NAME:].startswith(PACKAGES)


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


def _is_icon(head: bytes) -> bool:
    """A directory of icons, the first of which lies right behind it."""
    count = int.from_bytes(head[4:6], "little")
    return head[:4] == b"\0\0\1\0" and int.from_bytes(head[18:22], "little") == 6 + 16 * count > 6


def _is_true_type(head: bytes) -> bool:
    """The number of tables is followed by 16 times the largest power of two in it."""
    tables = int.from_bytes(head[4:6], "big")
    search = int.from_bytes(head[6:8], "big")
    return head[:4] == b"\0\1\0\0" and search == 8 << tables.bit_length() > 8


_FOREIGN: Final[tuple[tuple[str, Callable[[bytes], bool]], ...]] = (
    ("a PDF document", lambda head: b"%PDF-" in head[:1024]),
    ("an office document", _starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf")),
    ("a ZIP archive", is_archive),
    ("a RAR archive", _starts(b"Rar!\x1a\x07")),
    ("a 7-Zip archive", _starts(b"7z\xbc\xaf\x27\x1c")),
    ("a gzip archive", _starts(b"\x1f\x8b")),
    (
        "a program",
        _starts(b"\x7fELF", b"MZ", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!"),
    ),
    ("a Windows cabinet", _starts(b"MSCF")),
    ("a help file", _starts(b"ITSF")),
    ("a font", lambda head: _is_true_type(head) or head.startswith((b"OTTO", b"wOFF", b"wOF2"))),
    ("an icon", _is_icon),
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
    """In UTF-8, in UTF-16 that says so, or in the single bytes of a western language."""
    head = head.rstrip(END_OF_TEXT)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _decodes(head, "utf-16")
    return bool(head) and (_decodes(head, "utf-8-sig") or _is_western(head))


def _decodes(head: bytes, encoding: str) -> bool:
    """Whether nothing but letters and spaces come out; the last of them may be cut."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and all(letter.isprintable() or letter.isspace() for letter in text)


def _is_western(head: bytes) -> bool:
    """What Windows-1252, ISO 8859-1 and their relatives share: hardly any accents, no control characters."""
    plain = sum(byte < 0x80 for byte in head)
    return plain >= WESTERN * len(head) and not CONTROLS.intersection(head)
