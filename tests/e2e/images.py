"""An image of each kind: real ones where they lie beside the project, else drawn ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import DATA
from tests.e2e.phantom import head_png, volume_nifti
from tests.ml.pictures import brain_dicom
from tests.ml.volumes import zipped


@dataclass(frozen=True)
class Images:
    """``volume`` holds a tumour; of a drawn one no model can be asked where it is."""

    volume: tuple[str, bytes]
    others: Mapping[str, bytes]
    real: bool


def images() -> Images:
    return _real() if DATA.is_dir() else _drawn()


def _real() -> Images:
    slices = [first(DATA / "slices" / kind) for kind in ("meningioma", "pituitary")]
    return Images(
        volume=("glioma.nii.gz", first(DATA / "volumes", "glioma*.nii.gz").read_bytes()),
        others={
            f"slice{slices[0].suffix}": slices[0].read_bytes(),
            "IM0001": (DATA / "dicom" / "MR4_JLSL.dcm").read_bytes(),
            "disc.zip": zipped({f"export/one{slices[1].suffix}": slices[1].read_bytes()}),
        },
        real=True,
    )


def _drawn() -> Images:
    return Images(
        volume=("head.nii.gz", volume_nifti()),
        others={
            "slice.png": head_png(1, tumour="ring"),
            "IM0001": brain_dicom(),
            "disc.zip": zipped({"export/one.png": head_png(2)}),
        },
        real=False,
    )


def first(folder: Path, pattern: str = "*.*") -> Path:
    return min(folder.glob(pattern))
