"""Where a tumour lies: the network's mask in the pixels of the picture, its size, and how it is shown.

Nothing here decides whether there is a tumour. Masks are boolean (height, width) of a source slice.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from scipy import ndimage

from ml.errors import MlError
from ml.framing import Box
from ml.image_types import Pixels
from ml.preprocess import Geometry

Mask = NDArray[np.bool_]

COLOUR: Final = (230, 159, 0)
"""Orange of the Okabe-Ito palette: apart from every grey for each form of colour blindness."""

LARGEST_COMPONENTS: Final = 3
LEAST_SHARE: Final = 0.1
LEAST_PIXELS: Final = 12
LEAST_LEVEL: Final = 0.2
MIDLINE: Final = 0.03
SIDES: Final = {"R": "right", "L": "left"}
BALL: Final = np.ones((3, 3), np.bool_)
DIRECTIONS: Final = np.deg2rad(np.arange(0.0, 180.0, 0.5))


class MasksError(MlError):
    """Stored masks are not what ``encode`` writes."""

    code = "masks_unreadable"


@dataclass(frozen=True)
class Finding:
    """The outlined area of one slice, in pixels of that slice as it was read.

    ``box`` is (left, top, right, bottom), right and bottom excluded, around all ``components``;
    ``area_px`` and ``area_mm2`` are those of all of them. ``diameter_px``, ``diameter_mm`` (the
    largest distance between two points of the outline) and ``centre`` (x, y; the centre of pixel i
    is i + 0.5) belong to the largest. Millimetres are None where the file gives no spacing; ``side``
    is the patient's ``left`` or ``right``, None where the file does not tell or at the midline.
    """

    slice_index: int
    box: Box
    area_px: int
    area_mm2: float | None
    diameter_px: float
    diameter_mm: float | None
    centre: tuple[float, float]
    side: str | None
    components: int


def to_source(
    probabilities: NDArray[np.float32], geometry: Geometry, shape: tuple[int, int], threshold: float
) -> Mask:
    """The mask (height, width) of a source slice from probabilities (m, m) over the network's square."""
    left, top, right, bottom = geometry.box
    width, height, grid = right - left, bottom - top, len(probabilities)
    step = grid / geometry.side
    x, y = geometry.pad[0] * step, geometry.pad[1] * step
    area = (x, y, min(grid, x + width * step), min(grid, y + height * step))
    square = PIL.Image.fromarray(np.ascontiguousarray(probabilities, np.float32))
    crop = square.resize((width, height), PIL.Image.Resampling.BILINEAR, box=area)
    mask = np.zeros(shape, np.bool_)
    mask[top:bottom, left:right] = np.asarray(crop) > threshold
    return mask


def level(probabilities: NDArray[np.float32], usual: float) -> float:
    """Where to cut the outline of a slice that may show a tumour: at the largest expected Dice.

    If points are as likely a tumour's as ``probabilities`` (m, m) say, the most likely k of them have
    the expected Dice 2 * sum of those k / (k + sum of all), nearly, and the best cut is half of that
    Dice (Lipton et al., ECML 2014, for F1): a sure outline is cut near one half, a vague one lower, but
    never under the lower of ``LEAST_LEVEL`` and ``usual``, above which a point counts as a tumour's.
    """
    least = min(LEAST_LEVEL, usual)
    ranked = np.sort(probabilities, axis=None)[::-1].astype(np.float64)
    count = int(np.sum(ranked > least))
    if not count:
        return least
    expected = np.cumsum(ranked)[:count] / (np.arange(1, count + 1) + ranked.sum())
    last = int(expected.argmax())
    lower = ranked[last + 1] if last + 1 < count else least
    return float((ranked[last] + lower) / 2)


def clean(mask: Mask, *, least_pixels: int = LEAST_PIXELS) -> Mask:
    """The largest connected areas without holes; small ones and specks beside a large one go."""
    cleaned = np.zeros_like(mask)
    if mask.any():
        frame = ndimage.find_objects(mask.view(np.int8))[0]
        cleaned[frame] = _clean(mask[frame], least_pixels)
    return cleaned


def _clean(mask: Mask, least_pixels: int) -> Mask:
    labels, _ = ndimage.label(ndimage.binary_fill_holes(mask))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = np.argsort(sizes)[::-1][:LARGEST_COMPONENTS]
    least = max(least_pixels, LEAST_SHARE * sizes.max())
    return np.asarray(np.isin(labels, largest[sizes[largest] >= least]))


def share(probabilities: NDArray[np.float32], threshold: float) -> float:
    """The part of the network's square (m, m) that the largest connected outlined area covers."""
    labels, count = ndimage.label(probabilities > threshold)
    return float(np.bincount(labels.ravel())[1:].max() / labels.size) if count else 0.0


def measure(
    mask: Mask,
    spacing_mm: tuple[float, float] | None,
    *,
    slice_index: int = 0,
    side: str | None = None,
) -> Finding:
    """The measures of a mask that is not empty; ``spacing_mm`` is (row, column)."""
    labels, count = ndimage.label(mask)
    if count == 0:
        raise ValueError("an empty mask has no measures")
    largest = labels == int(np.argmax(np.bincount(labels.ravel())[1:])) + 1
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    y, x = np.argwhere(largest).mean(axis=0) + 0.5
    area = int(mask.sum())
    return Finding(
        slice_index=slice_index,
        box=(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1),
        area_px=area,
        area_mm2=area * spacing_mm[0] * spacing_mm[1] if spacing_mm else None,
        diameter_px=_diameter(largest, (1.0, 1.0)),
        diameter_mm=_diameter(largest, spacing_mm) if spacing_mm else None,
        centre=(float(x), float(y)),
        side=side,
        components=int(count),
    )


def _diameter(mask: Mask, spacing: tuple[float, float]) -> float:
    """The largest width over all directions, of pixels with a height and a width.

    The outermost points of every row are enough: the outline's hull has its corners among them.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - mask[rows][:, ::-1].argmax(axis=1)
    corners = [(y, x) for y in (rows, rows + 1) for x in (first, last)]
    points = np.concatenate([np.stack([y * spacing[0], x * spacing[1]], axis=1) for y, x in corners])
    widths = np.ptp(points @ np.stack([np.sin(DIRECTIONS), np.cos(DIRECTIONS)]), axis=0)
    return float(widths.max())


def neighbours(masks: Mapping[int, Mask], index: int) -> list[int]:
    """The unbroken run of slices with a mask around this one; empty where it has none itself."""
    run = [index] if index in masks else []
    for step in (-1, 1):
        place = index + step
        while run and place in masks:
            run.append(place)
            place += step
    return sorted(run)


def side(centre: tuple[float, float], head: Box, orientation: tuple[str, str] | None) -> str | None:
    """The patient's side of a point; ``orientation`` names the patient's at the left and top edge.

    None at the middle of the head and where the picture does not divide left from right.
    """
    for edge, place, low, high in zip(orientation or (), centre, head[:2], head[2:], strict=False):
        if edge in SIDES:
            away = place - (low + high) / 2
            if abs(away) < MIDLINE * (high - low):
                return None
            return SIDES[edge] if away < 0 else SIDES["L" if edge == "R" else "R"]
    return None


def overlay_png(pixels: Pixels, mask: Mask, *, opacity: float = 0.4, outline: bool = False) -> bytes:
    """A colour PNG without metadata: the slice in [0, 1] with the mask laid over it.

    ``outline`` draws the mask's border alone, opaque, so that the picture inside stays as it is.
    """
    grey = np.rint(np.clip(np.nan_to_num(pixels, nan=0.0), 0.0, 1.0) * 255)
    picture = np.repeat(grey[..., np.newaxis], 3, axis=2)
    where = mask & ~ndimage.binary_erosion(mask) if outline else mask
    share = 1.0 if outline else opacity
    picture[where] = (1 - share) * picture[where] + share * np.array(COLOUR)
    return _png(PIL.Image.fromarray(np.rint(picture).astype(np.uint8)))


def border_png(mask: Mask, side: int) -> bytes:
    """A clear PNG with a border around the mask, to be laid over the slice.

    Its longer side has ``side`` pixels. The border lies outside the mask, so that the edge which it marks
    can be seen, and is ``side`` / 256 pixels wide.
    """
    scale = side / max(mask.shape)
    height, width = (max(1, round(length * scale)) for length in mask.shape)
    grey = PIL.Image.fromarray(mask).convert("L")
    large = np.asarray(grey.resize((width, height), PIL.Image.Resampling.BILINEAR)) > 127
    border = ndimage.binary_dilation(large, BALL, iterations=max(1, side // 256)) & ~large
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[border] = (*COLOUR, 255)
    return _png(PIL.Image.fromarray(pixels))


def encode(masks: Mapping[int, Mask]) -> bytes:
    """Masks by slice index as one file: a zip of 1-bit PNG. The same masks give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for index in sorted(masks):
            entry = zipfile.ZipInfo(f"{index:05}.png")
            archive.writestr(entry, _png(PIL.Image.fromarray(masks[index])))
    return buffer.getvalue()


def decode(data: bytes) -> dict[int, Mask]:
    """What ``encode`` was given. Raises MasksError for anything else."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {int(name.removesuffix(".png")): _mask(archive.read(name)) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise MasksError("The stored outlines cannot be read.") from error


def _mask(data: bytes) -> Mask:
    with PIL.Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        return np.asarray(picture.convert("1"), np.bool_)


def _png(picture: PIL.Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
