"""Stored pixel values of DICOM data sets in every transfer syntax that can be read safely.

Compressed frames are checked against the data set before a decoder sees them, because decoders
reserve whatever memory a frame asks for. GDCM, which damaged frames can crash, runs in a process of
its own.
"""

import json
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.utils import pixel_array

from ml.containers import JPEG_FRAMES, jpeg_segments
from ml.image_types import refusal
from ml.intensity import Array

BY_PILLOW: Final = frozenset({uid.JPEGBaseline8Bit, uid.JPEG2000, uid.JPEG2000Lossless})
BY_GDCM: Final = frozenset(
    {uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEGLSNearLossless}
)
GDCM_PROCESS: Final = Path(__file__).with_name("gdcm_process.py")
GDCM_SECONDS: Final = 90
LARGEST_RLE_FRAME: Final = 8 * 2**20
"""Run lengths can expand 64 times, and pydicom expands them all before it counts."""


class Stream(NamedTuple):
    """One compressed frame and what it says of itself; ``bits`` are those of one sample."""

    data: bytes
    rows: int
    columns: int
    samples: int
    bits: int


def frame_count(header: Dataset) -> int:
    return int(header.get("NumberOfFrames") or 1)


def decompress(headers: Sequence[Dataset]) -> None:
    """Replace the pixel data that only GDCM decodes by their uncompressed form, in one process for all.

    Does nothing to the others, and nothing at all if one of them cannot be decoded.
    """
    jobs = [
        (header, _streams(header, frame_count(header)))
        for header in headers
        if header.file_meta.TransferSyntaxUID in BY_GDCM
    ]
    if not jobs:
        return
    requests = [_request(header, streams) for header, streams in jobs]
    samples, position = _run_gdcm(requests, [stream.data for _, streams in jobs for stream in streams]), 0
    for (header, _), request in zip(jobs, requests, strict=True):
        end = position + request["frame_bytes"] * len(request["lengths"])
        _replace_pixels(header, samples[position:end], request)
        position = end


def stored_values(header: Dataset) -> Array:
    """(frames, rows, columns) or, in colour, (frames, rows, columns, 3) as RGB, of decompressed headers.

    Samples that lie in the upper bits of their cells, as HighBit says, are brought down to the lowest.
    JPEG frames in the pixel data of ``header`` may lose their comments.
    """
    syntax, frames = header.file_meta.TransferSyntaxUID, frame_count(header)
    cell = int(header.BitsAllocated)
    if not syntax.is_encapsulated:
        _check_length(header, frames)
    elif syntax == uid.RLELossless:
        _check_run_lengths(header, frames)
    elif syntax in BY_PILLOW:
        streams = _streams(header, frames)
        header.PixelData = encapsulate([stream.data for stream in streams])
        cell = streams[0].bits
    else:
        raise refusal("dicom_unreadable", _unknown_syntax(syntax))
    values = _samples(header, cell, "pillow" if syntax in BY_PILLOW else "")
    colours = values.shape[-1:] if int(header.get("SamplesPerPixel", 1)) > 1 else ()
    return values.reshape(frames, int(header.Rows), int(header.Columns), *colours)


def _samples(header: Dataset, cell: int, plugin: str) -> Array:
    below = _bits_below(header, cell)
    if not below:
        return pixel_array(header, decoding_plugin=plugin)
    stored = int(header.BitsStored)
    # pydicom heeds BitsStored and not HighBit: the bits below a sample are told it as part of the sample.
    cells: Array = pixel_array(header, decoding_plugin=plugin, bits_stored=stored + below)
    return cells if _lie_at_the_bottom(cells, stored, below) else cells >> below


def _bits_below(header: Dataset, cell: int) -> int:
    """How many bits of a cell of ``cell`` bits lie below its sample; 0 where the header makes no sense."""
    stored, high = header.get("BitsStored"), header.get("HighBit")
    if "PixelData" not in header or not isinstance(stored, int) or not isinstance(high, int):
        return 0
    return max(0, high + 1 - stored) if high < cell else 0


def _lie_at_the_bottom(cells: Array, stored: int, below: int) -> bool:
    """Whether samples lie in the lowest bits after all, as where a writer has set BitsStored alone."""
    signed = cells.dtype.kind == "i"
    reach = 1 << (stored - signed)
    within = cells.max() < reach and cells.min() >= (-reach if signed else 0)
    return bool(within and np.any(cells & ((1 << below) - 1)))


def _unknown_syntax(syntax: uid.UID) -> str:
    name = "an unknown way" if syntax.name == syntax else syntax.name
    return f"The picture in this DICOM file is compressed in a way that cannot be read ({name})."


def _check_length(header: Dataset, frames: int) -> None:
    if "PixelData" not in header:
        return
    bits = int(header.Rows) * int(header.Columns) * frames * header.SamplesPerPixel * header.BitsAllocated
    if header.get("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits * 2 // 3
    if len(header.PixelData) < (bits + 7) // 8:
        raise refusal("image_truncated", "The DICOM file holds less of its picture than it announces.")


def _check_run_lengths(header: Dataset, frames: int) -> None:
    lengths = [len(frame) for frame in generate_frames(header.PixelData, number_of_frames=frames)]
    if max(lengths) > LARGEST_RLE_FRAME:
        raise refusal("image_too_large")


def _streams(header: Dataset, frames: int) -> list[Stream]:
    """The compressed frames, all of the size and number of samples that the data set announces."""
    encoded = generate_frames(header.PixelData, number_of_frames=frames)
    streams = [_stream(frame, header.file_meta.TransferSyntaxUID) for frame in encoded]
    announced = (int(header.Rows), int(header.Columns), int(header.SamplesPerPixel))
    if len(streams) != frames or any(stream[1:4] != announced for stream in streams):
        raise refusal(
            "dicom_unreadable", "The picture in this DICOM file is not the one its header describes."
        )
    return streams


def _stream(frame: bytes, syntax: uid.UID) -> Stream:
    if syntax in uid.JPEG2000TransferSyntaxes:
        return _jpeg2000(frame)
    if syntax in uid.JPEGLSTransferSyntaxes:
        return Stream(frame, *_jpeg_frame(frame[frame.find(b"\xff\xf7") :]))
    return _jpeg(frame)


def _jpeg2000(frame: bytes) -> Stream:
    siz = frame[frame.find(b"\xff\x4f\xff\x51") :]
    right, bottom, left, top = struct.unpack(">4I", siz[8:24])
    samples, bits = struct.unpack(">HB", siz[40:43])
    return Stream(frame, bottom - top, right - left, samples, (bits & 0x7F) + 1)


def _jpeg(frame: bytes) -> Stream:
    """Without comments and application data, except Adobe's, which says how colours are stored."""
    kept, described = [frame[:2]], (0, 0, 0, 0)
    for marker, segment in jpeg_segments(frame):
        if marker in JPEG_FRAMES:
            described = _jpeg_frame(segment)
        if not (0xE0 <= marker <= 0xED or marker in (0xEF, 0xFE)):
            kept.append(segment)
    return Stream(b"".join(kept), *described)


def _jpeg_frame(segment: bytes) -> tuple[int, int, int, int]:
    bits, rows, columns, samples = struct.unpack(">BHHB", segment[4:10])
    return rows, columns, samples, bits


def _request(header: Dataset, streams: list[Stream]) -> dict[str, Any]:
    bits = max(stream.bits for stream in streams)
    allocated = 8 if bits <= 8 else 16
    one = streams[0]
    return {
        "syntax": str(header.file_meta.TransferSyntaxUID),
        "photometric": str(header.PhotometricInterpretation),
        "rows": one.rows,
        "columns": one.columns,
        "samples": one.samples,
        "allocated": allocated,
        "stored": bits,
        "signed": int(header.PixelRepresentation),
        "frame_bytes": one.rows * one.columns * one.samples * allocated // 8,
        "lengths": [len(stream.data) for stream in streams],
    }


def _replace_pixels(header: Dataset, samples: bytes, request: dict[str, Any]) -> None:
    """By what GDCM makes of them: little endian, colour by pixel."""
    header.PixelData = samples
    header["PixelData"].VR = "OB" if request["allocated"] == 8 else "OW"
    header.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    header.BitsAllocated, header.PlanarConfiguration = request["allocated"], 0
    header.BitsStored = min(int(header.BitsStored), request["stored"])
    above_highest = min(int(header.get("HighBit") or 0) + 1, request["stored"])
    header.HighBit = max(header.BitsStored, above_highest) - 1


def _run_gdcm(requests: list[dict[str, Any]], frames: list[bytes]) -> bytes:
    finished = subprocess.run(
        [sys.executable, "-I", GDCM_PROCESS],
        input=json.dumps(requests).encode() + b"\n" + b"".join(frames),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=GDCM_SECONDS,
        check=True,
    )
    return finished.stdout
