"""The one way to ask a bundle about an image. Needs NumPy and LiteRT; never loads TensorFlow."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ml import aggregate, brain, bundle, close_ups, decision, findings, preprocess, reference, upright
from ml.aggregate import Aggregation, Scan, Slices
from ml.bundle import Bundle
from ml.decision import HEALTHY, REASONS, Familiar, Thresholds
from ml.engine import LARGEST_BATCH, LiteRt, Outputs, mirrored
from ml.errors import BundleError
from ml.findings import Finding, Mask
from ml.framing import Box
from ml.image_types import Facts, Image, Pixels
from ml.labels import CLASSES, NO_TUMOUR, REFUSED, UNCERTAIN
from ml.preprocess import Geometry
from ml.upright import Scores

NOTICE: Final = "Research use only. Not a medical device."

NO_BRAIN: Final = "no_brain"

VOLUME: Final = 8
"""Fewer slices are pictures that somebody chose, and each of them is judged."""

GLANCES: Final = 9
"""Slices of a scan, at most, that tell which way up it lies."""

Progress = Callable[[int, int], None]
"""Called with the number of slices judged and of all slices."""


@dataclass(frozen=True)
class SliceResult:
    """``refusal`` is a reason code where this slice cannot be judged.

    ``mask_area_px`` is the area that is outlined, in pixels of the slice, whatever its class; None
    where the model outlines nothing at all.
    """

    index: int
    probabilities: dict[str, float]
    tumour_probability: float
    refusal: str | None
    mask_area_px: int | None = None


@dataclass(frozen=True)
class Prediction:
    """The answer for one image.

    ``outcome`` is a class, ``uncertain`` or ``refused``; ``label`` the most likely class whatever
    the outcome. Probabilities are calibrated, keyed by class name, sum to 1 and belong to the whole
    image; ``slice_index`` is the slice that decided. ``finding`` is the outline of one slice, and
    ``masks`` are those of all slices that may show a tumour, both only where the outcome does not
    exclude one: a tumour without an outline has neither. ``timings`` are milliseconds per stage.
    """

    outcome: str
    label: str
    probabilities: dict[str, float]
    tumour_probability: float
    reason: str | None
    reason_text: str | None
    slice_index: int
    slices: tuple[SliceResult, ...]
    timings: dict[str, float]
    model_version: str
    finding: Finding | None = None
    masks: Mapping[int, Mask] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; all but the masks."""
        kept = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "masks"}
        return {
            **kept,
            "slices": [asdict(result) for result in self.slices],
            "finding": asdict(self.finding) if self.finding else None,
        }


@dataclass(frozen=True)
class _Judged:
    """One slice on its own.

    ``mask``, and the probabilities over the network's ``square`` that it is cut of, are kept where the
    slice may show a tumour and outlines one.
    """

    probabilities: NDArray[np.float64]
    refusal: str | None
    geometry: Geometry
    share: float = 0.0
    area_px: int | None = None
    mask: Mask | None = None
    square: NDArray[np.float32] | None = None

    def as_result(self, index: int) -> SliceResult:
        tumour = float(1 - self.probabilities[HEALTHY])
        return SliceResult(index, _by_name(self.probabilities), tumour, self.refusal, self.area_px)


class _Clock:
    """Milliseconds by stage, summed over the batches."""

    def __init__(self) -> None:
        self.timings = {"preprocess": 0.0, "inference": 0.0, "outline": 0.0}
        self._last = time.perf_counter()

    def stop(self, stage: str) -> None:
        now = time.perf_counter()
        self.timings[stage] = round(self.timings[stage] + (now - self._last) * 1000, 3)
        self._last = now


@dataclass(frozen=True)
class _Near:
    """The network that outlines close-ups."""

    engine: LiteRt
    size: int

    @classmethod
    def of(cls, sealed: Bundle, threads: int) -> "_Near | None":
        """That of a bundle, if it has one."""
        if "close_up" not in sealed.card:
            return None
        engine = LiteRt(sealed.directory / bundle.CLOSE_UP, threads=threads)
        return cls(engine, int(sealed.card["close_up"]["input_size"]))

    def part(self, mask: Mask, whole: Geometry) -> Geometry:
        """Where the close-up of what is outlined lies in the picture."""
        return close_ups.geometry(close_ups.around(mask, whole.side), whole, self.size)

    def outline(self, x: Pixels) -> NDArray[np.float32]:
        """Probabilities (m, m) of a prepared close-up (size, size, 1)."""
        masks = self.engine.run(x[np.newaxis]).masks
        if masks is None:
            raise BundleError("The network of close-ups outlines nothing.", code="bundle_incompatible")
        return np.asarray(masks[0])


class Predictor:
    """A verified bundle in memory. ``version``, ``sha256``, ``card``, ``labels`` say which.

    ``thresholds`` are those of a single slice.
    """

    def __init__(self, sealed: Bundle, *, threads: int = 1) -> None:
        self.version, self.sha256, self.card = sealed.version, sealed.sha256, sealed.card
        self.directory = sealed.directory
        self.labels = tuple(sealed.card["labels"])
        self._size = int(sealed.card["input_size"])
        self._temperature = float(sealed.card["temperature"])
        self.thresholds = Thresholds.from_card(sealed.card)
        self._aggregation = Aggregation.from_card(sealed.card)
        self._mirrored = sealed.card.get("tta") == "mirror"
        self._familiar = Familiar.load(sealed.directory / bundle.FAMILIAR)
        self._engine = LiteRt(sealed.directory / bundle.NETWORK, threads=threads)
        self._near = _Near.of(sealed, threads)
        self._scores = _scores(sealed, threads)

    @classmethod
    def load(cls, directory: Path, *, threads: int = 1) -> Self:
        """Verify first, then load. Raises BundleError."""
        sealed = bundle.verify(directory)
        try:
            return cls(sealed, threads=threads)
        except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
            detail = f"The files of bundle {sealed.version} cannot be loaded."
            raise BundleError(detail, code="bundle_incompatible") from error

    def warm_up(self) -> None:
        """Run the reference picture. BundleError bundle_incompatible if a network answers otherwise."""
        golden = json.loads((self.directory / bundle.GOLDEN).read_text("utf-8"))
        whole = self._engine.run(reference.prepared(golden["input"], self._size))
        near = None
        if self._near is not None:
            near = self._near.outline(reference.prepared(golden["input"], self._near.size)[0])
        turns = upright.of_reference(self._scores, golden["input"]) if self._scores else None
        if not reference.agrees(golden, reference.answer(whole, self._temperature, near, turns)):
            raise BundleError(
                "The model does not give its own reference answer on this machine.",
                code="bundle_incompatible",
            )

    def predict(self, image: Image, progress: Progress | None = None) -> Prediction:
        """The answer for all slices of one image, ``LARGEST_BATCH`` of them in memory at a time."""
        clock = _Clock()
        judged = self._judge_all(image, clock, progress)
        return self._answer(judged, image, clock)

    def curve(self, image: Image) -> Slices:
        """What ``predict`` knows of every slice before they become one answer."""
        return _slices(self._judge_all(image, _Clock(), None))

    def _judge_all(self, image: Image, clock: _Clock, progress: Progress | None) -> list[_Judged]:
        judged: list[_Judged] = []
        shown, total = _brain(image), len(image.slices)
        turns = self._glanced(image, np.flatnonzero(shown)) if total > LARGEST_BATCH else None
        for start in range(0, total, LARGEST_BATCH):
            batch = slice(start, start + LARGEST_BATCH)
            judged += self._judge(image.slices[batch], shown[batch], turns, clock)
            if progress is not None:
                progress(len(judged), total)
        return judged

    def _glanced(self, image: Image, shown: NDArray[np.intp]) -> int:
        """Quarter turns that lay a scan upright, told by some of the slices that show brain."""
        some = np.linspace(0, len(shown) - 1, min(len(shown), GLANCES)).round().astype(int)
        return self._turns(np.stack([preprocess.prepare(image.slices[i], self._size) for i in shown[some]]))

    def _turns(self, x: NDArray[np.float32]) -> int:
        return upright.turns(self._scores, x) if self._scores else 0

    def _judge(
        self, slices: Sequence[Pixels], shown: Sequence[bool], turns: int | None, clock: _Clock
    ) -> list[_Judged]:
        """Laid upright by so many quarter turns; where that is not known, by what these slices tell."""
        prepared = [preprocess.prepare_with_geometry(pixels, self._size) for pixels in slices]
        unusable = [
            decision.unusable(pixels) if brain_here else NO_BRAIN
            for pixels, brain_here in zip(slices, shown, strict=True)
        ]
        squares = np.stack([x for x, _ in prepared])
        turns = self._turns(squares) if turns is None else turns
        clock.stop("preprocess")
        outputs = self._run(upright.laid(squares, turns))
        probabilities = decision.softmax(outputs.logits, self._temperature)
        refusals = decision.refusals(unusable, outputs.embeddings, self._familiar, self.thresholds)
        clock.stop("inference")
        masks = upright.laid(outputs.masks, -turns) if outputs.masks is not None else [None] * len(slices)
        judged = [
            self._outlined(p, refusal, mask, geometry, pixels.shape)
            for p, refusal, mask, (_, geometry), pixels in zip(
                probabilities, refusals, masks, prepared, slices, strict=True
            )
        ]
        clock.stop("outline")
        return judged

    def _run(self, x: NDArray[np.float32]) -> Outputs:
        """The network's outputs, averaged with those of the mirrored slices where the card asks for it."""
        return mirrored(self._engine.run, x) if self._mirrored else self._engine.run(x)

    def _outlined(
        self,
        probabilities: NDArray[np.float64],
        refusal: str | None,
        square: NDArray[np.float32] | None,
        geometry: Geometry,
        shape: tuple[int, ...],
    ) -> _Judged:
        if square is None:
            return _Judged(probabilities, refusal, geometry)
        share = findings.share(square, self.thresholds.mask)
        outcome, _ = decision.decide(probabilities, self.thresholds, outlined=self._is_large(share))
        shown = refusal is None and outcome != NO_TUMOUR
        cut = findings.level(square, self.thresholds.mask) if shown else self.thresholds.mask
        if not (square > cut).any():
            return _Judged(probabilities, refusal, geometry, area_px=0)
        mask = findings.clean(findings.to_source(square, geometry, (shape[0], shape[1]), cut))
        area = int(mask.sum())
        kept = (mask, square) if shown and area else (None, None)
        return _Judged(probabilities, refusal, geometry, share, area, *kept)

    def _is_large(self, share: float) -> bool:
        return self.thresholds.mask_area is not None and share >= self.thresholds.mask_area

    def _closer(self, judged: Sequence[_Judged], slices: Sequence[Pixels]) -> list[_Judged]:
        """The same with outlines as from near; as from afar where nothing is to be seen from near."""
        if self._near is None:
            return list(judged)
        return [self._refined(one, pixels, self._near) for one, pixels in zip(judged, slices, strict=True)]

    def _refined(self, one: _Judged, pixels: Pixels, near: _Near) -> _Judged:
        if one.mask is None or one.square is None:
            return one
        part = near.part(one.mask, one.geometry)
        seen = near.outline(preprocess.prepare_part(pixels, one.geometry, part))
        square = close_ups.merged(seen, one.square, one.geometry, part)
        cut = findings.level(square, self.thresholds.mask)
        height, width = one.mask.shape
        mask = findings.clean(findings.to_source(square, part, (height, width), cut))
        area = int(mask.sum())
        return replace(one, mask=mask, area_px=area) if area else one

    def _decide(self, slices: Slices, spacing_mm: float | None) -> tuple[Scan, str, str | None]:
        """The scan's answer: a kind of tumour needs as many thin slices as are as thick as the usual ones,
        but it is ``notumor`` only where a few of them alone look like none either."""
        thick, thin = (self._aggregation.of(len(slices.tumour), one) for one in (spacing_mm, None))
        scan, outcome, reason = self._decided(slices, thick)
        if outcome == NO_TUMOUR and thick != thin:
            thin = replace(thin, outlined=max(thin.outlined, thin.slices))
            closer, suspected, why = self._decided(slices, thin)
            if suspected != NO_TUMOUR:
                return closer, UNCERTAIN, why if why == "mask_disagrees" else "few_slices"
        return scan, outcome, reason

    def _decided(self, slices: Slices, how: Aggregation) -> tuple[Scan, str, str | None]:
        scan = aggregate.aggregate(slices, how, large=self.thresholds.mask_area)
        thresholds = how.thresholds(self.thresholds)
        return scan, *decision.decide(scan.probabilities, thresholds, outlined=scan.outlined is not None)

    def _answer(self, judged: Sequence[_Judged], image: Image, clock: _Clock) -> Prediction:
        scan, outcome, reason = self._decide(_slices(judged), image.facts.slice_spacing_mm)
        index = scan.slice_index
        if scan.refused:
            outcome, reason = REFUSED, judged[index].refusal
        elif reason == "mask_disagrees" and scan.outlined is not None:
            index = scan.outlined
        shown = outcome not in (NO_TUMOUR, REFUSED)
        judged = self._closer(judged, image.slices) if shown else judged
        masks = _masks(judged) if shown else {}
        clock.stop("outline")
        return Prediction(
            outcome=outcome,
            label=CLASSES[int(scan.probabilities.argmax())],
            probabilities=_by_name(scan.probabilities),
            tumour_probability=float(1 - scan.probabilities[HEALTHY]),
            reason=reason,
            reason_text=REASONS[reason] if reason else None,
            slice_index=index,
            slices=tuple(one.as_result(i) for i, one in enumerate(judged)),
            timings=clock.timings,
            model_version=self.version,
            finding=_finding(masks, index, judged, image.facts),
            masks=masks,
        )


def _scores(sealed: Bundle, threads: int) -> Scores | None:
    """Those of the bundle's network that tells which way up a picture lies, if it has one."""
    if "upright" not in sealed.card:
        return None
    return upright.scores_of(LiteRt(sealed.directory / bundle.UPRIGHT, threads=threads))


def _brain(image: Image) -> list[bool]:
    """Which slices show brain: all of a picture or of a few, and all where none seems to."""
    if len(image.slices) < VOLUME:
        return [True] * len(image.slices)
    found = brain.brain_slices(image)
    return [bool(shown) for shown in found | (not found.any())]


def _slices(judged: Sequence[_Judged]) -> Slices:
    return Slices(
        np.stack([one.probabilities for one in judged]),
        np.array([one.refusal is not None for one in judged]),
        np.array([one.refusal != NO_BRAIN for one in judged]),
        np.array([one.share for one in judged]),
    )


def _masks(judged: Sequence[_Judged]) -> dict[int, Mask]:
    return {index: one.mask for index, one in enumerate(judged) if one.mask is not None}


def _finding(
    masks: Mapping[int, Mask], deciding: int, judged: Sequence[_Judged], facts: Facts
) -> Finding | None:
    """The largest outline of those that hang together with that of the deciding slice."""
    near = findings.neighbours(masks, deciding) or sorted(masks)
    if not near:
        return None
    index = max(near, key=lambda i: judged[i].area_px or 0)
    found = findings.measure(masks[index], facts.spacing_mm, slice_index=index)
    return replace(found, side=findings.side(found.centre, _head(judged, index, facts), facts.orientation))


def _head(judged: Sequence[_Judged], index: int, facts: Facts) -> Box:
    """The head of a slice; of parallel slices the usual one, since at the ends a part may be taken for it."""
    if facts.slice_spacing_mm is None:
        return judged[index].geometry.box
    boxes = [one.geometry.box for one in judged if one.refusal != NO_BRAIN]
    left, top, right, bottom = np.median(boxes, axis=0).round().astype(int).tolist()
    return left, top, right, bottom


def _by_name(probabilities: NDArray[np.float64]) -> dict[str, float]:
    return {name: float(p) for name, p in zip(CLASSES, probabilities, strict=True)}
