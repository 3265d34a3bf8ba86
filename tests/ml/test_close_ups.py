"""Close-ups: where they lie, what they show, and that an outline from near comes back to its place."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml import bundle, close_ups, findings, outlines, preprocess, reference
from ml.close_ups import Frame
from ml.engine import Outputs
from ml.errors import BundleError
from ml.findings import Mask
from ml.predictor import Prediction
from ml.preprocess import Geometry
from tests.ml.seeing import BrightIsTumour, head, image, seeing

WHOLE = Geometry((20, 10, 120, 110), (0, 0), 100, 64)
SPOT = (60.0, 80.0, 7.0)


def area(left: int, top: int, right: int, bottom: int) -> Mask:
    mask = np.zeros((120, 140), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def test_a_frame_lies_around_all_that_is_outlined_and_has_room_beside_it() -> None:
    assert close_ups.around(area(40, 30, 70, 50), 100) == Frame(55, 40, 60)
    assert close_ups.around(area(40, 30, 50, 40) | area(80, 60, 90, 70), 100) == Frame(65, 50, 100)
    with pytest.raises(ValueError, match="nothing to be seen"):
        close_ups.around(area(0, 0, 0, 0), 100)


def test_a_speck_is_shown_with_a_part_of_the_head_large_enough_to_know_it_by() -> None:
    assert close_ups.around(area(40, 30, 42, 32), 100) == Frame(41, 31, 100 * close_ups.SMALLEST)


def test_what_of_a_frame_lies_beyond_the_head_is_background() -> None:
    assert close_ups.geometry(Frame(70, 60, 40), WHOLE, 64) == Geometry((50, 40, 90, 80), (0, 0), 40, 64)
    assert close_ups.geometry(Frame(30, 100, 40), WHOLE, 64) == Geometry((20, 80, 50, 110), (10, 0), 40, 64)
    assert close_ups.geometry(Frame(115, 99, 40), WHOLE, 64) == Geometry((95, 79, 120, 110), (0, 0), 40, 64)
    assert close_ups.geometry(Frame(70, 20, 40), WHOLE, 64) == Geometry((50, 10, 90, 40), (0, 10), 40, 64)


@pytest.mark.parametrize("spot", [(60.0, 80.0, 14.0), (30.0, 60.0, 9.0)])
def test_what_is_seen_from_near_comes_back_to_its_place(spot: tuple[float, float, float]) -> None:
    pixels = head(spot)
    _, whole = preprocess.prepare_with_geometry(pixels, 96)
    truth = pixels > 0.9
    truth[150:] = False
    part = close_ups.geometry(close_ups.around(truth, whole.side), whole, 96)
    near = preprocess.prepare_part(pixels, whole, part)[..., 0]
    back = findings.to_source(near, part, (200, 160), 0.75)
    assert outlines.dice(truth, back) > 0.95
    assert part.scale > whole.scale


def test_a_close_up_has_the_greys_of_its_head_and_the_whole_head_is_itself() -> None:
    pixels = head(SPOT)
    x, whole = preprocess.prepare_with_geometry(pixels, 96)
    assert np.array_equal(preprocess.prepare_part(pixels, whole, whole), x)
    quiet = preprocess.prepare_part(pixels, whole, close_ups.geometry(Frame(90, 100, 30), whole, 96))
    assert quiet.max() < 0.6


def test_what_is_known_from_afar_lies_in_its_place_beside_what_is_seen_from_near() -> None:
    far = np.zeros((50, 50), np.float32)
    far[20:30, 15:25] = 0.9
    part = close_ups.geometry(Frame(60, 60, 40), WHOLE, 64)
    found = close_ups.merged(np.zeros((32, 32), np.float32), far, WHOLE, part)
    truth = np.zeros((32, 32), np.bool_)
    truth[8:24, 8:24] = True
    assert found.shape == (32, 32) and found.max() == pytest.approx(0.9 * (1 - close_ups.WEIGHT))
    assert outlines.dice(truth, found > 0.15) > 0.9
    beyond = close_ups.merged(found, far, WHOLE, close_ups.geometry(Frame(22, 12, 40), WHOLE, 64))
    assert np.allclose(beyond[:16, :16], close_ups.WEIGHT * found[:16, :16])


def test_what_is_known_from_afar_lies_in_its_place_in_a_frame_that_reaches_beyond_the_head() -> None:
    far = np.zeros((50, 50), np.float32)
    far[5:10, 5:10] = 0.9
    part = close_ups.geometry(Frame(30, 20, 40), WHOLE, 64)
    assert part.pad == (10, 10)
    found = close_ups.merged(np.zeros((32, 32), np.float32), far, WHOLE, part)
    truth = np.zeros((32, 32), np.bool_)
    truth[16:24, 16:24] = True
    assert outlines.dice(truth, found > 0.15) > 0.9


class Blurred(BrightIsTumour):
    """A network of little resolution: what it outlines is a few points of an eighth of its square's side."""

    def run(self, x: NDArray[np.float32]) -> Outputs:
        fine = super().run(x)
        assert fine.masks is not None
        blocks = fine.masks.reshape(len(x), 8, 6, 8, 6).max(axis=(2, 4))
        return fine._replace(masks=np.repeat(np.repeat(blocks, 6, axis=1), 6, axis=2))


class Unsure(BrightIsTumour):
    """Gives the same outline with a lower probability; none with a ``certainty`` of 0."""

    def __init__(self, certainty: float) -> None:
        super().__init__()
        self.certainty = np.float32(certainty)

    def run(self, x: NDArray[np.float32]) -> Outputs:
        found = super().run(x)
        assert found.masks is not None
        return found._replace(masks=self.certainty * found.masks)


def answer(
    folder: Path,
    patch: pytest.MonkeyPatch,
    engine: BrightIsTumour,
    near: BrightIsTumour | None,
    *slices: NDArray[np.float32],
) -> Prediction:
    folder.mkdir()
    return seeing(folder, patch, engine, near).predict(image(*slices))


def test_an_outline_is_finer_from_near_and_the_answer_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = (head(SPOT) > 0.9) & (np.arange(200) < 150)[:, None]
    far = answer(tmp_path / "far", monkeypatch, Blurred(), None, head(SPOT))
    near = answer(tmp_path / "near", monkeypatch, Blurred(), Blurred(), head(SPOT))
    dice = [outlines.dice(truth, found.masks[0]) for found in (far, near)]
    assert dice[0] < 0.6 and dice[1] > dice[0] + 0.1
    assert near.probabilities == far.probabilities and near.outcome == far.outcome == "glioma"
    assert near.finding is not None
    assert near.slices[0].mask_area_px == near.finding.area_px == near.masks[0].sum()


@pytest.mark.parametrize(
    "slices, blind, looked",
    [([SPOT], False, 1), ([()], False, 0), ([SPOT], True, 0), ([SPOT, SPOT], False, 2)],
)
def test_only_what_is_shown_is_looked_at_from_near(
    slices: list[Any], blind: bool, looked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far, near = BrightIsTumour(blind=blind), BrightIsTumour()
    pictures = [head(spot) if spot else head() for spot in slices]
    answer(tmp_path / "one", monkeypatch, far, near, head(), *pictures)
    assert far.batches == [1 + len(slices)] and near.batches == [1] * looked


def test_an_outline_stays_where_nothing_is_to_be_seen_from_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = answer(tmp_path / "far", monkeypatch, Unsure(0.5), None, head(SPOT))
    near = answer(tmp_path / "near", monkeypatch, Unsure(0.5), Unsure(0), head(SPOT))
    assert near.masks[0].any() and np.array_equal(near.masks[0], far.masks[0])


def test_a_bundle_whose_network_of_close_ups_is_not_there_is_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeing(tmp_path, monkeypatch, BrightIsTumour(), BrightIsTumour())
    (tmp_path / "seeing-1" / bundle.CLOSE_UP).unlink()
    bundle.seal(tmp_path / "seeing-1")
    with pytest.raises(BundleError, match=bundle.CLOSE_UP) as caught:
        bundle.verify(tmp_path / "seeing-1")
    assert caught.value.code == "bundle_incomplete"


def test_a_network_of_close_ups_that_outlines_nothing_at_all_is_found_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_masks = BrightIsTumour(masks=False)
    predictor = seeing(tmp_path, monkeypatch, BrightIsTumour(), no_masks)
    shown = {"side": 64, "phase": 0.3}
    found = reference.answer(BrightIsTumour().run(reference.prepared(shown, 96)), 1.0)
    (predictor.directory / bundle.GOLDEN).write_text(json.dumps({"input": shown, "tolerance": 0.01, **found}))
    with pytest.raises(BundleError, match="outlines nothing"):
        predictor.warm_up()
