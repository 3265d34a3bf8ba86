"""The one way to ask a bundle about an image. Needs NumPy and LiteRT; never loads TensorFlow."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ml import bundle, decision, preprocess
from ml.bundle import Bundle
from ml.decision import HEALTHY, REASONS, Familiar, Thresholds
from ml.engine import LiteRt
from ml.errors import BundleError
from ml.image_types import Image
from ml.labels import CLASSES, REFUSED

NOTICE: Final = "Research use only. Not a medical device."


@dataclass(frozen=True)
class SliceResult:
    """``refusal`` is a reason code where this slice cannot be judged."""

    index: int
    probabilities: dict[str, float]
    tumour_probability: float
    refusal: str | None


@dataclass(frozen=True)
class Prediction:
    """The answer for one image.

    ``outcome`` is a class, ``uncertain`` or ``refused``; ``label`` the most likely class whatever
    the outcome. Probabilities are calibrated, keyed by class name, sum to 1 and belong to the slice
    ``slice_index``: of those that can be judged, the one most likely to show a tumour.
    ``timings`` are milliseconds per stage.
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

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**asdict(self), "slices": [asdict(result) for result in self.slices]}


class Predictor:
    """A verified bundle in memory. ``version``, ``sha256``, ``card``, ``labels`` say which."""

    def __init__(self, sealed: Bundle, *, threads: int = 1) -> None:
        self.version, self.sha256, self.card = sealed.version, sealed.sha256, sealed.card
        self.directory = sealed.directory
        self.labels = tuple(sealed.card["labels"])
        self._size = int(sealed.card["input_size"])
        self._temperature = float(sealed.card["temperature"])
        self._thresholds = Thresholds.from_card(sealed.card)
        self._familiar = Familiar.load(sealed.directory / bundle.FAMILIAR)
        self._engine = LiteRt(sealed.directory / bundle.NETWORK, threads=threads)

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
        """Run the bundle's golden picture. BundleError bundle_incompatible if it answers otherwise."""
        golden = json.loads((self.directory / bundle.GOLDEN).read_text("utf-8"))
        x = preprocess.prepare(bundle.golden_picture(**golden["input"]), self._size)
        probabilities = decision.softmax(self._engine.run(x[np.newaxis])[0], self._temperature)[0]
        expected = [golden["probabilities"][name] for name in CLASSES]
        if not np.allclose(probabilities, expected, rtol=0, atol=golden["tolerance"]):
            raise BundleError(
                "The model does not give its own reference answer on this machine.",
                code="bundle_incompatible",
            )

    def predict(self, image: Image) -> Prediction:
        """The answer for all slices of one image."""
        started = time.perf_counter()
        x = np.stack([preprocess.prepare(pixels, self._size) for pixels in image.slices])
        unusable = [decision.unusable(pixels) for pixels in image.slices]
        prepared = time.perf_counter()
        logits, embeddings = self._engine.run(x)
        probabilities = decision.softmax(logits, self._temperature)
        refusals = decision.refusals(unusable, embeddings, self._familiar, self._thresholds)
        done = time.perf_counter()
        timings = {"preprocess": _ms(prepared - started), "inference": _ms(done - prepared)}
        return self._answer(probabilities, refusals, timings)

    def _answer(
        self,
        probabilities: NDArray[np.float64],
        refusals: Sequence[str | None],
        timings: dict[str, float],
    ) -> Prediction:
        index = _deciding(probabilities, refusals)
        outcome, reason = decision.decide(probabilities[index], self._thresholds)
        if refusals[index] is not None:
            outcome, reason = REFUSED, refusals[index]
        return Prediction(
            outcome=outcome,
            label=CLASSES[int(probabilities[index].argmax())],
            probabilities=_by_name(probabilities[index]),
            tumour_probability=float(1 - probabilities[index, HEALTHY]),
            reason=reason,
            reason_text=REASONS[reason] if reason else None,
            slice_index=index,
            slices=tuple(
                SliceResult(i, _by_name(p), float(1 - p[HEALTHY]), refusal)
                for i, (p, refusal) in enumerate(zip(probabilities, refusals, strict=True))
            ),
            timings=timings,
            model_version=self.version,
        )


def _deciding(probabilities: NDArray[np.float64], refusals: Sequence[str | None]) -> int:
    """The slice most likely to show a tumour, among those not refused where there are any."""
    usable = np.array([refusal is None for refusal in refusals])
    tumour = 1 - probabilities[:, HEALTHY]
    return int(np.where(usable | ~usable.any(), tumour, -1.0).argmax())


def _by_name(probabilities: NDArray[np.float64]) -> dict[str, float]:
    return {name: float(p) for name, p in zip(CLASSES, probabilities, strict=True)}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
