"""A release: each training after what it begins with, each bundle as its recipes say, by one command."""

from dataclasses import replace
from pathlib import Path

import pytest

from ml import __main__ as program
from ml import bundle, recipe, release
from ml.recipe import Network, Recipe, RecipeError, joined, parse

RELEASES = sorted(path.stem for path in release.RELEASES.glob("*.toml"))
RECIPE = """
seed = 1
[network]
kind = "residual"
size = 32
width = 4
[data]
tables = ["slices", "healthy"]
fold = 0
[training]
epochs = 1
batch = 8
ema = 0.9
"""


@pytest.mark.parametrize("name", RELEASES)
def test_every_training_of_a_release_comes_after_what_it_begins_with(name: str) -> None:
    order = release.trainings(release.read(name))
    assert set(order) >= {needed for one in release.read(name) for needed in one.recipes}
    for place, training in enumerate(order):
        found = recipe.read(training)
        runs = [Path(start) for start in (*found.network.start, *found.training.teachers)]
        assert {run.name for run in runs if run.parent == release.RUNS} <= set(order[:place])


def as_built(found: Recipe) -> Recipe:
    """Without what it began with: the weights of a release have been handed on from one to the next."""

    def bare(network: Network) -> Network:
        return replace(network, start=(), members=tuple(map(bare, network.members)))

    return replace(found, name="", network=bare(found.network))


def test_every_bundle_in_the_repository_was_made_by_the_recipes_of_its_release() -> None:
    planned = {one.version: one for name in RELEASES for one in release.read(name)}
    shipped = {path.parent.name for path in bundle.BUNDLES.glob(f"*/{bundle.MANIFEST}")}
    assert shipped <= set(planned)
    for version in shipped:
        card = bundle.verify(bundle.BUNDLES / version).card
        networks = joined([recipe.read(name) for name in planned[version].networks])
        assert as_built(parse(version, card["recipe"])) == as_built(networks)
        if near := planned[version].close_up:
            assert as_built(parse(version, card["close_up"]["recipe"])) == as_built(recipe.read(near))


@pytest.fixture
def small_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a release of two small bundles, of which the first calibrates the second."""
    for kind in ("RECIPES", "RELEASES"):
        (tmp_path / kind).mkdir()
    monkeypatch.setattr(recipe, "RECIPES", tmp_path / "RECIPES")
    monkeypatch.setattr(release, "RELEASES", tmp_path / "RELEASES")
    (tmp_path / "RECIPES" / "some.toml").write_text(RECIPE)
    (tmp_path / "RECIPES" / "every.toml").write_text(
        'base = "some"\n[network]\nstart = "runs/some"\n[data]\nfold = -1\n'
    )
    (tmp_path / "RELEASES" / "small.toml").write_text(
        '[[bundle]]\nversion = "twin-1"\nnetworks = ["some"]\n'
        '[[bundle]]\nversion = "small-1"\nnetworks = ["every"]\ncalibrated_by = "twin-1"\n'
    )
    return "small"


@pytest.mark.usefixtures("cache_beside")
def test_one_command_trains_and_exports_a_release_and_goes_on_where_it_stopped(
    small_release: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["release", small_release, "--data", str(folder)]
    assert program.main([*command, "--plan"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "train runs/some",
        "train runs/every",
        "export runs/bundles/twin-1: some",
        "export runs/bundles/small-1: every",
    ]
    assert not Path("runs").exists()
    assert program.main(command) == 0
    twin, made = (bundle.verify(Path("runs/bundles") / name) for name in ("twin-1", "small-1"))
    assert made.card["temperature"] == twin.card["temperature"]
    (made.directory / bundle.CARD).unlink()
    assert program.main(command) == 1
    assert "bundle_" in capsys.readouterr().err
    made.directory.rename("aside")
    assert program.main(command) == 0
    assert bundle.verify(twin.directory).sha256 == twin.sha256
    assert all((Path("runs") / run / "history.csv").read_text().count("\n") == 2 for run in ("some", "every"))
    bundle.verify(made.directory)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('base = "some"\n[network]\nstart = "runs/every"\n', "need each other"),
        ('base = "some"\n[network]\nstart = "runs/nowhere"\n', "no recipe nowhere"),
    ],
)
def test_recipes_that_cannot_be_put_in_an_order_are_refused(text: str, why: str, small_release: str) -> None:
    (recipe.RECIPES / "every.toml").write_text(text)
    with pytest.raises(RecipeError, match=why):
        release.trainings(release.read(small_release))


def test_a_release_that_there_is_not_or_that_is_misspelt_is_refused(
    small_release: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["release", "outline-99"]) == 1
    assert "small" in capsys.readouterr().err
    (release.RELEASES / f"{small_release}.toml").write_text('[[bundle]]\nversions = "x"\nnetworks = []\n')
    with pytest.raises(RecipeError, match="versions"):
        release.read(small_release)
