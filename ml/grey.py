"""Pictures of any mode that Pillow knows to one grey channel."""

from typing import Any, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

WIDE_MODES: Final = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I", "F"})
TRANSPARENT: Final = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})


def grey(picture: PIL.Image.Image) -> NDArray[Any]:
    """(height, width): uint8 for pictures of up to 8 bits a sample, the stored type for wider ones.

    Colour becomes its luma (ITU-R 601), transparency is laid over black.
    """
    if picture.mode in WIDE_MODES:
        return np.asarray(picture)
    if picture.mode in TRANSPARENT or "transparency" in picture.info:
        return _over_black(picture)
    if picture.mode == "LAB":
        return np.asarray(picture.getchannel(0))
    if picture.mode == "CMYK":
        picture = picture.convert("RGB")
    return np.asarray(picture if picture.mode == "L" else picture.convert("L"))


def _over_black(picture: PIL.Image.Image) -> NDArray[np.uint8]:
    layers = picture.convert("RGBA")
    luma: NDArray[np.uint8] = np.asarray(layers.convert("RGB").convert("L"))
    alpha: NDArray[np.uint8] = np.asarray(layers.getchannel("A"))
    if alpha.min() == 255:
        return luma
    return ((luma.astype(np.uint16) * alpha + 127) // 255).astype(np.uint8)
