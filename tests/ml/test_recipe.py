"""Recipes: read, built on one another, refused where they say what nobody understands, and joined."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ml import networks, study
from ml.labels import CLASSES
from ml.recipe import RECIPES, RecipeError, joined, parse, read


def test_every_recipe_in_the_folder_is_understood() -> None:
    names = sorted(path.stem for path in RECIPES.glob("*.toml"))
    assert {"seed_cnn", "seed_cnn_dev", "residual", "outline", "transfer", "published", "varied"} <= set(
        names
    )
    assert all(read(name).network.kind in networks.BUILDERS for name in names)


def test_every_recipe_and_study_learns_every_class() -> None:
    recipes = [read(path.stem) for path in RECIPES.glob("*.toml")]
    trials = [trial.recipe for path in study.STUDIES.glob("*.toml") for trial in study.read(path.stem)]
    shares = [recipe.data.weights for recipe in (*recipes, *trials) if recipe.data.weights]
    assert shares
    assert all({cell.split("/")[0] for cell in share} == set(CLASSES) for share in shares)


def test_an_unknown_recipe_names_those_there_are() -> None:
    with pytest.raises(RecipeError, match="residual"):
        read("resnet152")


def test_a_misspelt_key_is_refused() -> None:
    values = read("outline").as_dict()
    values["training"]["learningrate"] = 1
    with pytest.raises(RecipeError, match="learningrate"):
        parse("x", values)


def test_a_recipe_built_on_another_says_the_differences_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text('base = "varied"\nseed = 99\n[network]\nstart = ["a", "b"]\n[training]\nepochs = 3\n')
    base, other = read("varied"), read(str(path))
    assert (other.name, other.seed, other.network.start) == ("other", 99, ("a", "b"))
    assert other == replace(
        base,
        name="other",
        seed=99,
        network=replace(base.network, start=("a", "b")),
        training=replace(base.training, epochs=3),
    )


def test_a_share_of_the_slices_that_is_changed_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text('base = "varied"\n[data.weights]\n"glioma/figshare" = 1.0\n')
    assert read(str(path)).data.weights == {**read("varied").data.weights, "glioma/figshare": 1.0}


def test_a_recipe_is_not_its_own_base(tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text(f'base = "{other}"\n')
    other.write_text(f'base = "{one}"\n')
    with pytest.raises(RecipeError, match="its own base"):
        read(str(one))


def test_a_base_that_there_is_not_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text('base = "nowhere"\n')
    with pytest.raises(RecipeError, match="nowhere"):
        read(str(path))


def test_networks_that_learnt_other_slices_do_not_answer_together() -> None:
    one = read("outline")
    assert joined([one]) is one
    together = joined([one, read("transfer")])
    assert together.network.members[0] == one.network and not together.mirrored
    assert parse("again", json.loads(json.dumps(together.as_dict()))).network == together.network
    with pytest.raises(RecipeError, match="the same slices"):
        joined([one, replace(one, data=replace(one.data, fold=1))])
