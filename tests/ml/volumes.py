"""Generated volumes in every stored form: NIfTI, series of DICOM files, enhanced DICOM, archives."""

import gzip
import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

from tests.ml.pictures import brain_dicom, changed

Volume = NDArray[Any]

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
WATER, FAT = ["DERIVED", "PRIMARY", "DIXON", "WATER"], ["DERIVED", "PRIMARY", "DIXON", "FAT"]
SERIES = "1.2.826.0.1.3680043.8.498.77"


def head(right: int = 40, front: int = 48, up: int = 36) -> Volume:
    """A head as (right, anterior, superior) axes, int16: no two sides of it look the same."""
    x, y, z = np.mgrid[-1 : 1 : right * 1j, -1 : 1 : front * 1j, -1 : 1 : up * 1j]

    def ball(place: tuple[float, float, float], size: float) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = (
            sum((axis - centre) ** 2 for axis, centre in zip((x, y, z), place, strict=True)) < size**2
        )
        return inside

    volume = np.zeros(x.shape)
    volume[ball((0, 0, 0), 0.95)] = 900
    volume[ball((0, 0, 0), 0.85)] = 100
    volume[ball((0, 0, 0), 0.8)] = 500
    volume[ball((0.45, 0, 0), 0.2)] = 1000  # on the right
    volume[ball((0, 0.45, 0), 0.25)] = 750  # in front
    volume[ball((0, 0, 0.45), 0.3)] = 250  # above
    return (volume + 20 * np.sin(9 * x + 5 * y + 7 * z) * (volume > 0)).astype(np.int16)


def nifti(
    volume: Volume,
    *,
    sizes: Sequence[float] = (1.0, 1.0, 1.0),
    axes: str = "RAS",
    compressed: bool = False,
    kind: type[Any] = nibabel.Nifti1Image,
    **header: Any,
) -> bytes:
    """A volume given as (right, anterior, superior) and stored along ``axes``; ``sizes`` as given, too.

    ``header`` are fields set last, whatever they do to the file.
    """
    image = kind(volume, np.diag([*sizes, 1.0][:4]))
    wanted = nibabel.orientations.axcodes2ornt(axes)
    turns = nibabel.orientations.ornt_transform(nibabel.orientations.io_orientation(image.affine), wanted)
    data = _with_fields(image.as_reoriented(turns), header)
    return gzip.compress(data, 1, mtime=0) if compressed else data


def by_quaternion(volume: Volume, **header: Any) -> bytes:
    """A NIfTI-1 volume with slices 5 mm apart, placed by its qform alone unless ``header`` says otherwise."""
    image = nibabel.Nifti1Image(volume, np.diag([1.0, 1.0, 5.0, 1.0]))
    image.set_qform(image.affine, 1)
    image.set_sform(image.affine, 0)
    return _with_fields(image, header)


def _with_fields(image: Any, header: Mapping[str, Any]) -> bytes:
    data = bytearray(image.to_bytes())
    fields = image.header.__class__(bytes(data[: image.header.sizeof_hdr]), check=False)
    for name, value in header.items():
        fields[name] = value
    data[: image.header.sizeof_hdr] = fields.binaryblock
    return bytes(data)


def dicom_slices(
    count: int = 5,
    *,
    directions: Sequence[float] = AXIAL,
    step: float = 4.0,
    series: str = SERIES,
    volume: Volume | None = None,
    **attributes: Any,
) -> list[bytes]:
    """Files of one series in anatomical order, slice i with i as its mean grade of grey."""
    normal = np.cross(directions[:3], directions[3:])
    stored = grades(count) if volume is None else volume
    return [
        brain_dicom(
            pixels=pixels,
            **{
                "SeriesInstanceUID": series,
                "SOPInstanceUID": f"{series}.{number}",
                "ImageOrientationPatient": [float(value) for value in directions],
                "ImagePositionPatient": [round(float(value), 4) for value in (number * step - 30) * normal],
                "InstanceNumber": number + 1,
            }
            | attributes,
        )
        for number, pixels in enumerate(stored)
    ]


def two_passes(count: int = 4, **second: Any) -> tuple[list[bytes], list[bytes]]:
    """Two images at each position: the second pass is brighter and numbered after the first."""
    first = dicom_slices(count, ImageType=WATER, EchoTime=2.3)
    other = dicom_slices(volume=grades(count) + 2000, ImageType=WATER, EchoTime=2.3)
    later = [
        changed(data, **{"SOPInstanceUID": f"1.2.9.{n}", "InstanceNumber": count + n + 1} | second)
        for n, data in enumerate(other)
    ]
    return first, later


def interleaved(one: list[bytes], other: list[bytes]) -> list[bytes]:
    return [data for both in zip(one, other, strict=True) for data in both]


def grades(count: int) -> Volume:
    """(count, 40, 36) slices that can be told from each other, each a little brighter than the last."""
    rows = np.mgrid[0:40, 0:36][0]
    return np.stack([(rows * 3 + 100 * (number + 1)).astype(np.uint16) for number in range(count)])


def grade_order(slices: Sequence[NDArray[Any]]) -> list[int]:
    """Which of ``grades`` the slices are, by their brightness."""
    return np.argsort(np.argsort([float(pixels.mean()) for pixels in slices])).tolist()


def item(**attributes: Any) -> Dataset:
    found = Dataset()
    for keyword, value in attributes.items():
        setattr(found, keyword, value)
    return found


def enhanced(
    positions: Sequence[Sequence[float]],
    directions: Sequence[Sequence[float]] | None = None,
    **attributes: Any,
) -> bytes:
    """An enhanced multi-frame image whose frames lie at ``positions``."""
    frames = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=list(position))],
            PlaneOrientationSequence=[item(ImageOrientationPatient=list(sides))],
        )
        for position, sides in zip(positions, directions or [AXIAL] * len(positions), strict=True)
    ]
    shared = item(PixelMeasuresSequence=[item(PixelSpacing=[0.9, 0.8], SliceThickness=3.0)])
    return brain_dicom(
        pixels=grades(len(positions)),
        SOPClassUID=uid.EnhancedMRImageStorage,
        PerFrameFunctionalGroupsSequence=frames,
        SharedFunctionalGroupsSequence=[shared],
        **attributes,
    )


def zipped(files: Mapping[str, bytes], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **{"compression": zipfile.ZIP_DEFLATED} | options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
