"""Which way up a picture lies, so that a turned one is answered as if it were not.

A small network gives a number to each quarter turn of a picture, and to its mirror image; the turn with the
largest sum is taken for upright. Whatever it takes for upright, a picture and its quarter turns are laid in
one and the same way.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ml import reference
from ml.engine import LiteRt, Outputs

SIDE: Final = 32
"""Pixels to which prepared pictures are shrunk for this."""
TURNS: Final = 4

Pictures = NDArray[np.float32]
Scores = Callable[[Pictures], NDArray[np.float32]]
"""How upright each of n pictures seems, (n,)."""


def laid(x: NDArray[np.float32], turns: int) -> NDArray[np.float32]:
    """Pictures or masks (n, size, size, ...) after so many counter-clockwise quarter turns."""
    return np.ascontiguousarray(np.rot90(x, turns, axes=(1, 2)))


def scores_of(engine: LiteRt) -> Scores:
    return lambda x: engine.tensors(x)[0][:, 0]


def turns(scores: Scores, x: Pictures) -> int:
    """The counter-clockwise quarter turns that lay the pictures (n, size, size, 1) of one scan upright."""
    return int(_sums(scores, x).sum(axis=1).argmax())


def laid_each(scores: Scores, run: Callable[[Pictures], Outputs], x: Pictures) -> Outputs:
    """What ``run`` says of n pictures of different scans, each of which is laid upright for it."""
    chosen = _sums(scores, x).argmax(axis=0)
    found = run(np.concatenate([laid(x[i : i + 1], turns) for i, turns in enumerate(chosen)]))
    if found.masks is None:
        return found
    masks = [laid(found.masks[i : i + 1], -turns) for i, turns in enumerate(chosen)]
    return found._replace(masks=np.concatenate(masks))


def of_reference(scores: Scores, shown: Mapping[str, Any]) -> NDArray[np.float32]:
    """How upright each quarter turn of the reference picture seems, (4,)."""
    return scores(turned(reference.prepared(shown, SIDE)))


def turned(x: Pictures) -> Pictures:
    """All quarter turns (4n, SIDE, SIDE, 1) of n pictures, those of one turn side by side."""
    return np.concatenate([np.rot90(x, quarter, axes=(1, 2)) for quarter in range(TURNS)])


def _sums(scores: Scores, x: Pictures) -> NDArray[np.float32]:
    """How upright every turn of every picture seems, (4, n), with its mirror image."""
    every = turned(_shrunk(x))
    return np.asarray((scores(every) + scores(every[:, :, ::-1])).reshape(TURNS, len(x)))


def _shrunk(x: Pictures) -> Pictures:
    """Prepared pictures as if they had been prepared at ``SIDE``."""
    size, box = (SIDE, SIDE), PIL.Image.Resampling.BOX
    small = [np.asarray(PIL.Image.fromarray(one[..., 0]).resize(size, box)) for one in x]
    return np.stack(small)[..., np.newaxis]
