"""Which way up a picture lies, so that a turned or mirrored one is answered as if it were not.

A small network gives a number to each quarter turn of a picture, and to its mirror image; the turn with the
largest sum is taken for upright. Whatever it takes for upright, a picture, its quarter turns and its mirror
images are laid in one and the same way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ml import reference
from ml.engine import LiteRt, Outputs

SIDE: Final = 32
"""Of the prepared pictures (n, SIDE, SIDE, 1) that are looked at, in pixels."""
TURNS: Final = 4

Pictures = NDArray[np.float32]
Scores = Callable[[Pictures], NDArray[np.float32]]
"""How upright each of n pictures seems, (n,)."""


@dataclass(frozen=True)
class Pose:
    """So many counter-clockwise quarter turns, then perhaps the mirror, lay a picture upright."""

    turns: int = 0
    mirrored: bool = False

    def laid(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pictures or masks (n, size, size, ...) upright."""
        turned = np.rot90(x, self.turns, axes=(1, 2))
        return np.ascontiguousarray(turned[:, :, ::-1] if self.mirrored else turned)

    def back(self, masks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Masks of what had been laid, as the pictures lay before."""
        straight = masks[:, :, ::-1] if self.mirrored else masks
        return np.ascontiguousarray(np.rot90(straight, -self.turns, axes=(1, 2)))


AS_IT_IS: Final = Pose()


def scores_of(engine: LiteRt) -> Scores:
    return lambda x: engine.tensors(x)[0][:, 0]


def pose(scores: Scores, x: Pictures) -> Pose:
    """One for all the pictures (n, SIDE, SIDE, 1) of one scan, which lie in the same way."""
    return _best(_sums(scores, x).sum(axis=1), x)


def laid_each(scores: Scores, run: Callable[[Pictures], Outputs], x: Pictures) -> Outputs:
    """What ``run`` says of n pictures of different scans, each of which is laid upright for it."""
    small = _shrunk(x)
    sums = _sums(scores, small)
    poses = [_best(sums[:, i], small[i : i + 1]) for i in range(len(x))]
    found = run(np.concatenate([pose.laid(x[i : i + 1]) for i, pose in enumerate(poses)]))
    if found.masks is None:
        return found
    masks = [pose.back(found.masks[i : i + 1]) for i, pose in enumerate(poses)]
    return found._replace(masks=np.concatenate(masks))


def of_reference(scores: Scores, shown: Mapping[str, Any]) -> NDArray[np.float32]:
    """How upright each quarter turn of the reference picture seems, (4,)."""
    return scores(turned(reference.prepared(shown, SIDE)))


def turned(x: Pictures) -> Pictures:
    """All quarter turns (4n, SIDE, SIDE, 1) of n pictures, those of one turn side by side."""
    return np.concatenate([np.rot90(x, quarter, axes=(1, 2)) for quarter in range(TURNS)])


def _sums(scores: Scores, x: Pictures) -> NDArray[np.float32]:
    """How upright every turn of every picture seems, (4, n), with its mirror image."""
    turns = turned(x)
    return np.asarray((scores(turns) + scores(turns[:, :, ::-1])).reshape(TURNS, len(x)))


def _best(sums: NDArray[np.float32], x: Pictures) -> Pose:
    turns = int(sums.argmax())
    return Pose(turns, _heavier_left(np.rot90(x, turns, axes=(1, 2))))


def _heavier_left(x: Pictures) -> bool:
    """Whether the left half is the brighter one: a rule that mirrors turn round, and nothing more."""
    half = x.shape[2] // 2
    return float(x[:, :, :half].sum()) > float(x[:, :, -half:].sum())


def _shrunk(x: Pictures) -> Pictures:
    """Prepared pictures as if they had been prepared at ``SIDE``."""
    size, box = (SIDE, SIDE), PIL.Image.Resampling.BOX
    small = [np.asarray(PIL.Image.fromarray(one[..., 0]).resize(size, box)) for one in x]
    return np.stack(small)[..., np.newaxis]
