"""Close-ups: where they lie, what they show, and that an outline from near comes back to its place."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml import close_ups, findings, outlines, preprocess
from ml.close_ups import Frame
from ml.engine import LARGEST_BATCH, Outputs
from ml.findings import Mask
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
    assert close_ups.around(area(0, 0, 0, 0), 100) is None


def test_a_speck_is_shown_with_a_part_of_the_head_large_enough_to_know_it_by() -> None:
    assert close_ups.around(area(40, 30, 42, 32), 100) == Frame(41, 31, 100 * close_ups.SMALLEST)


def test_what_of_a_frame_lies_beyond_the_head_is_background() -> None:
    assert close_ups.geometry(Frame(70, 60, 40), WHOLE) == Geometry((50, 40, 90, 80), (0, 0), 40, 64)
    assert close_ups.geometry(Frame(30, 100, 40), WHOLE) == Geometry((20, 80, 50, 110), (10, 0), 40, 64)


@pytest.mark.parametrize("spot", [(60.0, 80.0, 14.0), (30.0, 60.0, 9.0)])
def test_what_is_seen_from_near_comes_back_to_its_place(spot: tuple[float, float, float]) -> None:
    pixels = head(spot)
    _, whole = preprocess.prepare_with_geometry(pixels, 96)
    truth = pixels > 0.9
    truth[150:] = False
    frame = close_ups.around(truth, whole.side)
    assert frame is not None
    part = close_ups.geometry(frame, whole)
    near = preprocess.prepare_part(pixels, whole, part)[..., 0]
    back = findings.to_source(near, part, (200, 160), 0.75)
    assert outlines.dice(truth, back) > 0.95
    assert part.scale > whole.scale


def test_a_close_up_has_the_greys_of_its_head_and_the_whole_head_is_itself() -> None:
    pixels = head(SPOT)
    x, whole = preprocess.prepare_with_geometry(pixels, 96)
    assert np.array_equal(preprocess.prepare_part(pixels, whole, whole), x)
    quiet = preprocess.prepare_part(pixels, whole, close_ups.geometry(Frame(90, 100, 30), whole))
    assert quiet.max() < 0.6


class Blurred(BrightIsTumour):
    """A network of little resolution: what it outlines is a few points of an eighth of its square's side."""

    def run(self, x: NDArray[np.float32]) -> Outputs:
        fine = super().run(x)
        assert fine.masks is not None
        blocks = fine.masks.reshape(len(x), 8, 6, 8, 6).max(axis=(2, 4))
        return fine._replace(masks=np.repeat(np.repeat(blocks, 6, axis=1), 6, axis=2))


def answer(folder: Path, patch: pytest.MonkeyPatch, engine: BrightIsTumour, *spots: Any, **card: Any) -> Any:
    folder.mkdir()
    return seeing(folder, patch, engine, **card).predict(image(head(*spots)))


def test_an_outline_is_finer_from_near_and_the_answer_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = (head(SPOT) > 0.9) & (np.arange(200) < 150)[:, None]
    far = answer(tmp_path / "far", monkeypatch, Blurred(), SPOT)
    near = answer(tmp_path / "near", monkeypatch, Blurred(), SPOT, close_ups=True)
    dice = [outlines.dice(truth, found.masks[0]) for found in (far, near)]
    assert dice[0] < 0.6 and dice[1] > dice[0] + 0.1
    assert near.probabilities == far.probabilities and near.outcome == far.outcome == "glioma"
    assert near.slices[0].mask_area_px == near.finding.area_px == near.masks[0].sum()


def test_a_network_that_knows_no_close_ups_is_asked_once_and_one_that_does_only_of_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, (spots, blind, knows, asked) in enumerate(
        [
            ((SPOT,), False, False, 1),
            ((SPOT,), False, True, 2),
            ((), False, True, 1),
            ((SPOT,), True, True, 1),
        ]
    ):
        engine = BrightIsTumour(blind=blind)
        answer(tmp_path / str(number), monkeypatch, engine, *spots, close_ups=knows)
        assert engine.batches == [1] * asked


def test_an_outline_stays_where_nothing_is_to_be_seen_from_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NearBlind(BrightIsTumour):
        def run(self, x: NDArray[np.float32]) -> Outputs:
            found = super().run(x)
            assert found.masks is not None
            return found if len(self.batches) == 1 else found._replace(masks=0 * found.masks)

    far = answer(tmp_path / "far", monkeypatch, BrightIsTumour(), SPOT)
    near = answer(tmp_path / "near", monkeypatch, NearBlind(), SPOT, close_ups=True)
    assert near.masks[0].any() and np.array_equal(near.masks[0], far.masks[0])


def test_the_slices_of_a_scan_are_looked_at_from_near_in_small_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, count = BrightIsTumour(), LARGEST_BATCH + 2
    slices = [head((60.0, 80.0, 9.0 + i)) for i in range(count)]
    found = seeing(tmp_path, monkeypatch, engine, close_ups=True).predict(image(head(), *slices, head()))
    assert engine.batches == [LARGEST_BATCH, LARGEST_BATCH, LARGEST_BATCH, 2]
    areas = [found.slices[i + 1].mask_area_px for i in range(count)]
    assert sorted(found.masks) == list(range(1, count + 1)) and areas == sorted(area or 0 for area in areas)
    assert all(found.masks[i].sum() == found.slices[i].mask_area_px for i in found.masks)
