"""Random variants of prepared slices: what other scanners, framings and export programs would give.

Everything works on one uint8 picture (side, side) and a ``numpy.random.Generator``; the same
generator state gives the same picture.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter
from numpy.typing import NDArray
from scipy import ndimage

Grey = NDArray[np.uint8]
Random = np.random.Generator
LETTERS: Final = string.ascii_uppercase + string.digits + " :/.-"


@dataclass(frozen=True)
class Augmentation:
    """Probabilities and ranges. The default changes nothing, so a recipe names all it wants.

    ``rotations`` are degrees of which one is drawn; ``turn`` the chance of any angle of the circle
    instead. ``zoom``, ``shift``, ``stretch`` and ``gamma`` are the largest relative changes.
    """

    rotations: tuple[float, ...] = (0.0,)
    turn: float = 0.0
    tilt: float = 0.0
    mirror: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    stretch: float = 0.0
    gamma: float = 0.0
    curve: float = 0.0
    invert: float = 0.0
    bias: float = 0.0
    blur: float = 0.0
    coarse: float = 0.0
    noise: float = 0.0
    strip: float = 0.0
    skull: float = 0.0
    text: float = 0.0

    @classmethod
    def from_recipe(cls, values: Mapping[str, Any]) -> "Augmentation":
        known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**known)


def depth(picture: Grey) -> Grey:
    """How deep every pixel lies in the head: 0 outside, 255 at the deepest point."""
    smooth = ndimage.uniform_filter(picture, 3)
    inside = ndimage.binary_fill_holes(smooth > 18)
    distance = ndimage.distance_transform_edt(inside)
    return np.asarray(np.rint(255 * distance / max(float(distance.max()), 1.0)), np.uint8)


def vary(picture: Grey, depths: Grey, size: int, stripped: bool, how: Augmentation, rng: Random) -> Grey:
    """One random variant, (size, size). ``stripped``: the source has already lost its skull."""
    picture = _strip_or_dress(picture, depths, stripped, how, rng)
    picture = _place(picture, size, how, rng)
    picture = _recolour(picture, how, rng)
    picture = _degrade(picture, how, rng)
    return _write(picture, rng) if rng.random() < how.text else picture


def _strip_or_dress(picture: Grey, depths: Grey, stripped: bool, how: Augmentation, rng: Random) -> Grey:
    if not stripped and rng.random() < how.strip:
        return _strip(picture, depths, rng)
    if stripped and rng.random() < how.skull:
        return _dress(picture, depths, rng)
    return picture


def _strip(picture: Grey, depths: Grey, rng: Random) -> Grey:
    """Without scalp and skull, roughly: only what lies deep enough under an uneven surface."""
    surface = _smooth_field(picture.shape[0], 6, rng) * 10 + rng.uniform(25, 60)
    return _refit(picture, depths > surface)


def _refit(picture: Grey, inside: NDArray[np.bool_]) -> Grey:
    """Only what is inside, brought back to the full frame as preprocessing would."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return picture
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    half = 0.53 * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    kept = PIL.Image.fromarray(np.where(inside, picture, 0).astype(np.uint8))
    fitted = kept.transform(
        kept.size,
        PIL.Image.Transform.EXTENT,
        (x - half, y - half, x + half, y + half),
        resample=PIL.Image.Resampling.BILINEAR,
    )
    return np.asarray(fitted)


def _dress(picture: Grey, depths: Grey, rng: Random) -> Grey:
    """With a dark and then a bright shell around a brain that came without its skull."""
    side = picture.shape[0]
    brain = PIL.Image.fromarray(picture).resize((int(side * 0.84),) * 2, PIL.Image.Resampling.BILINEAR)
    inner = PIL.Image.fromarray(depths).resize(brain.size, PIL.Image.Resampling.BILINEAR)
    margin = (side - brain.size[0]) // 2
    canvas, mask = np.zeros_like(picture), np.zeros_like(picture)
    window = slice(margin, margin + brain.size[0])
    canvas[window, window], mask[window, window] = np.asarray(brain), np.asarray(inner)
    outside = ndimage.distance_transform_edt(mask < 3)
    bone = rng.uniform(0.02, 0.05) * side
    scalp = (outside > bone) & (outside < bone + rng.uniform(0.015, 0.045) * side)
    shade = np.clip(rng.uniform(90, 240) + 60 * _smooth_field(side, 8, rng), 0, 255)
    return np.where(scalp, shade, canvas).astype(np.uint8)


def _place(picture: Grey, size: int, how: Augmentation, rng: Random) -> Grey:
    """Mirrored, turned, zoomed, stretched and shifted in one resampling."""
    matrix = _turn(how, rng) @ np.diag(_scales(how, rng)) * (picture.shape[0] / size)
    centre = np.array([picture.shape[0] / 2] * 2) + rng.uniform(-how.shift, how.shift, 2) * picture.shape[0]
    offset = centre - matrix @ np.array([size / 2, size / 2])
    affine = (*matrix[0], offset[0], *matrix[1], offset[1])
    source = PIL.Image.fromarray(picture)
    moved = source.transform(
        (size, size), PIL.Image.Transform.AFFINE, affine, resample=PIL.Image.Resampling.BILINEAR
    )
    return np.asarray(moved)


def _turn(how: Augmentation, rng: Random) -> NDArray[np.float64]:
    if rng.random() < how.turn:
        degrees = rng.uniform(0, 360)
    else:
        degrees = rng.choice(how.rotations) + rng.uniform(-how.tilt, how.tilt)
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _scales(how: Augmentation, rng: Random) -> NDArray[np.float64]:
    zoom = 1 + rng.uniform(-how.zoom, how.zoom)
    stretch = 1 + rng.uniform(-how.stretch, how.stretch)
    flip = -1.0 if rng.random() < how.mirror else 1.0
    return np.array([flip * zoom * stretch, zoom / stretch])


def _recolour(picture: Grey, how: Augmentation, rng: Random) -> Grey:
    """Another contrast: gamma, an uneven curve, an inverted sequence, an uneven coil."""
    levels = np.linspace(0.0, 1.0, 256) ** np.exp(rng.uniform(-how.gamma, how.gamma))
    if rng.random() < how.curve:
        levels = _curve(levels, rng)
    if rng.random() < how.invert:
        levels = np.where(levels > 0.08, rng.uniform(0.9, 1.1) - levels, levels)
    recoloured = levels[picture]
    if rng.random() < how.bias:
        recoloured = recoloured * np.exp(0.45 * _smooth_field(picture.shape[0], 3, rng))
    return np.asarray(np.clip(recoloured * 255, 0, 255), np.uint8)


def _curve(levels: NDArray[np.float64], rng: Random) -> NDArray[np.float64]:
    """A rising curve through random points: tissues move against each other as between sequences."""
    steps = np.cumsum(rng.uniform(0.15, 1.0, 5))
    return np.asarray(np.interp(levels, np.linspace(0, 1, 6), np.concatenate([[0.0], steps / steps[-1]])))


def _degrade(picture: Grey, how: Augmentation, rng: Random) -> Grey:
    image = PIL.Image.fromarray(picture)
    side = image.size[0]
    if rng.random() < how.coarse:
        small = int(side * rng.uniform(0.4, 0.9))
        image = image.resize((small, small), PIL.Image.Resampling.BOX)
        image = image.resize((side, side), PIL.Image.Resampling.BICUBIC)
    if rng.random() < how.blur:
        image = image.filter(PIL.ImageFilter.GaussianBlur(rng.uniform(0.3, 1.4)))
    if rng.random() < how.noise:
        return _noise(np.asarray(image), rng)
    return np.asarray(image)


def _noise(picture: Grey, rng: Random) -> Grey:
    """Rician noise, which also lifts the background of a magnitude image."""
    sigma = np.float32(255 * rng.uniform(0.005, 0.06))
    real, imaginary = rng.standard_normal((2, *picture.shape), np.float32) * sigma
    return np.asarray(np.clip(np.hypot(picture + real, imaginary), 0, 255), np.uint8)


def _write(picture: Grey, rng: Random) -> Grey:
    """Letters and markers burnt in, as screenshots and teaching files have them."""
    image = PIL.Image.fromarray(picture)
    draw = PIL.ImageDraw.Draw(image)
    side, shade = image.size[0], int(rng.integers(120, 256))
    for _ in range(rng.integers(1, 5)):
        x, y = (int(v) for v in rng.integers(0, side - 8, 2))
        if rng.random() < 0.8:
            text = "".join(rng.choice(list(LETTERS), rng.integers(1, 14)))
            draw.text((x, y), text, fill=shade, font_size=int(rng.integers(6, 16)))
        else:
            along, down = (int(v) for v in rng.integers(-24, 25, 2))
            draw.line((x, y, x + along, y + down), fill=shade, width=int(rng.integers(1, 3)))
    return np.asarray(image)


def _smooth_field(side: int, knots: int, rng: Random) -> NDArray[np.float32]:
    """(side, side) values in about [-1, 1] without edges: a few random knots, smoothly joined."""
    coarse = PIL.Image.fromarray(rng.uniform(-1, 1, (knots, knots)).astype(np.float32))
    return np.asarray(coarse.resize((side, side), PIL.Image.Resampling.BICUBIC), np.float32)
