"""A release: bundles of trained networks, made from the data by one command.

A release is a TOML file of ``ml/releases``: of every ``[[bundle]]``, in this order, its ``version``, the
recipes of its ``networks``, perhaps that of its ``close_up`` network, and which of the bundles before it
it is ``calibrated_by``. Finished trainings and bundles are kept, so a release that was stopped goes on.
"""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

from ml import bundle, export, recipe, train
from ml.recipe import RecipeError

RELEASES: Final = Path(__file__).resolve().parent / "releases"
RUNS: Final = Path("runs")
"""Where recipes name what they begin with and are taught by: every run in a folder of its recipe's name."""


@dataclass(frozen=True)
class Planned:
    """One bundle, of the recipes named here."""

    version: str
    networks: tuple[str, ...]
    close_up: str | None = None
    calibrated_by: str | None = None

    @property
    def recipes(self) -> tuple[str, ...]:
        return (*self.networks, self.close_up) if self.close_up else self.networks


def read(name: str) -> list[Planned]:
    """The bundles of the release of this name. Raises RecipeError where there is none, or it is misspelt."""
    path = RELEASES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RELEASES.glob("*.toml")))
        raise RecipeError(f"There is no release {name}; there are: {known}.")
    try:
        entries = tomllib.loads(path.read_text("utf-8"))["bundle"]
        return [Planned(**{**entry, "networks": tuple(entry["networks"])}) for entry in entries]
    except (KeyError, TypeError) as error:
        raise RecipeError(f"Release {name}: {error}") from None


def trainings(planned: Sequence[Planned]) -> list[str]:
    """The recipes to train, each after those that it begins with or is taught by.

    Raises RecipeError where one of them needs itself.
    """
    before: dict[str, tuple[str, ...]] = {}
    waiting = [name for one in planned for name in one.recipes]
    while waiting:
        name = waiting.pop()
        if name not in before:
            before[name] = tuple(_before(name))
            waiting += before[name]
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        raise RecipeError(f"Recipes that need each other: {', '.join(error.args[1])}.") from None


def _before(name: str) -> Iterator[str]:
    found = recipe.read(name)
    for place in map(Path, (*found.network.start, *found.training.teachers)):
        if place.parent == RUNS:
            yield place.name


def make(name: str, data: Path, bundles: Path) -> list[Path]:
    """Train and export whatever is not there yet; returns the sealed bundles, in ``bundles``.

    Runs lie in ``runs`` of the working directory, where recipes look for them.
    """
    planned = read(name)
    for training in trainings(planned):
        train.train(recipe.read(training), data, RUNS / training)
    return [_sealed(one, data, bundles) for one in planned]


def _sealed(planned: Planned, data: Path, bundles: Path) -> Path:
    if (bundles / planned.version).exists():
        return bundle.verify(bundles / planned.version).directory
    return export.export(
        [RUNS / name for name in planned.networks],
        planned.version,
        data,
        bundles,
        calibrated_by=bundles / planned.calibrated_by if planned.calibrated_by else None,
        close_up=RUNS / planned.close_up if planned.close_up else None,
    )
