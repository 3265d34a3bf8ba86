"""A study: several candidates, each trained without some slices and tested on them.

A study is a TOML file of ``ml/studies``: the ``base`` recipe, ``[base_changes]`` that every run gets
(a smaller budget), ``[[candidate]]`` with a name, what is changed of the recipe, and perhaps candidates
``after`` which it goes on (of several, from the mean of their weights), ``[[together]]`` with a name
and the candidates (``members``) whose answers are averaged, ``[[test]]`` with a name and ``fold`` or
``without`` (sources). Every finished run is kept, so a study that was stopped goes on. The holdout
takes no part.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ml import (
    calibrate,
    datasets,
    decision,
    evaluate,
    familiarity,
    networks,
    operating,
    recipe,
    tables,
    train,
)
from ml.datasets import Row
from ml.evaluate import Answers
from ml.labels import CLASSES, NO_TUMOUR, REFUSED, TUMOUR_CLASSES
from ml.recipe import Recipe, RecipeError
from ml.statistics import Bootstrap, Figure
from ml.tables import Table

STUDIES: Final = Path(__file__).resolve().parent / "studies"
ANSWERS: Final = "answers.npz"
TINY: Final = 1e-12
ROC_AREA: Final = "roc_area"
MISSED: Final = "tumours_answered_notumor"
ALARMED: Final = "healthy_slices_answered_with_a_tumour"
MEASURES: Final = (
    "accuracy",
    "macro_recall",
    "tumour_accuracy",
    "tumour_sensitivity",
    "specificity",
    ROC_AREA,
    MISSED,
    ALARMED,
    REFUSED,
)


@dataclass(frozen=True)
class Trial:
    """One training of a candidate and the test it is for, on slices of these ``tables``.

    It begins with the mean weights of the candidates that it comes ``after``, for the same test.
    With ``members`` nothing is trained: the answers of these candidates are averaged.
    """

    candidate: str
    test: str
    recipe: Recipe
    tables: tuple[str, ...]
    members: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def read(name: str) -> list[Trial]:
    """The trials of the study of this name, or of a TOML file given by its path, test by test."""
    path = Path(name) if name.endswith(".toml") else STUDIES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in STUDIES.glob("*.toml")))
        raise RecipeError(f"There is no study {name}; there are: {known}.")
    study = tomllib.loads(path.read_text("utf-8"))
    try:
        candidates = (*study["candidate"], *study.get("together", ()))
        return [_trial(study, candidate, test) for test in study["test"] for candidate in candidates]
    except KeyError as error:
        raise RecipeError(f"Study {name} lacks {error}.") from None


def _trial(study: Mapping[str, Any], candidate: Mapping[str, Any], test: Mapping[str, Any]) -> Trial:
    changes = {key: value for key, value in candidate.items() if key not in ("name", "members", "after")}
    place = {"data": {key: value for key, value in test.items() if key != "name"}}
    base = recipe.read(study["base"])
    values = base.as_dict()
    for change in (study.get("base_changes", {}), changes, place):
        values = recipe.changed(values, change)
    name = f"{candidate['name']}, {test['name']}"
    members, after = (tuple(candidate.get(key, ())) for key in ("members", "after"))
    if unknown := {*members, *after} - {one["name"] for one in study["candidate"]}:
        raise RecipeError(f"{candidate['name']} is made of candidates that there are not: {sorted(unknown)}.")
    return Trial(
        candidate["name"], test["name"], recipe.parse(name, values), base.data.tables, members, after
    )


def run(name: str, data: Path, out: Path) -> Table:
    """Train and test whatever is not there yet; returns the table of all trials."""
    trials = read(name)
    return table(trials, [_answers(trial, data, out) for trial in trials])


def _folder(out: Path, candidate: str, test: str) -> Path:
    return out / f"{candidate} - {test}".replace(" ", "_")


def _answers(trial: Trial, data: Path, out: Path) -> Answers:
    if trial.members:
        return _together([_load(_folder(out, member, trial.test) / ANSWERS) for member in trial.members])
    folder = _folder(out, trial.candidate, trial.test)
    if not (folder / ANSWERS).is_file():
        weights = train.train(_begun(trial, out), data, folder)
        _save(folder / ANSWERS, _tested(trial, data, weights))
    return _load(folder / ANSWERS)


def _begun(trial: Trial, out: Path) -> Recipe:
    """The recipe with the runs of the candidates before as its start."""
    start = tuple(str(_folder(out, name, trial.test)) for name in trial.after)
    network = replace(trial.recipe.network, start=start) if start else trial.recipe.network
    return replace(trial.recipe, network=network)


def _together(parts: Sequence[Answers]) -> Answers:
    """What a network says that averages the logits of these. Their refusals do not make one of its own."""
    logits = np.mean([np.log(part.probabilities + TINY) for part in parts], axis=0)
    probabilities = decision.softmax(logits, 1.0)
    return replace(parts[0], probabilities=probabilities, outcomes=tuple(_likeliest(probabilities).tolist()))


def tested_rows(trial: Trial, data: Path) -> list[Row]:
    """Slices of ``dev`` that the recipe learns neither themselves nor by another one of their group.

    Of a recipe that leaves sources out, only slices of those sources.
    """
    rows = datasets.records(data, trial.tables)
    learnt, held = datasets.training_and_validation(rows, trial.recipe.data)
    if not trial.recipe.data.without:
        return held
    groups = {row.group for row in learnt}
    left_out = [row for row in rows if row.source in trial.recipe.data.without and row.split == "dev"]
    return [row for row in left_out if row.group not in groups and row.unique and not row.flag]


def _tested(trial: Trial, data: Path, weights: Path) -> Answers:
    rows, network = tested_rows(trial, data), trial.recipe.network
    model = networks.build(network)
    model.load_weights(weights)
    found = train.outputs(model, datasets.pixels(data, rows, network.size))
    refused = _strangeness(model, trial.recipe, data, found.embeddings) > 1
    return Answers(
        np.array([row.target for row in rows], np.int64),
        decision.softmax(found.logits, 1.0),
        tuple(np.where(refused, REFUSED, _said(model, trial.recipe, data, found.logits)).tolist()),
        tuple(row.group for row in rows),
        tuple(row.source for row in rows),
    )


def _said(model: networks.Model, recipe: Recipe, data: Path, logits: NDArray[np.float32]) -> NDArray[np.str_]:
    """Of a fold the likeliest class; of a source left out what a clinician there would be told.

    Temperature, threshold and margin are then those of held-out slices of the sources that are known.
    """
    if not recipe.data.without:
        return _likeliest(decision.softmax(logits, 1.0))
    held = train.validation(recipe, data, train.learnt_and_held(recipe, data)[1])
    known = train.outputs(model, held.pictures).logits
    temperature, limits = calibrate.answering(known, held.targets)
    thresholds = decision.Thresholds(**limits, distance=np.inf, foreignness=np.inf)
    answers = [decision.decide(row, thresholds)[0] for row in decision.softmax(logits, temperature)]
    return np.array(answers)


def _strangeness(
    model: networks.Model, recipe: Recipe, data: Path, embeddings: NDArray[np.float32]
) -> NDArray[np.float64]:
    def embed(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return train.outputs(model, pictures).embeddings

    familiar = familiarity.learnt(embed, recipe, data)
    return calibrate.strangeness(familiar, familiarity.limits(familiar, embed, recipe, data), embeddings)


def _likeliest(probabilities: NDArray[np.float64]) -> NDArray[np.str_]:
    return np.asarray(np.array(CLASSES)[probabilities.argmax(axis=1)])


def _save(path: Path, found: Answers) -> None:
    np.savez_compressed(
        path,
        targets=found.targets,
        probabilities=found.probabilities,
        strings=np.array(json.dumps([found.outcomes, found.groups, found.sources])),
    )


def _load(path: Path) -> Answers:
    with np.load(path) as kept:
        outcomes, groups, sources = (tuple(part) for part in json.loads(str(kept["strings"])))
        return Answers(kept["targets"], kept["probabilities"], outcomes, groups, sources)


def table(trials: Sequence[Trial], answers: Sequence[Answers]) -> Table:
    """One row for each trial with intervals, then what each candidate reaches over the tests together.

    That is the mean over the sources left out, and all slices of the folds, where there are several,
    taken together and by source: every patient is judged once, by a network that did not learn them.
    """
    pairs = list(zip(trials, answers, strict=True))
    runs = {f"{trial.test}: {trial.candidate}": _figures(trial, found) for trial, found in pairs}
    listed = tables.of_runs({**runs, **_over_folds(pairs)}, MEASURES)
    return Table(listed.title, listed.columns, (*listed.rows, *_means(pairs, runs)))


def _over_folds(pairs: Sequence[tuple[Trial, Answers]]) -> dict[str, dict[str, Any]]:
    runs = {}
    for candidate in dict.fromkeys(trial.candidate for trial, _ in pairs):
        folds = [pair for pair in pairs if pair[0].candidate == candidate and not pair[0].recipe.data.without]
        if len(folds) < 2:
            continue
        trial, together = folds[0][0], evaluate.joined(found for _, found in folds)
        runs[f"{len(folds)} folds: {candidate}"] = _figures(trial, together)
        for source in sorted(set(together.sources)):
            part = together.only(np.array([name == source for name in together.sources]))
            runs[f"{len(folds)} folds, {source}: {candidate}"] = _figures(trial, part)
    return runs


def _figures(trial: Trial, found: Answers) -> dict[str, Any]:
    figures = {**evaluate.figures(found), ROC_AREA: operating.roc_area(found)}
    if trial.members:
        return figures
    bootstrap, outcomes = Bootstrap(found.groups), np.array(found.outcomes)
    figures[REFUSED] = bootstrap.share(outcomes == REFUSED)
    if trial.recipe.data.without:
        wrong = np.isin(outcomes, TUMOUR_CLASSES) & ~found.sick
        figures[MISSED] = _share_of(bootstrap, (outcomes == NO_TUMOUR) & found.sick, found.sick)
        figures[ALARMED] = _share_of(bootstrap, wrong, ~found.sick)
    return figures


def _share_of(bootstrap: Bootstrap, part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> Figure | None:
    return bootstrap.share(part, whole) if whole.any() else None


def _means(
    pairs: Sequence[tuple[Trial, Answers]], runs: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, ...]]:
    for candidate in dict.fromkeys(trial.candidate for trial, _ in pairs):
        left_out = [
            runs[f"{trial.test}: {candidate}"]
            for trial, _ in pairs
            if trial.candidate == candidate and trial.recipe.data.without
        ]
        if left_out:
            yield f"mean over sources left out: {candidate}", *(_mean(left_out, name) for name in MEASURES)


def _mean(runs: Sequence[Mapping[str, Any]], measure: str) -> str:
    values = [found[measure]["value"] for found in runs if found.get(measure)]
    values = [value for value in values if value is not None]
    return tables.short(float(np.mean(values)) if values else None)
