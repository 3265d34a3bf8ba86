"""A recipe is the whole description of one training: network, data, augmentation, schedule."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ml.errors import MlError

RECIPES: Final = Path(__file__).resolve().parent / "recipes"


class RecipeError(MlError):
    """A recipe does not exist or says something that no training understands."""

    code = "recipe_invalid"


@dataclass(frozen=True)
class Network:
    """``kind`` names a builder in ``ml.networks``; ``size`` is the side of the square input.

    ``start`` is what to begin with instead of random weights: the folder of a finished run or of a
    bundle that has such a network, MobileNetV2's own file, or the package of EfficientNet-Lite0's
    weights; the first blocks of those two then stay as they are. Of several, their mean. Of a run
    with more ``stages`` those that this network has, too; they are those of the residual networks.
    ``members`` are the networks of an ``ensemble``, trained by themselves.
    """

    kind: str
    size: int
    width: int = 16
    blocks: int = 1
    stages: int = 4
    dropout: float = 0.0
    l1: float = 0.0
    start: tuple[str, ...] = ()
    members: tuple["Network", ...] = ()

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Network":
        """One ``start`` may be a plain string. Raises TypeError where a key is unknown or missing."""
        members = tuple(cls.from_values(member) for member in values.get("members", ()))
        start = values.get("start", ())
        starts = tuple(filter(None, [start] if isinstance(start, str) else start))
        return cls(**{**values, "members": members, "start": starts})


@dataclass(frozen=True)
class Data:
    """What is learnt from. ``split``: ``published`` (the Kaggle folders) or ``dev`` (by patient).

    ``fold`` is held out of ``dev`` for choices and calibration; of ``published``, which has no folds
    by patient, the same-numbered of ``file_folds`` parts of the files. ``weights`` gives the share of
    each "class/source" cell in a training epoch; without it every row is seen once per epoch. Rows of
    the sources ``without`` are neither learnt nor held out; others of their class take their share.
    ``strangers`` is the share of pictures that are not brain MRI.
    """

    tables: tuple[str, ...]
    split: str = "dev"
    fold: int = 0
    file_folds: int = 5
    weights: Mapping[str, float] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    strangers: float = 0.0


@dataclass(frozen=True)
class Training:
    """The optimiser and its schedule. ``patience`` 0 trains all epochs; ``ema`` 0 keeps no average.

    No ``epochs`` keep the weights that the network begins with, as of the mean of several runs.

    ``sizes`` are the sides of the pictures that are learnt from, each for an equal part of the
    epochs; without it the network's own. ``mask_weight`` is that of the outline's loss beside the
    classes'. ``teachers`` are finished runs or bundles whose mean answer is the share ``taught`` of
    what the network is to say.
    """

    epochs: int
    batch: int = 32
    images_per_epoch: int = 0
    learning_rate: float = 1e-3
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    ema: float = 0.0
    patience: int = 0
    precision: str = "float32"
    sizes: tuple[int, ...] = ()
    mask_weight: float = 1.0
    teachers: tuple[str, ...] = ()
    taught: float = 0.5


@dataclass(frozen=True)
class Recipe:
    """``mirrored``: the answer is the mean over a slice and its mirror image. ``upright``: slices are laid
    upright before they are answered."""

    name: str
    seed: int
    network: Network
    data: Data
    training: Training
    augment: Mapping[str, Any] = field(default_factory=dict)
    mirrored: bool = False
    upright: bool = False

    @property
    def close_up(self) -> bool:
        """Whether outlined tumours from near are all that is learnt."""
        return bool(self.augment.get("close_up"))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read(name: str, above: tuple[Path, ...] = ()) -> Recipe:
    """The recipe of this name in ``ml/recipes``, or of a TOML file given by its path.

    ``base`` in it names another recipe, of which it says the differences alone; ``above`` are those
    that are built on this one. Raises RecipeError where there is none, or where it is its own base.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise RecipeError(f"There is no recipe {name}; there are: {known}.")
    if path in above:
        raise RecipeError(f"Recipe {name} is its own base.")
    values = tomllib.loads(path.read_text("utf-8"))
    base = values.pop("base", None)
    return parse(path.stem, changed(read(base, (*above, path)).as_dict(), values) if base else values)


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The same recipe with other values, section by section, so that a change names what differs alone."""
    merged = {
        key: changed(values.get(key, {}), change) if isinstance(change, Mapping) else change
        for key, change in changes.items()
    }
    return {**values, **merged}


def parse(name: str, values: Mapping[str, Any]) -> Recipe:
    """Raises RecipeError where a section or key is unknown or missing."""
    try:
        return Recipe(
            name=name,
            seed=int(values["seed"]),
            network=Network.from_values(values["network"]),
            data=Data(**{**values["data"], **_tuples(values["data"], "tables", "without")}),
            training=Training(**{**values["training"], **_tuples(values["training"], "sizes", "teachers")}),
            augment=dict(values.get("augment", {})),
            mirrored=bool(values.get("mirrored", False)),
            upright=bool(values.get("upright", False)),
        )
    except (KeyError, TypeError) as error:
        raise RecipeError(f"Recipe {name}: {error}") from None


def joined(recipes: Sequence[Recipe]) -> Recipe:
    """One recipe for networks that answer together; the first one names the seed and the schedule.

    Not ``mirrored``: an ensemble has mirrored pictures of its own. Raises RecipeError where they are
    not for the same pictures, or have not learnt the same slices.
    """
    first, *others = recipes
    if not others:
        return first
    if any(_common(other) != _common(first) for other in others):
        raise RecipeError("Networks that answer together must have learnt the same slices at one size.")
    members = tuple(recipe.network for recipe in recipes)
    together = Network("ensemble", first.network.size, members=members)
    name = " + ".join(recipe.name for recipe in recipes)
    return replace(first, name=name, network=together, mirrored=False)


def _common(recipe: Recipe) -> tuple[Any, ...]:
    data = recipe.data
    return recipe.network.size, data.tables, data.split, data.fold, data.without


def _tuples(section: Mapping[str, Any], *names: str) -> dict[str, tuple[Any, ...]]:
    return {name: tuple(section[name]) for name in names if name in section}
