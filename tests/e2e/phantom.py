"""Drawn heads for screenshots: they resemble an axial MRI slice and come from no patient."""

import gzip
import io

import nibabel
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.float64]
SIDE = 384


def head_png(seed: int, *, tumour: str = "") -> bytes:
    """``tumour``: "ring" (bright rim, dark core, swelling), "solid" (bright, at the edge) or nothing."""
    pixels = np.rint(255 * np.clip(_head(np.random.default_rng(seed), tumour), 0, 1)).astype(np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def volume_nifti(slices: int = 12, *, side: int = 96, spacing: float = 2.0) -> bytes:
    """A head in ``slices`` axial slices as gzipped NIfTI, each of another grey, smaller towards the ends."""
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    height = np.linspace(-0.8, 0.8, slices)
    radius = np.sqrt(1 - height**2)
    inside = np.hypot(rows, columns)[..., np.newaxis] < 0.9 * radius
    ventricles = (np.hypot(rows / 0.4, columns / 0.2) < 1)[..., np.newaxis] & inside
    grey = np.where(ventricles, 200, 500) + 25 * np.arange(slices) + 40 * (columns[..., np.newaxis] > 0)
    return _as_nifti(np.where(inside, grey, 0).astype(np.int16), (spacing, spacing, 3.0))


def head_nifti(seed: int, *, tumour: str, slices: int = 16) -> bytes:
    """A drawn head as a volume from its middle to the top; the slices between a quarter and two thirds of
    the way hold the tumour.
    """
    made = []
    for number in range(slices):
        kind = tumour if slices // 4 <= number < 2 * slices // 3 else ""
        picture = np.clip(_head(np.random.default_rng(seed), kind), 0, 1)
        made.append(_shrunk(picture, float(np.sqrt(1 - (0.8 * number / slices) ** 2))))
    pixels = np.rint(1000 * np.stack(made, axis=-1)).astype(np.int16)
    return _as_nifti(pixels, (0.6, 0.6, 5.0))


def _shrunk(picture: Field, share: float) -> Field:
    """In the middle of as much black as there was picture."""
    smaller = ndimage.zoom(picture, share, order=1)
    above, left = ((SIDE - length) // 2 for length in smaller.shape)
    drawn = np.zeros_like(picture)
    drawn[above : above + smaller.shape[0], left : left + smaller.shape[1]] = smaller
    return drawn


def _as_nifti(pixels: NDArray[np.int16], spacing: tuple[float, float, float]) -> bytes:
    """From (row, column) of pictures seen from the feet to (left to right, back to front)."""
    stored = pixels[::-1, ::-1].transpose(1, 0, 2)
    image = nibabel.Nifti1Image(np.ascontiguousarray(stored), np.diag([*spacing, 1.0]))
    return gzip.compress(image.to_bytes(), mtime=0)


def _head(random: np.random.Generator, tumour: str) -> Field:
    rows, columns = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    wobble = 0.011 * _noise(random, 44)
    radius = np.hypot(rows / 0.88, columns / 0.70) + wobble
    depth = 0.80 - radius  # how far below the brain's surface
    picture = np.where(radius < 0.985, 0.10, 0.0)
    picture[(radius > 0.90) & (radius < 0.975)] = 0.72  # scalp
    picture[(radius > 0.835) & (radius <= 0.875)] = 0.28  # marrow
    brain = depth > 0
    picture[brain] = 0.60  # white matter
    cortex = brain & (depth < 0.10 + 0.17 * _folds(random, rows, columns))
    picture[cortex] = 0.44
    picture[brain & (_folds(random, rows, columns) > 0.90) & (depth < 0.22)] = 0.16  # sulci
    picture[brain & (np.abs(columns + 0.3 * wobble) < 0.008) & (np.abs(rows) > 0.28)] = 0.14  # falx
    picture[_ventricles(rows, columns + 0.5 * wobble)] = 0.12
    if tumour:
        picture = _with_tumour(picture, random, rows, columns, tumour)
    shading = 1 + 0.10 * _noise(random, 90)
    smooth = ndimage.gaussian_filter(picture, 1.3) * shading
    return np.hypot(smooth + random.normal(0, 0.015, smooth.shape), random.normal(0, 0.015, smooth.shape))


def _folds(random: np.random.Generator, rows: Field, columns: Field) -> Field:
    """Winding bands in [0, 1], about as wide as a gyrus."""
    angle = np.arctan2(rows, columns)
    phase = 17 * angle + 9 * np.hypot(rows, columns) + 5 * _noise(random, 26)
    return 0.5 + 0.5 * np.sin(phase)


def _ventricles(rows: Field, columns: Field) -> NDArray[np.bool_]:
    side = np.abs(columns)
    front = ((rows + 0.16 + 0.9 * side) / 0.15) ** 2 + ((side - 0.075) / 0.045) ** 2 < 1
    back = ((rows - 0.17 - 0.8 * side) / 0.19) ** 2 + ((side - 0.10) / 0.05) ** 2 < 1
    return np.asarray(front | back)


def _with_tumour(
    picture: Field, random: np.random.Generator, rows: Field, columns: Field, kind: str
) -> Field:
    side = random.choice([-1.0, 1.0])
    y, x, size = (
        (random.uniform(-0.2, 0.25), side * 0.30, 0.15)
        if kind == "ring"
        else (random.uniform(-0.35, 0.1), side * 0.46, 0.12)
    )
    distance = np.hypot(rows - y, columns - x) / (size * (1 + 0.12 * _noise(random, 30)))
    drawn = picture.copy()
    if kind == "ring":
        drawn[(distance < 2.1) & (picture > 0.4)] *= 0.72
        drawn[distance < 1] = 0.95
        drawn[distance < 0.72] = 0.26
    else:
        drawn[distance < 1] = 0.90
    return drawn


def _noise(random: np.random.Generator, width: float) -> Field:
    """Smooth noise with a standard deviation of one."""
    field = ndimage.gaussian_filter(random.normal(size=(SIDE, SIDE)), width / 2)
    return np.asarray(field / field.std())
