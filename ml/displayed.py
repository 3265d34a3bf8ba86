"""Slices as pages, viewers and phones show them: margins, panels, writing, other proportions, light.

Pictures (h, w) of float32 in [0, 1]; the same picture is always shown in the same way.
"""

import io
import zlib
from typing import Final

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter
from numpy.typing import NDArray

from ml.image_types import Pixels

BRIGHT: Final = np.float32(1.9)
NARROW: Final = 0.75
FEW: Final = 160
QUALITY: Final = 12
LEGEND: Final = "Figure 2. Axial slice of the brain,\nsame patient as in Figure 1."
OWNER: Final = "radiology images"
SLANT, WATERMARK = 25, np.float32(0.35)
GUTTER: Final = 6
LABELS: Final = ("Study", "Series 1", "Series 2", "Series 3", "Window", "Zoom 1.5", "Report")

Shown = NDArray[np.float32]


def on_page(pixels: Pixels) -> Shown:
    """With white margins and a legend."""
    height, width = pixels.shape
    margin = round(0.12 * width)
    page = PIL.Image.new("L", (width + 2 * margin, height + 2 * margin + height // 4), 255)
    page.paste(_image(pixels), (margin, margin))
    place = (margin, height + margin + height // 20)
    PIL.ImageDraw.Draw(page).text(place, LEGEND, fill=0, font_size=max(8, width // 18))
    return _pixels(page)


def in_viewer(pixels: Pixels) -> Shown:
    """With a grey panel to the left, a row of buttons above and writing in both."""
    height, width = pixels.shape
    left, top = round(0.3 * width), round(0.1 * height)
    screen = PIL.Image.new("L", (width + left, height + top), 60)
    screen.paste(_image(pixels), (left, top))
    draw = PIL.ImageDraw.Draw(screen)
    for row, label in enumerate(LABELS):
        place = (left // 20, top + (row + 1) * height // 9)
        draw.text(place, label, fill=220, font_size=max(8, width // 22))
        across = left // 20 + row * width // 8
        draw.rectangle((across, top // 6, across + width // 12, 3 * top // 4), fill=150)
    return _pixels(screen)


def on_film(pixels: Pixels) -> Shown:
    """Four times side by side, with white lines between."""
    lined = np.pad(pixels, ((0, GUTTER), (0, GUTTER)), constant_values=1)
    return np.tile(lined, (2, 2))[:-GUTTER, :-GUTTER].astype(np.float32)


def far_away(pixels: Pixels) -> Shown:
    """In the middle of a black picture three times as high and wide."""
    height, width = pixels.shape
    return np.pad(pixels, ((height, height), (width, width))).astype(np.float32)


def framed(pixels: Pixels) -> Shown:
    """Within a thin white line."""
    return np.pad(pixels, max(2, pixels.shape[1] // 60), constant_values=1).astype(np.float32)


def watermarked(pixels: Pixels) -> Shown:
    """With rows of large letters at a slant, through which it shows."""
    height, width = pixels.shape
    layer = PIL.Image.new("L", (width, height))
    draw = PIL.ImageDraw.Draw(layer)
    for row in range(3):
        place = (width // 10, row * height // 3 + height // 8)
        draw.text(place, OWNER, fill=255, font_size=max(8, width // 9))
    letters = _pixels(layer.rotate(SLANT))
    return np.asarray(np.minimum(pixels + WATERMARK * letters, 1), np.float32)


def burnt_out(pixels: Pixels) -> Shown:
    """With everything above about half of the range white."""
    return np.asarray(np.minimum(pixels * BRIGHT, 1), np.float32)


def squeezed(pixels: Pixels) -> Shown:
    """Three quarters as wide as it was."""
    height, width = pixels.shape
    narrow = PIL.Image.fromarray(pixels).resize(
        (max(1, round(NARROW * width)), height), PIL.Image.Resampling.BICUBIC
    )
    return np.clip(np.asarray(narrow, np.float32), 0, 1)


def compressed(pixels: Pixels) -> Shown:
    """Small, and through a strong JPEG."""
    small, file = _image(pixels), io.BytesIO()
    small.thumbnail((FEW, FEW))
    small.save(file, "JPEG", quality=QUALITY)
    return _pixels(PIL.Image.open(file))


def photographed(pixels: Pixels) -> Shown:
    """Off a screen: from a little aside, in uneven light, with stripes and a grey black."""
    height, width = pixels.shape
    corners = np.array([0, 0, 0, 1, 1, 1, 1, 0]) + chance(pixels).uniform(-0.06, 0.06, 8)
    aside = _image(pixels).transform(
        (width, height),
        PIL.Image.Transform.QUAD,
        tuple(corners * np.tile([width, height], 4)),
        PIL.Image.Resampling.BILINEAR,
    )
    y, x = np.mgrid[:height, :width].astype(np.float32)
    light = 0.75 + 0.35 * x / width - 0.2 * y / height
    stripes = 0.03 * np.sin(2 * np.pi * (0.31 * x + 0.07 * y))
    photo = _image(np.clip((0.8 * _pixels(aside) + 0.12) * light + stripes, 0, 1))
    return _pixels(photo.filter(PIL.ImageFilter.GaussianBlur(width / 256)))


def chance(pixels: Pixels) -> np.random.Generator:
    """The same whenever it is the same picture."""
    return np.random.default_rng(zlib.crc32(pixels.tobytes()))


def _image(pixels: Pixels) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.rint(pixels * 255).astype(np.uint8))


def _pixels(image: PIL.Image.Image) -> Shown:
    return np.asarray(image, np.float32) / np.float32(255)
