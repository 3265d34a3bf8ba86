"""From the slices of one scan to one answer. The method and its parameters are in the bundle's card."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml.decision import HEALTHY, Thresholds

Probabilities = NDArray[np.float64]
Chosen = tuple[Probabilities, NDArray[np.intp]]

SMALLEST: Final = 1e-6
KINDS: Final = ("chosen", "all")


@dataclass(frozen=True)
class Aggregation:
    """How slices become one answer. The defaults are those of a card that says nothing.

    ``kinds``: which slices name the kind of tumour: those that the method chose (``chosen``), or all
    that were judged, each as far as it shows a tumour (``all``). ``slices``: how many count in
    ``top``, ``run`` and ``largest``, and how many must agree in ``noisy_or``. ``spread``: standard
    deviation of the weights of ``central``, as a share of the scan's length. ``tumour``: the tumour
    threshold of scans with several slices, where it is another than that of one. ``outlined``: so
    many neighbouring slices with a large outline make a scan without a tumour uncertain.
    ``refused_share``: a scan is refused where at least this share of its slices is. ``few``: of fewer
    slices than this the most suspicious one decides, whatever the method: neighbours that show nothing
    do not speak against the only slice through a tumour (of pieces of scans of 3 to 10 slices a run of 5
    misses one tumour in ten, the most suspicious slice one in forty; from 12 on neither misses any).
    ``thickness``: millimetres of what these numbers call a slice; of a scan whose slices are known to
    lie closer so many neighbours count as one of them.
    """

    method: str = "max"
    kinds: str = "chosen"
    slices: int = 3
    spread: float = 0.25
    tumour: float | None = None
    outlined: int = 1
    refused_share: float = 1.0
    few: int = 12
    thickness: float | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS or self.kinds not in KINDS:
            raise ValueError(f"there is no aggregation {self.method!r} with kinds {self.kinds!r}")

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> "Aggregation":
        return cls(**card.get("aggregation", {}))

    def of(self, slices: int, spacing_mm: float | None = None) -> "Aggregation":
        """That of a scan with this many slices, ``spacing_mm`` apart where that is known."""
        layers = self._layers(spacing_mm)
        thinned = replace(self, slices=self.slices * layers, outlined=self.outlined * layers)
        if slices >= self.few * layers:
            return thinned
        if layers == 1:
            return replace(self, method="max", tumour=None)
        return replace(thinned, method="run", slices=layers, tumour=None)

    def _layers(self, spacing_mm: float | None) -> int:
        """How many neighbours count as one slice."""
        if self.thickness is None or not spacing_mm:
            return 1
        return max(1, round(self.thickness / spacing_mm))

    def thresholds(self, single: Thresholds) -> Thresholds:
        """Those of a scan, where those of a slice are ``single``."""
        return single if self.tumour is None else replace(single, tumour=self.tumour)


@dataclass(frozen=True)
class Slices:
    """The n slices of one scan in order: calibrated ``probabilities`` (n, 4), which of them are
    ``refused`` or show ``brain``, and the share of the network's square that is outlined (0 where
    nothing is)."""

    probabilities: Probabilities
    refused: NDArray[np.bool_]
    brain: NDArray[np.bool_]
    outlined: NDArray[np.float64]

    @property
    def tumour(self) -> Probabilities:
        return np.asarray(1 - self.probabilities[:, HEALTHY])

    def only(self, chosen: NDArray[np.intp]) -> "Slices":
        return Slices(
            self.probabilities[chosen], self.refused[chosen], self.brain[chosen], self.outlined[chosen]
        )


@dataclass(frozen=True)
class Scan:
    """One answer: ``probabilities`` (4,) and the slice that decided it.

    ``outlined`` is the slice with the largest outline where there is one worth a warning.
    """

    probabilities: Probabilities
    slice_index: int
    refused: bool
    outlined: int | None


def aggregate(slices: Slices, how: Aggregation, *, large: float | None = None) -> Scan:
    """The answer for slices of which at least one is given; ``large`` is an outline worth a warning.

    Slices without brain or refused are left out where there are others.
    """
    shown = np.flatnonzero(slices.brain) if slices.brain.any() else np.arange(len(slices.brain))
    refused = bool(slices.refused[shown].mean() >= how.refused_share)
    judged = shown[slices.refused[shown] == refused]
    part = slices.only(judged)
    probabilities, contributing = METHODS[how.method](part, how)
    if how.kinds == "all":
        probabilities = _named_by(part, 1 - float(probabilities[HEALTHY]))
    deciding = contributing[part.tumour[contributing].argmax()]
    warned = _longest_run(part.outlined >= large) if large is not None else np.arange(0)
    enough = len(warned) > 0 and len(warned) >= min(how.outlined, len(judged))
    outlined = int(judged[warned[part.outlined[warned].argmax()]]) if enough else None
    return Scan(probabilities, int(judged[deciding]), refused, outlined)


def _max(slices: Slices, how: Aggregation) -> Chosen:
    """The slice most likely to show a tumour."""
    best = int(slices.tumour.argmax())
    return slices.probabilities[best], np.array([best])


def _top(slices: Slices, how: Aggregation) -> Chosen:
    """The mean of the slices most likely to show a tumour."""
    best = np.argsort(-slices.tumour, kind="stable")[: how.slices]
    return slices.probabilities[best].mean(axis=0), best


def _central(slices: Slices, how: Aggregation) -> Chosen:
    """The mean of the tumour's log odds, slices in the middle of the brain weighing most."""
    place = (np.arange(len(slices.tumour)) + 0.5) / len(slices.tumour) - 0.5
    weights = np.exp(-0.5 * (place / how.spread) ** 2)
    mean = float(weights @ _log_odds(slices) / weights.sum())
    return _named_by(slices, _probability(mean)), np.arange(len(place))


def _run(slices: Slices, how: Aggregation) -> Chosen:
    """The mean of the tumour's log odds over the most suspicious run of neighbouring slices."""
    length = min(how.slices, len(slices.tumour))
    means = np.lib.stride_tricks.sliding_window_view(_log_odds(slices), length).mean(axis=-1)
    run = np.arange(length) + means.argmax()
    return _named_by(slices.only(run), _probability(float(means.max()))), run


def _log_odds(slices: Slices) -> Probabilities:
    """Of a tumour of any kind: slices that disagree about the kind do not speak against a tumour."""
    tumour = np.clip(slices.tumour, SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(tumour) - np.log1p(-tumour))


def _probability(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))


def _noisy_or(slices: Slices, how: Aggregation) -> Chosen:
    """As if slices saw a tumour independently, ``how.slices`` neighbours being one observation."""
    healthy = np.log(np.maximum(slices.probabilities[:, HEALTHY], SMALLEST)).sum()
    tumour = float(-np.expm1(healthy / min(how.slices, len(slices.tumour))))
    return _named_by(slices, tumour), np.arange(len(slices.tumour))


def _named_by(slices: Slices, tumour: float) -> Probabilities:
    """This probability of a tumour, divided into kinds by every slice as far as it shows one."""
    kinds = slices.tumour @ slices.probabilities
    kinds[HEALTHY] = 0
    found = np.asarray(tumour * kinds / max(kinds.sum(), SMALLEST))
    found[HEALTHY] = 1 - found.sum()
    return found


def _largest(slices: Slices, how: Aggregation) -> Chosen:
    """The mean of the slices with the largest outlines; without any, of the most suspicious."""
    if not slices.outlined.any():
        return _top(slices, how)
    best = np.argsort(-slices.outlined, kind="stable")[: how.slices]
    best = best[slices.outlined[best] > 0]
    return slices.probabilities[best].mean(axis=0), best


METHODS: Final[dict[str, Callable[[Slices, Aggregation], Chosen]]] = {
    "max": _max,
    "top": _top,
    "central": _central,
    "run": _run,
    "noisy_or": _noisy_or,
    "largest": _largest,
}


def _longest_run(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The indices of the longest unbroken run of flagged slices."""
    runs = np.split(np.arange(len(flags)), np.flatnonzero(np.diff(flags)) + 1)
    return max((run for run in runs if flags[run].all()), key=len, default=np.arange(0))
