"""Both networks: shapes, the seed's own layers, sizes."""

import numpy as np
import pytest

from ml import networks, recipe
from ml.recipe import Network, RecipeError

TINY = {
    "seed_cnn": Network("seed_cnn", size=32, dropout=0.3, l1=1e-5),
    "residual": Network("residual", size=32, width=8, blocks=2, dropout=0.2),
}


@pytest.mark.parametrize("kind", TINY)
def test_slices_become_logits_and_an_embedding(kind: str) -> None:
    model = networks.build(TINY[kind])
    logits, embedding = model.predict_on_batch(np.zeros((3, 32, 32, 1), np.float32))
    assert logits.shape == (3, 4) and logits.dtype == np.float32
    assert embedding.shape[0] == 3 and embedding.shape[1] > 4


def test_the_same_seed_gives_the_same_weights() -> None:
    one, two = (networks.build(TINY["residual"], seed=5).get_weights() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_the_seed_network_has_the_layers_of_its_description() -> None:
    layers = networks.build(recipe.read("seed_cnn").network).layers
    convolutions = [layer for layer in layers if type(layer).__name__ == "Conv2D"]
    dense = [layer for layer in layers if type(layer).__name__ == "Dense"]
    dropout = [layer.rate for layer in layers if type(layer).__name__ == "Dropout"]
    assert [layer.filters for layer in convolutions] == [16, 16, 32, 32, 64, 64]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert [layer.units for layer in dense] == [128, 256, 4]
    assert dropout == [0.3, 0.3]
    assert all(type(layer.kernel_regularizer).__name__ == "L1" for layer in dense[:2])
    assert recipe.read("seed_cnn").training.patience == 10


def test_the_shipped_network_stays_small() -> None:
    assert networks.build(recipe.read("residual").network).count_params() < 4_000_000


def test_the_classifier_shares_the_weights_of_its_model() -> None:
    model = networks.build(TINY["residual"])
    part = networks.classifier(model)
    part.set_weights([weight + 1 for weight in part.get_weights()])
    x = np.ones((1, 32, 32, 1), np.float32)
    assert np.allclose(part.predict_on_batch(x), model.predict_on_batch(x)[0])


def test_every_recipe_in_the_folder_is_understood() -> None:
    names = sorted(path.stem for path in recipe.RECIPES.glob("*.toml"))
    assert {"seed_cnn", "seed_cnn_dev", "residual"} <= set(names)
    assert all(recipe.read(name).network.kind in networks.BUILDERS for name in names)


def test_an_unknown_recipe_names_those_there_are() -> None:
    with pytest.raises(RecipeError, match="residual"):
        recipe.read("resnet152")


def test_a_misspelt_key_is_refused() -> None:
    values = recipe.read("residual").as_dict()
    values["training"]["learningrate"] = 1
    with pytest.raises(RecipeError, match="learningrate"):
        recipe.parse("x", values)
