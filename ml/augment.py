"""Random variants of prepared slices: what other scanners, framings and export programs would give.

Everything works on uint8 pictures (side, side) and a ``numpy.random.Generator``; the same generator
state gives the same picture. The outline of a tumour moves with its picture.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import PIL.Image
import PIL.ImageFilter
from numpy.typing import NDArray
from scipy import ndimage

from ml import burned_in
from ml.close_ups import Frame

Grey = NDArray[np.uint8]
Random = np.random.Generator
DARK: Final = 18
"""Grey values up to this are air."""
LIGHT: Final = (150, 256)
"""Grey values of the air around a head in print."""
CLOSER: Final = (0.8, 1.5)
"""The side of a close-up, in those of the frame that serving would choose."""
BESIDE: Final = 0.1
"""How far the middle of a close-up may lie from its frame's, in sides of it."""


@dataclass(frozen=True)
class Augmentation:
    """Probabilities and ranges. The default changes nothing, so a recipe names all it wants.

    ``rotations`` are degrees of which one is drawn; ``turn`` the chance of any angle of the circle
    instead. ``zoom``, ``shift``, ``stretch`` and ``gamma`` are the largest relative changes.
    ``heal`` is the chance that a healthy slice is one whose tumour was taken out, ``paste`` that it is
    given the tumour of another slice, ``sequence`` that a slice is shown as by another sequence.
    With ``close_up`` all that is learnt are outlined tumours from near.
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
    jumble: float = 0.0
    invert: float = 0.0
    lesion: float = 0.0
    heal: float = 0.0
    paste: float = 0.0
    sequence: float = 0.0
    close_up: bool = False
    bias: float = 0.0
    blur: float = 0.0
    coarse: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0
    strip: float = 0.0
    skull: float = 0.0
    window: float = 0.0
    text: float = 0.0
    equalise: float = 0.0
    sharpen: float = 0.0
    ghost: float = 0.0
    paper: float = 0.0
    marks: float = 0.0

    @classmethod
    def from_recipe(cls, values: Mapping[str, Any]) -> "Augmentation":
        known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**known)


@dataclass(frozen=True)
class Sample:
    """One slice before augmentation; all arrays uint8 (side, side).

    ``depths`` as ``depth`` gives them, ``brain`` 255 within the skull where that could be told and
    0 elsewhere, ``mask`` 255 in the tumour and None where nobody outlined it. ``stripped``: the
    source has already lost its skull.
    """

    picture: Grey
    depths: Grey
    brain: Grey
    mask: Grey | None = None
    stripped: bool = False


@dataclass(frozen=True)
class Variant:
    """``picture`` (size, size) and, in the same frame, ``mask`` (size // 4, size // 4) or None."""

    picture: Grey
    mask: Grey | None


def depth(picture: Grey) -> Grey:
    """How deep every pixel lies in the head: 0 outside, 255 at the deepest point."""
    distance = ndimage.distance_transform_edt(_head(picture))
    return np.asarray(np.rint(255 * distance / max(float(distance.max()), 1.0)), np.uint8)


def brain(picture: Grey) -> Grey:
    """255 within the skull, 0 elsewhere; all 0 where no dark shell parts brain and scalp.

    The bright core is eroded until scalp and brain come apart, and the central part grown back.
    """
    head = _head(picture)
    bright = ndimage.uniform_filter(picture, 3) > 0.45 * np.median(picture[head]) if head.any() else head
    radius = max(1, round(0.022 * picture.shape[0]))
    core = ndimage.binary_erosion(bright & (depth(picture) > 20), iterations=radius)
    labels, count = ndimage.label(core)
    if not count:
        return np.zeros_like(picture)
    largest = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    grown = ndimage.binary_dilation(largest, iterations=radius + 1, mask=head)
    closed = ndimage.binary_fill_holes(ndimage.binary_closing(grown, iterations=2 * radius))
    share = closed.sum() / head.sum()
    return np.asarray(255 * closed if 0.3 < share < 0.85 else np.zeros_like(closed), np.uint8)


def _head(picture: Grey) -> NDArray[np.bool_]:
    return np.asarray(ndimage.binary_fill_holes(ndimage.uniform_filter(picture, 3) > DARK))


def on_paper(picture: Grey, shade: int) -> Grey:
    """As in print: the air around the head has this grey value."""
    return np.where(_head(picture), picture, shade).astype(np.uint8)


def vary(sample: Sample, size: int, how: Augmentation, rng: Random) -> Variant:
    """One random variant of a slice."""
    if sample.mask is not None and rng.random() < how.lesion:
        sample = _recolour_lesion(sample, sample.mask, rng)
    sample = _strip_or_dress(sample, how, rng)
    return _finish(_place(sample, size, how, rng), how, rng)


def close_up(picture: Grey, mask: Grey, frame: Frame, size: int, how: Augmentation, rng: Random) -> Variant:
    """One random variant of what lies in about this frame; ``mask`` is 255 in the tumour."""
    if rng.random() < how.lesion:
        picture = _lesion_recoloured(picture, mask, rng)
    side = frame.side * rng.uniform(*CLOSER)
    matrix = _turn(how, rng) @ np.diag(_scales(how, rng)) * side
    centre = np.array([frame.x, frame.y]) + rng.uniform(-BESIDE, BESIDE, 2) * side
    placed = _warp(picture, size, matrix, centre), _warp(mask, size // 4, matrix, centre)
    return _finish(Variant(*placed), how, rng)


def framed(values: Grey, frame: Frame, size: int) -> Grey:
    """(size, size) of what lies in this frame."""
    return _warp(values, size, np.eye(2) * frame.side, np.array([frame.x, frame.y]))


def _finish(variant: Variant, how: Augmentation, rng: Random) -> Variant:
    """The contrast of another scanner, and what programs and people leave in the picture."""
    picture = _recolour(variant.picture, how, rng)
    if rng.random() < how.paper:
        picture = on_paper(picture, int(rng.integers(*LIGHT)))
    picture = _degrade(_process(picture, how, rng), how, rng)
    if rng.random() < how.window:
        picture = _window(picture, rng)
    if rng.random() < how.text:
        picture = burned_in.write(picture, rng)
    if rng.random() < how.marks:
        picture = burned_in.mark(picture, rng)
    return replace(variant, picture=picture)


def soft(mask: Grey) -> NDArray[np.floating]:
    """The mask in [0, 1] with an edge of a few pixels."""
    blurred = PIL.Image.fromarray(mask).filter(PIL.ImageFilter.GaussianBlur(2))
    return np.asarray(blurred, np.float32) / 255


def _recolour_lesion(sample: Sample, mask: Grey, rng: Random) -> Sample:
    """The tumour darker or brighter than it was: sequences differ in that more than in anything."""
    return replace(sample, picture=_lesion_recoloured(sample.picture, mask, rng))


def _lesion_recoloured(picture: Grey, mask: Grey, rng: Random) -> Grey:
    change = rng.choice([-1, 1]) * rng.uniform(25, 120)
    return np.asarray(np.clip(picture + change * soft(mask), 0, 255), np.uint8)


def _strip_or_dress(sample: Sample, how: Augmentation, rng: Random) -> Sample:
    if not sample.stripped and rng.random() < how.strip:
        return _strip(sample, rng)
    if sample.stripped and rng.random() < how.skull:
        return _dress(sample, rng)
    return sample


def _strip(sample: Sample, rng: Random) -> Sample:
    """Without scalp and skull: the brain where it is known, or what lies deep under an uneven surface."""
    if sample.brain.any() and rng.random() < 0.75:
        return _refit(sample, sample.brain > 0)
    surface = smooth_field(sample.picture.shape[0], 6, rng) * 10 + rng.uniform(25, 60)
    return _refit(sample, sample.depths > surface)


def _refit(sample: Sample, inside: NDArray[np.bool_]) -> Sample:
    """Only what is inside, brought back to the full frame as preprocessing would."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return sample
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    half = 0.53 * max(right - left, bottom - top)
    x, y = (left + right) / 2, (top + bottom) / 2
    frame = (x - half, y - half, x + half, y + half)

    def fitted(values: Grey) -> Grey:
        kept = PIL.Image.fromarray(np.where(inside, values, 0).astype(np.uint8))
        moved = kept.transform(
            kept.size, PIL.Image.Transform.EXTENT, frame, resample=PIL.Image.Resampling.BILINEAR
        )
        return np.asarray(moved)

    mask = None if sample.mask is None else fitted(sample.mask)
    return replace(sample, picture=fitted(sample.picture), mask=mask, stripped=True)


def _dress(sample: Sample, rng: Random) -> Sample:
    """With a dark and then a bright shell around a brain that came without its skull."""
    side = sample.picture.shape[0]
    canvas, inner = _shrunk(sample.picture, 0.84), _shrunk(sample.depths, 0.84)
    outside = ndimage.distance_transform_edt(inner < 3)
    bone = rng.uniform(0.02, 0.05) * side
    scalp = (outside > bone) & (outside < bone + rng.uniform(0.015, 0.045) * side)
    shade = np.clip(rng.uniform(90, 240) + 60 * smooth_field(side, 8, rng), 0, 255)
    mask = None if sample.mask is None else _shrunk(sample.mask, 0.84)
    return replace(sample, picture=np.where(scalp, shade, canvas).astype(np.uint8), mask=mask)


def _shrunk(values: Grey, ratio: float) -> Grey:
    """The same picture smaller, in the middle of an empty frame."""
    side = values.shape[0]
    small = PIL.Image.fromarray(values).resize((int(side * ratio),) * 2, PIL.Image.Resampling.BILINEAR)
    canvas, margin = np.zeros_like(values), (side - small.size[0]) // 2
    canvas[margin : margin + small.size[0], margin : margin + small.size[0]] = np.asarray(small)
    return canvas


def _place(sample: Sample, size: int, how: Augmentation, rng: Random) -> Variant:
    """Mirrored, turned, zoomed, stretched and shifted in one resampling."""
    side = sample.picture.shape[0]
    matrix = _turn(how, rng) @ np.diag(_scales(how, rng)) * side
    centre = np.array([side / 2] * 2) + rng.uniform(-how.shift, how.shift, 2) * side
    mask = None if sample.mask is None else _warp(sample.mask, size // 4, matrix, centre)
    return Variant(_warp(sample.picture, size, matrix, centre), mask)


def _warp(values: Grey, size: int, matrix: NDArray[np.float64], centre: NDArray[np.float64]) -> Grey:
    """(size, size) values: ``matrix`` leads from the unit square around the middle to source pixels."""
    step = matrix / size
    offset = centre - step @ np.array([size / 2, size / 2])
    affine = (*step[0], offset[0], *step[1], offset[1])
    moved = PIL.Image.fromarray(values).transform(
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
    if rng.random() < how.jumble:
        levels = _jumble(levels, rng)
    if rng.random() < how.invert:
        levels = np.where(levels > 0.08, rng.uniform(0.9, 1.1) - levels, levels)
    recoloured = levels[picture]
    if rng.random() < how.bias:
        recoloured = recoloured * np.exp(0.45 * smooth_field(picture.shape[0], 3, rng))
    return np.asarray(np.clip(recoloured * 255, 0, 255), np.uint8)


def _curve(levels: NDArray[np.float64], rng: Random) -> NDArray[np.float64]:
    """A rising curve through random points: tissues move against each other as between sequences."""
    steps = np.cumsum(rng.uniform(0.15, 1.0, 5))
    return np.asarray(np.interp(levels, np.linspace(0, 1, 6), np.concatenate([[0.0], steps / steps[-1]])))


def _jumble(levels: NDArray[np.float64], rng: Random) -> NDArray[np.float64]:
    """A curve through any points but black: tissues change places, as between T1, T2 and FLAIR."""
    points = np.concatenate([[0.0], rng.uniform(0.1, 1.0, 6)])
    return np.asarray(np.interp(levels, np.linspace(0, 1, 7), points / points.max()))


def _process(picture: Grey, how: Augmentation, rng: Random) -> Grey:
    """What a patient who moved, or a viewer's filters, leave behind."""
    if rng.random() < how.ghost:
        picture = _ghost(picture, rng)
    if rng.random() < how.equalise:
        picture = _equalise(picture, rng)
    if rng.random() < how.sharpen:
        strength = PIL.ImageFilter.UnsharpMask(rng.uniform(0.7, 4), int(rng.uniform(60, 300)), 0)
        picture = np.asarray(PIL.Image.fromarray(picture).filter(strength))
    return picture


def _ghost(picture: Grey, rng: Random) -> Grey:
    """With a weaker copy on either side along the direction of phase encoding."""
    axis, far = int(rng.integers(2)), int(rng.uniform(0.03, 0.2) * picture.shape[0])
    weights = rng.uniform(0.05, 0.3, 2)
    copies = sum(w * np.roll(picture, move, axis) for w, move in zip(weights, (far, -far), strict=True))
    return np.asarray(np.clip((1 - weights.sum() / 2) * picture + copies, 0, 255), np.uint8)


def _equalise(picture: Grey, rng: Random) -> Grey:
    """Part of the way to grey values that are all as frequent within the head."""
    head = picture > DARK
    counts = np.bincount(picture[head], minlength=256).cumsum()
    share = rng.uniform(0.3, 1)
    even = (1 - share) * np.arange(256) + share * 255 * counts / max(int(counts[-1]), 1)
    return np.asarray(np.where(head, even[picture], picture), np.uint8)


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
        image = PIL.Image.fromarray(_noise(np.asarray(image), rng))
    if rng.random() < how.jpeg:
        image = _through_jpeg(image, rng)
    return np.asarray(image)


def _through_jpeg(image: PIL.Image.Image, rng: Random) -> PIL.Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(15, 70)))
    return PIL.Image.open(buffer)


def _window(picture: Grey, rng: Random) -> Grey:
    """A smaller field of view: the head is cut off at one to four edges."""
    side = picture.shape[0]
    left, top = (rng.uniform(0, 0.18, 2) * side).astype(int)
    right, bottom = (rng.uniform(0.82, 1, 2) * side).astype(int)
    cut = np.zeros_like(picture)
    cut[top:bottom, left:right] = picture[top:bottom, left:right]
    return cut


def _noise(picture: Grey, rng: Random) -> Grey:
    """Rician noise, which also lifts the background of a magnitude image."""
    sigma = np.float32(255 * rng.uniform(0.005, 0.06))
    real, imaginary = rng.standard_normal((2, *picture.shape), np.float32) * sigma
    return np.asarray(np.clip(np.hypot(picture + real, imaginary), 0, 255), np.uint8)


def smooth_field(side: int, knots: int, rng: Random) -> NDArray[np.float32]:
    """(side, side) values in about [-1, 1] without edges: a few random knots, smoothly joined."""
    coarse = PIL.Image.fromarray(rng.uniform(-1, 1, (knots, knots)).astype(np.float32))
    return np.asarray(coarse.resize((side, side), PIL.Image.Resampling.BICUBIC), np.float32)
