"""A picture that lies otherwise is answered, and outlined, as the same picture upright."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ml import bundle, datasets, export, images, train, upright, upright_training
from ml.engine import Outputs
from ml.errors import BundleError
from ml.predictor import Predictor
from tests.ml import tiny
from tests.ml.seeing import BrightBelow, BrightIsTumour, head, image, seeing

ORIENTATIONS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "as it is": lambda x: x,
    "a quarter": lambda x: np.rot90(x, 1),
    "a half": lambda x: np.rot90(x, 2),
    "three quarters": lambda x: np.rot90(x, 3),
}
SPOT = (50, 60, 8)


def scores(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return BrightBelow().tensors(x)[0][:, 0]


def picture(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(size=(1, upright.SIDE, upright.SIDE, 1)).astype(np.float32)


@pytest.mark.parametrize("change", ORIENTATIONS)
def test_every_turn_of_a_picture_is_laid_in_the_same_way_and_so_is_its_mirror_image(change: str) -> None:
    for seed in range(5):
        x = picture(seed)
        other = np.stack([ORIENTATIONS[change](x[0])])
        expected, found, mirrored = (
            upright.laid(one, upright.turns(scores, one)) for one in (x, other, other[:, :, ::-1])
        )
        assert np.array_equal(expected, found)
        assert np.array_equal(expected, mirrored[:, :, ::-1])


def test_the_slices_of_a_scan_lie_in_one_way_whatever_a_single_one_seems_to() -> None:
    rows = np.linspace(0, 1, upright.SIDE, dtype=np.float32)[None, :, None, None]
    below = np.broadcast_to(rows, (1, upright.SIDE, upright.SIDE, 1))
    scan = np.concatenate([below, below, 0.5 * below[:, ::-1]])
    assert upright.turns(scores, scan) == 0
    assert upright.turns(scores, scan[2:]) == 2


def test_pictures_of_different_scans_are_laid_one_by_one_and_their_masks_turned_back() -> None:
    x = np.concatenate([np.kron(picture(seed), np.ones((1, 2, 2, 1), np.float32)) for seed in range(3)])
    x = np.concatenate([x, np.rot90(x, 1, axes=(1, 2))])

    def brightest(laid: NDArray[np.float32]) -> Outputs:
        return Outputs(laid[:, :2, :2, 0].reshape(len(laid), 4), laid[:, 0, :, 0], laid[..., 0])

    found = upright.laid_each(scores, brightest, x)
    assert np.array_equal(found.logits[:3], found.logits[3:])
    assert found.masks is not None and np.array_equal(found.masks, x[..., 0])


@pytest.mark.parametrize("change", ORIENTATIONS)
def test_a_picture_is_answered_the_same_however_it_lies_and_its_outline_lies_as_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    predictor = seeing(tmp_path, monkeypatch, BrightIsTumour(), upright=BrightBelow())
    plain = predictor.predict(image(head(SPOT)))
    turned = predictor.predict(image(ORIENTATIONS[change](head(SPOT))))
    assert plain.outcome == turned.outcome == "glioma"
    assert turned.probabilities == plain.probabilities
    expected = ORIENTATIONS[change](plain.masks[0])
    assert np.sum(turned.masks[0] != expected) <= 0.1 * np.sum(expected)


def test_a_picture_upside_down_is_read_upright_only_where_the_bundle_can_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, beside, expected in (("with", BrightBelow(), "notumor"), ("without", None, "glioma")):
        (tmp_path / name).mkdir()
        predictor = seeing(tmp_path / name, monkeypatch, BrightIsTumour(), upright=beside)
        assert predictor.predict(image(head()[::-1])).outcome == expected


def test_a_bundle_may_lay_pictures_upright_and_its_twin_must(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upright_training, "EPOCHS", 1)
    monkeypatch.setattr(upright_training, "PICTURES", 128)
    recipe = replace(tiny.recipe("residual_unet", epochs=1), upright=True)
    for name, fold in (("held", 0), ("whole", -1)):
        train.train(replace(recipe, data=replace(recipe.data, fold=fold)), folder, tmp_path / name)
    twin = export.export([tmp_path / "held"], "twin-1", folder, tmp_path)
    known = Predictor.load(export.export([tmp_path / "whole"], "tiny-1", folder, tmp_path, twin))
    known.warm_up()
    assert known.card["upright"] == bundle.verify(twin).card["upright"]
    assert known.card["upright"]["parameters"] <= 100_000 and 0 <= known.card["upright"]["right"] <= 1
    answers = [known.predict(image(np.rot90(head(), turns))) for turns in range(4)]
    assert len({answer.tumour_probability for answer in answers}) == 1
    with pytest.raises(BundleError, match="other networks"):
        card = json.loads((twin / bundle.CARD).read_text())
        card["recipe"]["upright"] = False
        (twin / bundle.CARD).write_text(json.dumps(card))
        bundle.seal(twin)
        export.export([tmp_path / "whole"], "tiny-2", folder, tmp_path, twin)


def test_what_lies_upright_is_learnt_from_pictures_that_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upright_training, "EPOCHS", 3)
    monkeypatch.setattr(upright_training, "PICTURES", 512)
    y, x = np.mgrid[-1 : 1 : upright.SIDE * 1j, -1 : 1 : upright.SIDE * 1j]
    tapered = (np.hypot(x / (0.5 + 0.3 * y), y / 0.9) < 1).astype(np.float32)
    pictures = np.stack([np.uint8(255 * tapered * level) for level in np.linspace(0.4, 1, 40)])
    rows = datasets.table(folder, "slices")[:1] * len(pictures)
    model = upright_training.learnt(pictures, rows, seed=5)
    assert upright_training.right(lambda x: np.asarray(model(x))[:, 0], pictures) == 1
    assert upright_training.right(lambda x: np.asarray(model(x))[:, 0], pictures[:, ::-1]) == 0


@pytest.mark.data
def test_quarter_turns_change_no_answer_to_real_slices(data: Path) -> None:
    predictor = Predictor.load(bundle.default())
    rows = datasets.holdout(datasets.records(data, ("slices", "lgg")))[::60]
    for row in rows:
        pixels = images.read(data / row.path).slices[0]
        answers = [predictor.predict(image(change(pixels))) for change in ORIENTATIONS.values()]
        spread = np.ptp([answer.tumour_probability for answer in answers])
        assert spread < 0.2
