"""Can these pictures tell WHO grade 3 from grade 2 gliomas? Measured by patient on the LGG table.

Everything below (properties, classifier, folds, resamples) was fixed before the first run, so that
nothing is chosen by its result. A grade would be shipped only from a model that the portal can run, without
an expert's outline, and only if that model beats chance by its interval.
"""

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ml import bundle, datasets, images, outlines, preprocess
from ml.datasets import DataError, Row
from ml.engine import LiteRt
from ml.image_types import Pixels
from ml.labels import NO_TUMOUR
from ml.operating import area
from ml.outlines import Mask
from ml.statistics import Bootstrap

FOLDS: Final = 5
REPEATS: Final = 4
PERMUTATIONS: Final = 200
SEED: Final = 0
COMPONENTS: Final = 8
CHANCE: Final = 0.5
OUTLINE, EMBEDDING, HOSPITAL = "expert's outline", "embedding", "hospital alone"
GAP, RING = 2, 12
HEAD_ABOVE: Final = 0.1
SEQUENCES: Final = ("t1gd", "flair")
PROPERTIES: Final = (
    "volume share",
    "largest area share",
    *(f"{sequence} {what}" for sequence in SEQUENCES for what in ("contrast", "bright tail", "spread")),
)

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Patient:
    """``properties`` follow PROPERTIES, NaN where a sequence is missing; ``high`` is grade 3."""

    name: str
    high: bool
    properties: Table
    embedding: Table

    @property
    def hospital(self) -> str:
        return self.name.split("_")[1] if self.name.count("_") >= 2 else self.name


def measure(data: Path, directory: Path) -> dict[str, Any]:
    """Every model's figures and the verdict, with the embedding of the bundle in ``directory``."""
    found = patients(data, directory)
    high = np.array([patient.high for patient in found])
    if min(high.sum(), (~high).sum()) < FOLDS:
        raise DataError(f"Fewer than {FOLDS} patients of one grade.", code="grade_too_few")
    tables = {
        OUTLINE: (np.array([p.properties for p in found]), _logistic()),
        EMBEDDING: (np.array([p.embedding for p in found]), _logistic(PCA(COMPONENTS, random_state=SEED))),
        HOSPITAL: (_one_hot([p.hospital for p in found]), _logistic()),
    }
    models = {name: judged(values, high, model) for name, (values, model) in tables.items()}
    return {
        "patients": len(found),
        "grade_3": int(high.sum()),
        "bundle": directory.name,
        "models": models,
        "ship": ships(models),
    }


def judged(values: Table, high: NDArray[np.bool_], model: Pipeline) -> dict[str, Any]:
    """AUROC of scores that each patient got from models without that patient, its interval from a
    bootstrap over patients, and how often shuffled grades do as well."""
    scores = held_out_scores(values, high, model)
    measured = Bootstrap([str(n) for n in range(len(high))]).weighted(area(scores, high), len(high))
    random = np.random.default_rng(SEED)
    shuffled = [random.permutation(high) for _ in range(PERMUTATIONS)]
    reached = _reached(scores, high)
    as_good = sum(
        _reached(held_out_scores(values, grades, model), grades) >= reached
        for grades in tqdm(shuffled, desc="shuffled grades", disable=None)
    )
    p = (1 + as_good) / (1 + PERMUTATIONS)
    return {"auroc": measured["value"], "interval": measured["interval"], "p": round(p, 4)}


def _reached(scores: Table, high: NDArray[np.bool_]) -> float:
    return float(area(scores, high)(np.ones((1, len(high))))[0])


def held_out_scores(values: Table, high: NDArray[np.bool_], model: Pipeline) -> Table:
    """The mean over REPEATS of log odds from the FOLDS-fold model that has not seen the patient."""
    scores = np.zeros(len(high))
    # Threads wait for each other longer than matrices of so few patients take.
    with threadpool_limits(1):
        for repeat in range(REPEATS):
            folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED + repeat)
            for learn, judge in folds.split(values, high):
                scores[judge] += model.fit(values[learn], high[learn]).decision_function(values[judge])
    return np.asarray(scores / REPEATS)


def ships(models: dict[str, dict[str, Any]]) -> bool:
    """Whether what the portal can run beats chance, and the hospital, which pictures show, does not."""
    return is_above_chance(models[EMBEDDING]) and not is_above_chance(models[HOSPITAL])


def is_above_chance(model: dict[str, Any]) -> bool:
    return bool(model["interval"][0] > CHANCE)


def as_text(result: dict[str, Any]) -> str:
    lines = [f"grade 3 against 2: {result['patients']} patients, {result['grade_3']} of grade 3"]
    for name, model in result["models"].items():
        low, high = model["interval"]
        lines.append(f"  {name:<17} AUROC {model['auroc']:.3f} [{low:.3f}, {high:.3f}]  p {model['p']:.3f}")
    return "\n".join([*lines, f"verdict: {_verdict(result)}"])


def _verdict(result: dict[str, Any]) -> str:
    if result["ship"]:
        return "ship, as research"
    if is_above_chance(result["models"][HOSPITAL]):
        return "do not ship: the hospital alone lies above chance, too"
    if is_above_chance(result["models"][OUTLINE]):
        return "do not ship: what lies above chance needs an expert's outline"
    return "do not ship: nothing lies above chance"


def patients(data: Path, directory: Path) -> list[Patient]:
    """Every patient of the LGG table with a known grade and an outlined tumour, by name."""
    facts = _facts(data)
    tumours = [row for row in datasets.table(data, "lgg") if row.label != NO_TUMOUR and row.mask]
    of_patient: dict[str, list[Row]] = defaultdict(list)
    for row in tumours:
        if facts[row.path]["grade"] in ("2", "3"):
            of_patient[row.group].append(row)
    network = _Embedder(directory)
    return [
        _patient(data, rows, facts, network)
        for _, rows in tqdm(sorted(of_patient.items()), desc="patients", disable=None)
    ]


def _facts(data: Path) -> dict[str, dict[str, str]]:
    if not (data / "lgg.csv").is_file():
        raise DataError(f"There is no table lgg.csv in {data}.")
    with (data / "lgg.csv").open(encoding="utf-8", newline="") as file:
        return {record["path"]: record for record in csv.DictReader(file)}


def _patient(
    data: Path, rows: Sequence[Row], facts: dict[str, dict[str, str]], network: "_Embedder"
) -> Patient:
    slices = [images.read(data / row.path).slices[0] for row in rows]
    masks = [outlines.outline(data, row, pixels.shape) for row, pixels in zip(rows, slices, strict=True)]
    seen = [
        (row, pixels, mask) for row, pixels, mask in zip(rows, slices, masks, strict=True) if _drawn(mask)
    ]
    by_sequence = [
        _contrast([(p, m) for r, p, m in seen if r.source.endswith(name) and m is not None])
        for name in SEQUENCES
    ]
    return Patient(
        rows[0].group,
        facts[rows[0].path]["grade"] == "3",
        np.concatenate([_extent(seen, facts), *by_sequence]),
        network.mean_embedding(slices),
    )


def _drawn(mask: Mask | None) -> bool:
    return mask is not None and bool(mask.any())


def _extent(seen: Sequence[tuple[Row, Pixels, Mask | None]], facts: dict[str, dict[str, str]]) -> Table:
    """The share of all voxels of the scan, and of the head in the slice with the largest area."""
    shares, heads = {}, []
    for row, pixels, mask in seen:
        if mask is not None:
            shares[row.mask] = float(mask.mean())
            heads.append(float(mask.sum() / max(np.sum(pixels > HEAD_ABOVE), 1)))
    return np.array([sum(shares.values()) / int(facts[seen[0][0].path]["n_slices"]), max(heads)])


def _contrast(seen: Sequence[tuple[Pixels, Mask]]) -> Table:
    """Inside against a ring around it, in the ring's deviations, weighted by area: median, brightest
    twentieth, spread."""
    if not seen:
        return np.full(3, np.nan)
    found = np.array([_of_slice(pixels, mask) for pixels, mask in seen])
    return np.asarray(np.average(found, axis=0, weights=[mask.sum() for _, mask in seen]))


def _of_slice(pixels: Pixels, mask: Mask) -> tuple[float, float, float]:
    away = ndimage.distance_transform_edt(~mask)
    ring = pixels[(away > GAP) & (away <= RING) & (pixels > HEAD_ABOVE)]
    inside = pixels[mask]
    if ring.size < 2:
        return 0.0, 0.0, 1.0
    middle, deviation = float(np.median(ring)), float(ring.std()) + 1e-3
    bright = float(np.percentile(inside, 95))
    return (
        (float(np.median(inside)) - middle) / deviation,
        (bright - middle) / deviation,
        float(inside.std()) / deviation,
    )


class _Embedder:
    """The mean embedding of a patient's slices; the network has learnt classes, never grades."""

    def __init__(self, directory: Path) -> None:
        sealed = bundle.verify(directory)
        self._size = int(sealed.card["input_size"])
        self._engine = LiteRt(directory / bundle.NETWORK)

    def mean_embedding(self, slices: Sequence[Pixels]) -> Table:
        prepared = np.stack([preprocess.prepare(pixels, self._size) for pixels in slices])
        return np.asarray(self._engine.run(prepared).embeddings.mean(axis=0), np.float64)


def _logistic(*steps: Any) -> Pipeline:
    """Missing values to the median, equal spread, logistic regression with the usual ridge."""
    classifier = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), *steps, classifier)


def _one_hot(names: Sequence[str]) -> Table:
    known = sorted(set(names))
    return np.array([[float(name == one) for one in known] for name in names])
