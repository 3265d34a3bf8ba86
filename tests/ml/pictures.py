"""Synthetic scans in every stored form, and files that must be refused. Used by any test that uploads."""

import gzip
import io
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
import PIL.Image
import pydicom
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate

Grey = NDArray[np.float64]


def brain(seed: int = 0, tumour: bool = True, height: int = 160, width: int = 128) -> Grey:
    """An axial head on black, (height, width) in [0, 1]: scalp, skull, brain, ventricles, tumour."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]

    def inside(y: float, x: float, tall: float, wide: float) -> NDArray[np.bool_]:
        within: NDArray[np.bool_] = ((rows - y) / tall) ** 2 + ((columns - x) / wide) ** 2 < 1
        return within

    picture = np.zeros((height, width))
    picture[inside(0, 0, 0.85, 0.8)] = 0.9
    picture[inside(0, 0, 0.78, 0.72)] = 0.1
    picture[inside(0, 0, 0.74, 0.68)] = 0.5
    for side in (-0.15, 0.15):
        picture[inside(-0.05, side, 0.3, 0.08)] = 0.2
    if tumour:
        y, x = random.uniform(-0.35, 0.35, 2)
        picture[inside(y, x, 0.18, 0.18)] = 0.95
    picture += random.normal(0, 0.02, picture.shape)
    return np.clip(picture, 0, 1)


def saved(pixels: NDArray[Any], kind: str, **options: Any) -> bytes:
    return encoded(PIL.Image.fromarray(pixels), kind, **options)


def encoded(picture: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def bytes_of(pixels: Grey) -> NDArray[np.uint8]:
    return np.rint(pixels * 255).astype(np.uint8)


def brain_png(seed: int = 0, tumour: bool = True, **shape: int) -> bytes:
    return saved(bytes_of(brain(seed, tumour, **shape)), "png")


def brain_jpeg(seed: int = 0, tumour: bool = True, quality: int = 90, **shape: int) -> bytes:
    return saved(bytes_of(brain(seed, tumour, **shape)), "jpeg", quality=quality)


def brain_bmp(seed: int = 0) -> bytes:
    return saved(bytes_of(brain(seed)), "bmp")


def brain_tiff(seed: int = 0, **options: Any) -> bytes:
    return saved(bytes_of(brain(seed)), "tiff", **options)


def brain_webp(seed: int = 0, **options: Any) -> bytes:
    return saved(bytes_of(brain(seed)), "webp", **options)


def brain_dicom(
    seed: int = 0,
    *,
    tumour: bool = True,
    modality: str | None = "MR",
    pixels: NDArray[Any] | None = None,
    syntax: uid.UID = uid.ExplicitVRLittleEndian,
    frames: list[bytes] | None = None,
    preamble: bool = True,
    **attributes: Any,
) -> bytes:
    """A DICOM image of ``pixels`` ([frames,] rows, columns[, 3]), by default a 12-bit head.

    ``frames`` are compressed frames to store in place of the pixels; ``attributes`` are DICOM
    keywords set last, None to remove one.
    """
    stored = np.rint(brain(seed, tumour) * 1200).astype(np.uint16) if pixels is None else pixels
    file = data_set(modality, syntax)
    describe_pixels(file, stored)
    raw = stored.astype(stored.dtype.newbyteorder("<" if syntax.is_little_endian else ">")).tobytes()
    file.PixelData = raw + b"\0" * (len(raw) % 2) if frames is None else encapsulate(frames)
    file["PixelData"].VR = "OB" if frames else "OW"
    for keyword, value in attributes.items():
        if value is None:
            delattr(file, keyword)
        else:
            setattr(file, keyword, value)
    return written(file, preamble)


def data_set(modality: str | None, syntax: uid.UID, kind: uid.UID = uid.MRImageStorage) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = kind
    meta.MediaStorageSOPInstanceUID = uid.UID("1.2.826.0.1.3680043.8.498.1")
    file = FileDataset("", {}, b"\0" * 128, meta, syntax.is_implicit_VR, syntax.is_little_endian)
    file.SOPClassUID, file.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    file.PatientName, file.PatientID = "Secret^Person", "MRN-SECRET"
    file.SeriesDescription = "t1 axial"
    if modality is not None:
        file.Modality = modality
    return file


def describe_pixels(file: Dataset, stored: NDArray[Any]) -> None:
    colour = stored.ndim > 2 and stored.shape[-1] == 3
    shape = stored.shape[:-1] if colour else stored.shape
    file.Rows, file.Columns = shape[-2:]
    if len(shape) == 3:
        file.NumberOfFrames = shape[0]
    file.SamplesPerPixel = 3 if colour else 1
    file.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        file.PlanarConfiguration = 0
    file.BitsAllocated = file.BitsStored = stored.dtype.itemsize * 8
    file.HighBit = file.BitsStored - 1
    file.PixelRepresentation = int(stored.dtype.kind == "i")
    file.PixelSpacing = [0.5, 0.75]


def written(file: FileDataset, preamble: bool = True) -> bytes:
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=preamble)
    data = buffer.getvalue()
    return data if preamble else data[data.index(b"\x08\x00\x16\x00") :]


def changed(data: bytes, **attributes: Any) -> bytes:
    """A DICOM file with other ``attributes``, None to remove one."""
    file = pydicom.dcmread(io.BytesIO(data))
    for keyword, value in attributes.items():
        if value is None:
            delattr(file, keyword)
        else:
            setattr(file, keyword, value)
    return written(file)


def dicom_without_pixels(kind: uid.UID = uid.BasicTextSRStorage, modality: str = "SR") -> bytes:
    return written(data_set(modality, uid.ExplicitVRLittleEndian, kind))


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of(width: int, height: int, rows: bytes, *extra: bytes, bits: int = 8, colours: int = 0) -> bytes:
    """A PNG whose header claims ``width`` by ``height`` whatever ``rows`` (filter byte first) hold."""
    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def with_text_bomb(png: bytes, size: int = 8 * 2**20) -> bytes:
    """``png`` with a compressed comment that unpacks to ``size`` bytes."""
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * size))
    return png[:33] + bomb + png[33:]


def tiff_of(entries: dict[int, tuple[int, int]], body: bytes = b"") -> bytes:
    """A little-endian TIFF of one page: tag -> (type, value); type 3 is short, 4 long."""
    fields = b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(entries.items())
    )
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + fields + b"\0\0\0\0" + body


def tiff_bomb(side: int) -> bytes:
    body = zlib.compress(b"\0" * 4096)
    entries = {
        256: (4, side),
        257: (4, side),
        258: (3, 8),
        259: (3, 8),
        262: (3, 1),
        277: (3, 1),
        278: (4, side),
    }
    start = 8 + 2 + 12 * (len(entries) + 2) + 4
    return tiff_of(entries | {273: (4, start), 279: (4, len(body))}, body)


def animated(kind: str, frames: int = 3) -> bytes:
    pictures = [PIL.Image.fromarray(bytes_of(brain(seed))) for seed in range(frames)]
    return encoded(pictures[0], kind, save_all=True, append_images=pictures[1:], duration=100)


def zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scan.png", b"\0" * 2**22)
    return buffer.getvalue()


def nifti() -> bytes:
    header = bytearray(352)
    header[0:4], header[344:348] = struct.pack("<i", 348), b"n+1\0"
    return bytes(header) + b"\0" * 4096


def noise(size: int, seed: int = 7) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def _hostile() -> dict[str, tuple[bytes, str]]:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    page = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
    wide = brain(height=64, width=64)
    return {
        "empty": (b"", "image_empty"),
        "one byte": (b"\x89", "image_unsupported"),
        "text": (b"This is not an image.\n" * 20, "image_unsupported"),
        "zeros": (b"\0" * 5000, "image_unsupported"),
        "noise": (noise(5000), "image_unsupported"),
        "pdf": (b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n" + noise(200), "image_unsupported"),
        "zip bomb": (zip_bomb(), "image_unsupported"),
        "html with script": (page, "image_unsupported"),
        "svg with script": (b"<?xml version='1.0'?>\n" + svg, "image_unsupported"),
        "animated gif": (animated("gif"), "image_unsupported"),
        "gif with html": (b"GIF89a/*" + page + b"*/=1;", "image_unsupported"),
        "program": (b"\x7fELF" + noise(500), "image_unsupported"),
        "nifti without values": (nifti(), "nifti_unreadable"),
        "compressed nifti without values": (gzip.compress(nifti(), mtime=0), "nifti_unreadable"),
        "bitmap word": (b"BMW is a car, not a bitmap." * 9, "image_unsupported"),
        "png bomb": (png_of(50_000, 50_000, b"\0" * 100), "image_too_large"),
        "png without pixels": (png_of(0, 10, b"\0"), "image_unreadable"),
        "png noise": (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", noise(13)), "image_too_large"),
        "png with html": (b"\x89PNG\r\n\x1a\n" + page * 4, "image_truncated"),
        "png damaged": (brain_png().replace(b"IDAT", b"IDAT\xff", 1), "image_unreadable"),
        "png truncated": (brain_png()[:-900], "image_truncated"),
        "animated png": (animated("png"), "image_animated"),
        "png tiny": (saved(bytes_of(wide)[:31], "png"), "image_too_small"),
        "jpeg noise": (b"\xff\xd8\xff\xe0" + noise(500), "image_truncated"),
        "jpeg truncated": (brain_jpeg()[:-300], "image_truncated"),
        "jpeg cut and closed": (brain_jpeg()[:-1500] + b"\xff\xd9", "image_truncated"),
        "bmp truncated": (brain_bmp()[:-10], "image_truncated"),
        "bmp bomb": (
            brain_bmp()[:18] + struct.pack("<ii", 50_000, 50_000) + brain_bmp()[26:],
            "image_too_large",
        ),
        "tiff noise": (b"II*\0" + noise(500), "image_truncated"),
        "tiff truncated": (brain_tiff()[:-10], "image_truncated"),
        "tiff bomb": (tiff_bomb(19_000), "image_too_large"),
        "webp truncated": (brain_webp()[:-10], "image_truncated"),
        "webp noise": (b"RIFF\xf4\x01\0\0WEBPVP8 " + noise(488), "image_truncated"),
        "animated webp": (animated("webp"), "image_animated"),
        "dicom truncated": (brain_dicom()[:-1000], "image_truncated"),
        "dicom header only": (brain_dicom(PixelData=None), "image_truncated"),
        "dicom report": (dicom_without_pixels(), "dicom_without_pixels"),
        "dicom ct": (brain_dicom(modality="CT"), "dicom_wrong_modality"),
        "dicom noise": (b"\0" * 128 + b"DICM" + noise(2000), "dicom_unreadable"),
        "dicom bomb": (brain_dicom(Rows=65_000, Columns=65_000), "image_too_large"),
        "dicom frames bomb": (brain_dicom(NumberOfFrames=100_000), "image_too_large"),
    }


HOSTILE: dict[str, tuple[bytes, str]] = _hostile()
"""name -> (content, the code it must be refused with)."""

UPLOADED: dict[str, tuple[bytes, str]] = HOSTILE | {"zip bomb": (zip_bomb(), "zip_bomb")}
"""The same where archives are unpacked."""
