"""Every engine gives what Keras gives, whatever the order, the batch and the heads of the network."""

import json
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ml import bench, bench_engine, bundle
from ml.engine import LARGEST_BATCH, LiteRt, told_apart
from ml.labels import CLASSES
from ml.predictor import Predictor
from tests.ml.seeing import head, image
from tests.ml.untrained import untrained


@pytest.fixture(scope="module")
def outlining(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that outlines much and calls it a tumour, whatever it is shown."""
    eager = {"tumour": 0.0, "margin": 0.0, "distance": 1.0, "foreignness": 1.0, "mask": 1e-6}
    return untrained(tmp_path_factory.mktemp("outlining"), "residual_unet", thresholds=eager)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("plain"), "residual")


@pytest.fixture(params=["outlining", "plain"])
def directory(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue(request.param)
    return folder


def pictures(count: int, size: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((count, size, size, 1), np.float32)


def test_the_heads_are_told_apart_and_equal_those_of_keras(directory: Path) -> None:
    model = bench_engine.rebuilt(directory)
    x = pictures(3, model.input_shape[1])
    expected = [output.numpy() for output in model(x, training=False)]
    found = LiteRt(directory / bundle.NETWORK).run(x)
    assert found.logits.shape == (3, len(CLASSES))
    assert found.logits == pytest.approx(expected[0], abs=1e-3)
    assert found.embeddings == pytest.approx(expected[1], abs=1e-3)
    if len(expected) == 2:
        assert found.masks is None
    else:
        assert found.masks is not None and found.masks.shape == expected[2].shape[:3]
        assert found.masks == pytest.approx(expected[2][..., 0], abs=1e-3)


def test_outputs_are_told_apart_in_any_order() -> None:
    logits, embeddings, masks = np.zeros((2, 4)), np.ones((2, 9)), np.ones((2, 8, 8, 1))
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        found = told_apart([[logits, embeddings, masks][i] for i in order])
        assert found.logits is logits and found.embeddings is embeddings
        assert found.masks is not None and found.masks.shape == (2, 8, 8)


def test_a_batch_of_any_length_gives_what_each_slice_gives_alone(directory: Path) -> None:
    engine = LiteRt(directory / bundle.NETWORK)
    x = pictures(2 * LARGEST_BATCH + 3, 32)
    together = engine.run(x)
    assert len(together.logits) == len(together.embeddings) == len(x)
    for index in (0, LARGEST_BATCH, len(x) - 1):
        alone = engine.run(x[index : index + 1])
        assert together.logits[index] == pytest.approx(alone.logits[0], abs=1e-4)
        if together.masks is not None and alone.masks is not None:
            assert together.masks[index] == pytest.approx(alone.masks[0], abs=1e-4)


def test_threads_that_ask_at_once_get_their_own_answers(directory: Path) -> None:
    engine = LiteRt(directory / bundle.NETWORK)
    x = pictures(6, 32)
    expected = [engine.run(x[: n + 1]).logits for n in range(6)]
    found: dict[int, NDArray[np.float32]] = {}

    def ask(n: int) -> None:
        for _ in range(5):
            found[n] = engine.run(x[: n + 1]).logits

    asking = [threading.Thread(target=ask, args=(n,)) for n in range(6)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert all(found[n] == pytest.approx(expected[n], abs=1e-4) for n in range(6))


def test_a_bundle_with_a_mask_head_gives_masks_in_the_pixels_of_the_slice(outlining: Path) -> None:
    predictor = Predictor.load(outlining)
    predictor.warm_up()
    answer = predictor.predict(image(head(), head()))
    assert answer.outcome != "notumor" and answer.finding is not None
    assert {mask.shape for mask in answer.masks.values()} == {(200, 160)}
    assert answer.slices[0].mask_area_px == answer.masks[0].sum()


def test_the_engines_are_measured_beside_each_other(
    outlining: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    engines = ("model.predict", "LiteRT float32", "LiteRT int8")
    figures = bench.bench(outlining, tmp_path, rounds=1, slices=3, engines=engines, threads=(1,))
    assert json.loads(json.dumps(figures)) == figures
    labels = [one["engine"] for one in figures["engines"]]
    assert labels == ["model.predict", "LiteRT float32 (shipped)", "LiteRT int8"]
    for one in figures["engines"]:
        assert min(one["milliseconds"].values()) > 0 and one["rss_mb"] > 20 and one["load_s"] > 0
        assert one["largest_difference"] < 0.05 and one["largest_mask_difference"] < 0.05
    assert set(figures["engines"][0]["times_reference"].values()) == {1.0}
    (whole,) = figures["predictor"]
    assert min(whole["image_ms"][stage] for stage in ("decode", "preprocess", "inference")) > 0
    assert set(whole["volumes"]) == {"26", "180"}
    shown = bench.as_markdown(figures)
    assert capfd.readouterr().out == ""  # of the table alone is standard output made
    assert "| LiteRT int8 | 1 |" in shown and "ONNX Runtime" in shown and "Research use only" in shown


def test_the_memory_of_an_engine_is_not_that_of_the_pictures_it_is_shown(plain: Path, tmp_path: Path) -> None:
    shown = pictures(4096, 32)
    np.save(tmp_path / "pictures.npy", shown)
    tracemalloc.start()
    answer = bench_engine.CONTENDERS["litert"](plain / bundle.NETWORK, 1, tmp_path / "pictures.npy")
    answer({"batch": 32, "calls": 1})
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < shown.nbytes / 10


def test_an_engine_that_cannot_start_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="LiteRT of nothing"):
        bench.Contender.start("LiteRT of nothing", "litert", 1, tmp_path / "absent", tmp_path / "absent")
