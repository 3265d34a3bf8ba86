"""NIfTI volumes: cut in the plane they were acquired in, laid as a reading room hangs them.

Only as much of a compressed file is unpacked as its header, once checked, needs. Nothing of the
header's free text is used: it may name the patient.
"""

import gzip
import io
import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from nibabel import orientations
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from ml import anatomy
from ml.image_types import Facts, Image, Limits, refusal
from ml.intensity import Array, robust_range, sample, to_unit

HEADER_BYTES: Final = 540
GZIP: Final = b"\x1f\x8b"
DETACHED: Final = (b"ni1", b"ni2")
GREY_TYPES: Final = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
OTHER_TYPES: Final = {
    1: "single bits",
    32: "complex numbers",
    128: "colours",
    1536: "numbers of 128 bits",
    1792: "complex numbers",
    2048: "complex numbers",
    2304: "colours",
}
MILLIMETRES: Final = {1: 1000.0, 3: 0.001}
SECONDS: Final = {8: 1.0, 16: 1e-3, 24: 1e-6}
VECTORS: Final = frozenset({1005, 1006, 1007, 1009})
ISOTROPIC: Final = 1.05

HANGING: Final = (("A", "S"), ("R", "S"), ("R", "A"))
"""Left and top edge of slices across x, y and z."""

Header = Any  # nibabel's header of either version: a record of named fields
Stream = gzip.GzipFile | io.BytesIO


class Frame(NamedTuple):
    """The voxel axes in the patient.

    ``turns`` is nibabel's orientation to right, anterior, superior; ``sizes`` the millimetres along
    these, ``directions`` their unit vectors as columns. None where the file does not say.
    """

    turns: Array
    sizes: NDArray[np.float64]
    directions: NDArray[np.float64] | None


def decode(data: bytes, limits: Limits) -> Image:
    """Slices across the axis of the widest spacing, axial ones if all are alike.

    Axial slices go from the feet to the head, coronal ones from front to back, sagittal ones from
    left to right; the patient's right is on the left of the picture. One scale holds for the whole
    volume. Raises ImageError for what can be foreseen and anything at all for the rest.
    """
    with gzip.open(io.BytesIO(data)) if data[:2] == GZIP else io.BytesIO(data) as file:
        header = _header(file)
        shape, dtype = _shape(header), _dtype(header)
        frame = _frame(header)
        axis = _slice_axis(frame, shape)
        depth, width, height = _sides(frame, shape, axis)
        limits.check(width, height, depth)
        values = _values(file, header, math.prod(shape), dtype, limits)
    if not len(sample(values)):
        raise refusal("nifti_unsupported", "The NIfTI file holds no number that could be shown.")
    volume = orientations.apply_orientation(values.reshape(shape, order="F"), frame.turns)
    pictures = _cut(volume, axis)
    bounds = robust_range([values])
    inverted = float(header["scl_slope"]) < 0
    slices = tuple(_unit(picture, bounds, inverted=inverted) for picture in pictures)
    facts = Facts("nifti", width, height, depth, dtype.itemsize * 8, dtype.name, **_place(frame, axis))
    return Image(slices, facts)


def _header(file: Stream) -> Header:
    head = file.read(HEADER_BYTES)
    if len(head) < HEADER_BYTES:
        raise refusal("image_truncated")
    large = head[4:8] in (b"n+2\0", b"ni2\0")
    if (head[4:7] if large else head[344:347]) in DETACHED:
        detail = "This is the header of a NIfTI pair; convert both files into one .nii file."
        raise refusal("nifti_unsupported", detail)
    kind = Nifti2Header if large else Nifti1Header
    return kind(head[: kind.sizeof_hdr], check=False)


def _shape(header: Header) -> tuple[int, int, int]:
    count = int(header["dim"][0])
    if not 1 <= count <= 7:
        raise refusal("nifti_unreadable")
    sizes = [int(size) for size in header["dim"][1 : count + 1]]
    if min(sizes) < 1:
        raise refusal("nifti_unreadable", "The NIfTI file describes a volume without any values.")
    several = math.prod(sizes[3:])
    if several > 1:
        raise refusal("nifti_4d", f"This NIfTI file holds {_several(header, several)}, not one scan.")
    x, y, z = (*sizes, 1, 1)[:3]
    return x, y, z


def _several(header: Header, count: int) -> str:
    if int(header["intent_code"]) in VECTORS:
        return f"{count} numbers for each place, such as directions"
    step = float(header["pixdim"][4]) * SECONDS.get(int(header["xyzt_units"]) & 0x38, 0.0)
    if step > 0 and int(header["dim"][0]) == 4 and math.isfinite(step):
        return f"a time series of {count} volumes, one every {step:.3g} s"
    return f"{count} volumes, such as a time series or diffusion directions"


def _dtype(header: Header) -> np.dtype[Any]:
    code = int(header["datatype"])
    if code in OTHER_TYPES:
        raise refusal("nifti_unsupported", f"The NIfTI file holds {OTHER_TYPES[code]}, not grey values.")
    return np.dtype(GREY_TYPES[code]).newbyteorder(header.endianness)


def _values(file: Stream, header: Header, count: int, dtype: np.dtype[Any], limits: Limits) -> Array:
    offset = float(header["vox_offset"])
    if not 0 <= offset <= limits.max_bytes:
        raise refusal("nifti_unreadable", "The NIfTI file does not say where its values are.")
    file.seek(max(int(offset), header.single_vox_offset))
    wanted = count * dtype.itemsize
    raw = file.read(wanted)
    if len(raw) < wanted:
        raise refusal("image_truncated")
    file.read(1)  # at the end of a compressed file its checksum is compared
    return np.frombuffer(raw, dtype)


def _frame(header: Header) -> Frame:
    unit = MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)
    affine = _affine(header)
    if affine is None:
        sizes = np.abs(header["pixdim"][1:4].astype(np.float64)) * unit
        return Frame(np.array([[0, 1], [1, 1], [2, 1]]), sizes, None)
    turns = orientations.io_orientation(affine)
    columns = affine[:3, :3][:, np.argsort(turns[:, 0])]
    sizes = np.linalg.norm(columns, axis=0)
    return Frame(turns, sizes * unit, columns / sizes)


def _affine(header: Header) -> NDArray[np.float64] | None:
    """The sform, the qform where there is none; None where neither says anything possible."""
    header["pixdim"][0] = -1 if header["pixdim"][0] < 0 else 1  # as NIfTI-1 reads it, 0 included
    for code, matrix in (("sform_code", header.get_sform), ("qform_code", header.get_qform)):
        affine = _possible(matrix) if int(header[code]) > 0 else None
        if affine is not None:
            return affine
    return None


def _possible(matrix: Callable[[], NDArray[np.float64]]) -> NDArray[np.float64] | None:
    try:
        affine = matrix()
    except (ValueError, HeaderDataError):  # the quaternion or the voxel sizes are none
        return None
    columns = affine[:3, :3]
    if not np.isfinite(columns).all() or not np.linalg.norm(columns, axis=0).all():
        return None
    return None if np.isnan(orientations.io_orientation(affine)).any() else affine


def _slice_axis(frame: Frame, shape: tuple[int, int, int]) -> int:
    """Of right, anterior, superior the one that goes from slice to slice."""
    sides = _turned(frame, shape)
    if min(sides) == 1:
        return 2 - sides[::-1].index(1)
    sizes = np.nan_to_num(frame.sizes)
    return 2 if sizes[2] * ISOTROPIC >= sizes.max() else int(sizes.argmax())


def _turned(frame: Frame, shape: tuple[int, int, int]) -> list[int]:
    return [shape[axis] for axis in np.argsort(frame.turns[:, 0])]


def _sides(frame: Frame, shape: tuple[int, int, int], axis: int) -> tuple[int, int, int]:
    """Number of slices, their width and their height."""
    sides = _turned(frame, shape)
    depth = sides.pop(axis)
    width, height = sides
    return depth, width, height


def _cut(volume: Array, axis: int) -> Array:
    """(slices, rows, columns), a view."""
    pictures = np.moveaxis(volume, axis, 0)[:, ::-1, ::-1].transpose(0, 2, 1)
    return pictures[::-1] if anatomy.PLANES[axis] == "coronal" else pictures


def _unit(picture: Array, bounds: tuple[float, float], *, inverted: bool) -> NDArray[np.float32]:
    unit = to_unit(picture, *bounds)
    return np.subtract(1, unit, dtype=np.float32) if inverted else unit


def _place(frame: Frame, axis: int) -> dict[str, Any]:
    sizes = [float(round(size, 4)) if anatomy.is_possible(size) else None for size in frame.sizes]
    between = sizes.pop(axis)
    column, row = sizes
    found: dict[str, Any] = {
        "spacing_mm": (row, column) if row and column else None,
        "slice_spacing_mm": between,
    }
    if frame.directions is not None:
        found |= {"plane": anatomy.plane(frame.directions[:, axis]), "orientation": HANGING[axis]}
    return found
