"""What programs burn into pictures: letters, and the marks of teaching files and screenshots.

Everything works on uint8 pictures and a ``numpy.random.Generator``. Of a picture that is not square the
width says how large marks are and where they lie; they are cut off where it is less high.
"""

import string
from collections.abc import Callable
from typing import Final

import numpy as np
import PIL.Image
import PIL.ImageDraw
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Random = np.random.Generator
Draw = PIL.ImageDraw.ImageDraw
LETTERS: Final = string.ascii_uppercase + string.digits + " :/.-"


def write(picture: Grey, rng: Random) -> Grey:
    """With a few lines of letters, or strokes."""
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


def mark(picture: Grey, rng: Random) -> Grey:
    """With one to four marks anywhere, so that none of them says where, or whether, a tumour is."""
    image = PIL.Image.fromarray(picture)
    draw = PIL.ImageDraw.Draw(image)
    for _ in range(rng.integers(1, 5)):
        shade = int(rng.integers(150, 256)) if rng.random() < 0.85 else int(rng.integers(0, 40))
        MARKS[rng.integers(len(MARKS))](draw, image.size[0], shade, rng)
    return np.asarray(image)


def _ring(draw: Draw, side: int, shade: int, rng: Random) -> None:
    x, y = rng.uniform(0.1, 0.9, 2) * side
    across, down = rng.uniform(0.03, 0.18) * side * rng.uniform(0.7, 1.4, 2)
    draw.ellipse((x - across, y - down, x + across, y + down), outline=shade, width=_width(side, rng))


def _frame(draw: Draw, side: int, shade: int, rng: Random) -> None:
    x, y = rng.uniform(0.05, 0.7, 2) * side
    across, down = rng.uniform(0.06, 0.3, 2) * side
    draw.rectangle((x, y, x + across, y + down), outline=shade, width=_width(side, rng))


def _arrow(draw: Draw, side: int, shade: int, rng: Random) -> None:
    tip, angle = rng.uniform(0.1, 0.9, 2) * side, rng.uniform(0, 2 * np.pi)
    draw.line((*tip, *_from(tip, angle, rng.uniform(0.06, 0.22) * side)), fill=shade, width=_width(side, rng))
    head = rng.uniform(0.02, 0.05) * side
    barbs = [_from(tip, angle + turn, head) for turn in (-0.5, 0.5)]
    draw.polygon([tuple(tip), *barbs], fill=shade)


def _caliper(draw: Draw, side: int, shade: int, rng: Random) -> None:
    """A measured distance: a line between two crosses, often dotted."""
    start, angle = rng.uniform(0.1, 0.9, 2) * side, rng.uniform(0, 2 * np.pi)
    length, size = rng.uniform(0.08, 0.4) * side, rng.uniform(0.01, 0.025) * side
    steps = int(length / 4) if rng.random() < 0.5 else 1
    for step in range(0, steps, 2):
        ends = (_from(start, angle, length * part / steps) for part in (step, step + 1))
        draw.line([*ends], fill=shade)
    for x, y in (start, _from(start, angle, length)):
        draw.line((x - size, y, x + size, y), fill=shade)
        draw.line((x, y - size, x, y + size), fill=shade)


def _ruler(draw: Draw, side: int, shade: int, rng: Random) -> None:
    """Ticks along an edge."""
    edge, down = rng.uniform(0, 0.06) * side, rng.random() < 0.5
    edge = side - edge if rng.random() < 0.5 else edge
    length, step = rng.uniform(0.015, 0.05) * side, max(3.0, rng.uniform(0.03, 0.12) * side)
    for place in np.arange(step, side, step):
        line = (edge - length, place, edge + length, place)
        draw.line(line if down else (line[1], line[0], line[3], line[2]), fill=shade)


def _cross_hair(draw: Draw, side: int, shade: int, rng: Random) -> None:
    x, y = rng.uniform(0.2, 0.8, 2) * side
    draw.line((x, 0, x, side), fill=shade)
    draw.line((0, y, side, y), fill=shade)


def _from(start: NDArray[np.float64], angle: float, length: float) -> tuple[float, float]:
    return float(start[0] + length * np.cos(angle)), float(start[1] + length * np.sin(angle))


def _width(side: int, rng: Random) -> int:
    return int(rng.integers(1, 2 + side // 60))


MARKS: Final[tuple[Callable[[Draw, int, int, Random], None], ...]] = (
    _ring,
    _arrow,
    _arrow,
    _frame,
    _caliper,
    _ruler,
    _cross_hair,
)
