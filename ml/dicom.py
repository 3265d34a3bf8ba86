"""DICOM images: what they are, whether they can be classified, and their slices.

Nothing that identifies a patient leaves this module: only the modality, the name of the sequence
and where the pixels lie are taken from the header.
"""

import io
import logging
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pydicom
from pydicom import uid
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from ml import sheets
from ml.anatomy import stack
from ml.dicom_display import grey
from ml.dicom_geometry import announced_slice_spacing, instance_number, pixel_spacing, place
from ml.dicom_pixels import decompress, frame_count, stored_values
from ml.formats import HEAD, starts_like_a_data_set
from ml.image_types import Facts, Image, Limits, refusal
from ml.intensity import Array

# Quotes what it stumbles over, which may be a patient's name, into the log; sets its level when loaded.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)

ACCEPTED_MODALITIES: Final = frozenset({"", "MR", "OT", "SC"})
MODALITY_NAMES: Final = {
    "CR": "a radiograph",
    "CT": "a CT scan",
    "DX": "a radiograph",
    "MG": "a mammogram",
    "NM": "a nuclear medicine image",
    "PT": "a PET scan",
    "RF": "a fluoroscopy image",
    "US": "an ultrasound image",
    "XA": "an angiogram",
}
PIXEL_KEYWORDS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
SEQUENCE_KEYWORDS: Final = ("SeriesDescription", "ProtocolName", "SequenceName", "ScanningSequence")
LONGEST_TEXT: Final = 64
PREAMBLE: Final = 132
INFLATED_PER_PIXEL: Final = 4
MOST_READS: Final = 600_000
"""Up to three for each element. An enhanced image of 500 frames needs up to two thirds of them."""
MOST_ITEMS: Final = 100_000
ITEMS: Final = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
"""How an item of a sequence begins, in either byte order."""
LONGEST_SEQUENCES: Final = 16 * 2**20


class _Counted(io.BytesIO):
    """Refuses more elements than pictures have: pydicom makes hundreds of bytes of one that has eight."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MOST_READS:
            raise refusal("dicom_unreadable")
        return super().read(size)


def decode(data: bytes, limits: Limits) -> Image:
    """Slices of ``data`` as a reading room would show them, with 1 the brightest.

    Raises ImageError for what can be foreseen and anything at all for the rest.
    """
    header = parse(data, limits)
    decompress([header])
    return assemble([(header, stored_values(header))])[0]


def parse(data: bytes, limits: Limits) -> Dataset:
    """The data set, known to hold pictures of an accepted kind and size; its pixels still stored."""
    header = data_set(data, limits)
    _check_that_it_has_pixels(header)
    _check_modality(header)
    limits.check(int(header.Columns), int(header.Rows), frame_count(header))
    return header


def assemble(files: Sequence[tuple[Dataset, Array]]) -> tuple[Image, tuple[int, ...]]:
    """The files of one series, with their stored values, as one image; and their order in it."""
    frames = [(index, frame) for index, (_, stored) in enumerate(files) for frame in range(len(stored))]
    places = [place(files[index][0], frame) for index, frame in frames]
    numbers = [instance_number(files[index][0]) + frame for index, frame in frames]
    found = stack(places, numbers)
    slices = grey(files)
    header = files[0][0]
    facts = replace(_facts(header, len(slices)), **found.facts())
    if facts.slice_spacing_mm is None:
        facts = replace(facts, slice_spacing_mm=announced_slice_spacing(header))
    order = tuple(dict.fromkeys(frames[index][0] for index in found.order))
    return sheets.opened(Image(tuple(slices[index] for index in found.order), facts)), order


def data_set(data: bytes, limits: Limits) -> Dataset:
    """The parsed file, with its transfer syntax known, even where the file does not say it."""
    bare = data[PREAMBLE - 4 : PREAMBLE] != b"DICM"
    if bare and not starts_like_a_data_set(data[:HEAD]):
        raise refusal("dicom_unreadable")
    inflated = None if bare else _inflated(data, limits)
    content = _Counted(data if inflated is None else inflated)
    if max(map(content.getvalue().count, ITEMS)) > MOST_ITEMS:
        raise refusal("dicom_unreadable")
    if inflated is not None:
        header = read_dataset(content, is_implicit_VR=False, is_little_endian=True)
        header.file_meta = FileMetaDataset()
    else:
        header = pydicom.dcmread(content, force=bare)
    if _unread(header) > LONGEST_SEQUENCES:
        raise refusal("dicom_unreadable")
    if not len(header):  # what pydicom gives for a file that ends within an element
        raise refusal("image_truncated" if len(data) > PREAMBLE else "dicom_unreadable")
    if "TransferSyntaxUID" not in header.file_meta:
        header.file_meta.TransferSyntaxUID = _guessed_syntax(header)
    return header


def _unread(items: Dataset) -> int:
    """Bytes of the sequences that pydicom takes apart only when they are asked for, and then uncounted."""
    total = 0
    for tag, element in items.items():
        if not isinstance(element, RawDataElement):
            total += sum(map(_unread, element.value)) if element.VR == "SQ" else 0
        elif element.VR == "SQ" or (element.VR in (None, "UN") and _is_sequence(tag)):
            total += element.length
    return total


def _is_sequence(tag: BaseTag) -> bool:
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


def _inflated(data: bytes, limits: Limits) -> bytes | None:
    """The data set of a deflated file, None for any other; inflated here because pydicom sets no limit."""
    file = _Counted(data)
    file.seek(PREAMBLE)
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    if meta.get("TransferSyntaxUID") != uid.DeflatedExplicitVRLittleEndian:
        return None
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    content = inflater.decompress(file.read(), limits.max_bytes + INFLATED_PER_PIXEL * limits.max_pixels)
    if inflater.unconsumed_tail:
        raise refusal("image_too_large")
    if not inflater.eof:
        raise refusal("image_truncated")
    return content


def _guessed_syntax(header: Dataset) -> uid.UID:
    implicit, little = header.original_encoding
    if implicit:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian


def _check_that_it_has_pixels(header: Dataset) -> None:
    if any(keyword in header for keyword in PIXEL_KEYWORDS):
        return
    kind = uid.UID(str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or ""))
    if "Rows" in header or kind.name.endswith("Image Storage"):
        raise refusal("image_truncated", "The DICOM file ends before its picture.")
    if not kind:
        raise refusal("dicom_unreadable")
    named = f"This DICOM file ({kind.name}) holds no picture."
    known = kind.name != kind  # an unknown one may hold anything, also a name
    raise refusal("dicom_without_pixels", named if known else None)


def _check_modality(header: Dataset) -> None:
    modality = str(header.get("Modality") or "").strip().upper()
    if modality not in ACCEPTED_MODALITIES:
        named = MODALITY_NAMES.get(modality, "of another kind")
        raise refusal("dicom_wrong_modality", f"This DICOM image is {named}, not magnetic resonance.")


def _facts(header: Dataset, frames: int) -> Facts:
    return Facts(
        kind="dicom",
        width=int(header.Columns),
        height=int(header.Rows),
        frames=frames,
        bits=int(header.get("BitsStored") or header.BitsAllocated),
        mode=str(header.get("PhotometricInterpretation") or "MONOCHROME2"),
        modality=_text(header.get("Modality")),
        sequence=next((text for word in SEQUENCE_KEYWORDS if (text := _text(header.get(word)))), None),
        spacing_mm=pixel_spacing(header),
    )


def _text(value: Any) -> str | None:
    """None for what cannot be a description: damaged lengths let values run on into the patient's name."""
    parts = value if isinstance(value, pydicom.multival.MultiValue) else [value or ""]
    text = " ".join(str(part) for part in parts).strip()
    return text if text and text.isprintable() and len(text) <= LONGEST_TEXT else None
