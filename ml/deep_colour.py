"""Colour pictures of 16 bits a sample, of which Pillow keeps only the upper byte.

The same pixels are decoded twice, the second time as if stored in the other byte order, which puts
the lower bytes where the upper ones were.
"""

import sys
from typing import Any, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)
OTHER_ORDER: Final = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
GREY_WITH_ALPHA: Final = "LA;16B"


def is_deep_colour(picture: Any) -> bool:
    return picture.mode in ("RGB", "RGBA") and ";16" in _raw_mode(picture)


def deep_grey(picture: Any, again: Any) -> NDArray[np.float32]:
    """(height, width) luma over black, in units of the stored 16-bit samples.

    ``picture`` is ``is_deep_colour``, ``again`` the same once more; neither has been decoded yet.
    """
    raw = _raw_mode(picture)
    if raw == GREY_WITH_ALPHA:
        both = _decoded(picture, "RGBA").astype(np.uint16)
        samples = both[..., 0::2] << 8 | both[..., 1::2]
        return _over_black(samples[..., 0].astype(np.float32), samples[..., 1])
    other = raw[:-1] + OTHER_ORDER[raw[-1]]
    samples = _decoded(picture, raw).astype(np.uint16) << 8 | _decoded(again, other)
    luma = samples[..., :3].astype(np.float32) @ LUMA
    return _over_black(luma, samples[..., 3]) if samples.shape[2] == 4 else luma


def _raw_mode(picture: Any) -> str:
    arguments = picture.tile[0].args if picture.tile else ""
    return str(arguments if isinstance(arguments, str) else arguments[0])


def _decoded(picture: PIL.Image.Image, raw: str) -> NDArray[np.uint8]:
    tiles = []
    for tile in picture.tile:  # type: ignore[attr-defined]
        arguments = raw if isinstance(tile.args, str) else (raw, *tile.args[1:])
        tiles.append(tile._replace(args=arguments))
    picture.tile = tiles  # type: ignore[attr-defined]
    return np.asarray(picture)


def _over_black(luma: NDArray[np.float32], alpha: NDArray[Any]) -> NDArray[np.float32]:
    return np.multiply(luma, alpha / 65535, dtype=np.float32)
