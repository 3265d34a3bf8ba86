"""From a network with masks to findings, over batches and volumes; the network is a rule (``seeing``)."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ml import findings
from ml.engine import LARGEST_BATCH, Outputs
from tests.ml.seeing import BrightIsTumour, head, image, seeing

SPOT = (60.0, 80.0, 14.0)


@pytest.fixture
def engine() -> BrightIsTumour:
    return BrightIsTumour()


def test_a_tumour_is_outlined_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    pixels = head(SPOT)
    answer = seeing(tmp_path, monkeypatch, engine).predict(
        image(pixels, spacing_mm=(0.5, 0.5), orientation=("R", "A"))
    )
    truth = findings.measure((pixels > 0.5) & (np.arange(200) < 150)[:, None], (0.5, 0.5))
    found = answer.finding
    assert answer.outcome == "glioma" and found is not None
    assert np.abs(np.array(found.box) - truth.box).max() <= 3
    assert found.centre == pytest.approx(truth.centre, abs=1)
    assert found.area_mm2 == pytest.approx(truth.area_mm2, rel=0.1)
    assert found.diameter_mm == pytest.approx(truth.diameter_mm, rel=0.1)
    assert (found.slice_index, found.side, found.components) == (0, "right", 1)
    assert list(answer.masks) == [0] and answer.masks[0].shape == pixels.shape
    assert answer.slices[0].mask_area_px == answer.masks[0].sum() == found.area_px


def test_the_answer_is_ready_for_json_and_holds_no_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    answer = json.loads(
        json.dumps(seeing(tmp_path, monkeypatch, engine).predict(image(head(SPOT))).as_dict())
    )
    assert "masks" not in answer and answer["slices"][0]["mask_area_px"] > 0
    assert set(answer["finding"]) == {
        *("slice_index", "box", "area_px", "area_mm2", "diameter_px", "diameter_mm"),
        *("centre", "side", "components"),
    }
    assert answer["finding"]["area_mm2"] is None and answer["finding"]["side"] is None


def test_a_mirrored_picture_gets_the_mirrored_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    predictor = seeing(tmp_path, monkeypatch, engine)
    plain = predictor.predict(image(head(SPOT))).finding
    mirrored = predictor.predict(image(head(SPOT)[:, ::-1])).finding
    assert plain is not None and mirrored is not None
    assert mirrored.centre[0] == pytest.approx(160 - plain.centre[0], abs=1)
    assert mirrored.centre[1] == pytest.approx(plain.centre[1], abs=1)


def test_nothing_is_outlined_where_no_tumour_is_called_or_the_model_outlines_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, (engine, spots, area) in enumerate(
        [
            (BrightIsTumour(blind=True), (SPOT,), True),
            (BrightIsTumour(), (), False),
            (BrightIsTumour(masks=False), (SPOT,), None),
        ]
    ):
        (tmp_path / str(number)).mkdir()
        answer = seeing(tmp_path / str(number), monkeypatch, engine).predict(image(head(*spots)))
        assert answer.finding is None and not answer.masks
        seen = answer.slices[0].mask_area_px
        assert (seen is None) if area is None else (seen is not None and bool(seen) == area)


@pytest.mark.parametrize("blind", [False, True])
def test_a_vague_outline_is_shown_with_a_tumour_and_does_not_count_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blind: bool
) -> None:
    class Vague(BrightIsTumour):
        def run(self, x: NDArray[np.float32]) -> Outputs:
            sure = super().run(x)
            assert sure.masks is not None
            return sure._replace(masks=0.5 * sure.masks)

    thresholds = {"tumour": 0.3, "margin": 0.1, "distance": 1.0, "foreignness": 1.0, "mask": 0.7}
    predictor = seeing(tmp_path, monkeypatch, Vague(blind=blind), thresholds=thresholds)
    found = predictor.predict(image(head(SPOT)))
    assert found.outcome == ("notumor" if blind else "glioma")
    assert bool(found.slices[0].mask_area_px) == bool(found.masks) == (not blind)


def test_an_outline_that_contradicts_the_class_makes_the_answer_uncertain_where_the_card_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thresholds = {"tumour": 0.3, "margin": 0.1, "distance": 1.0, "foreignness": 1.0}
    for area, outcome in ((None, "notumor"), (0.2, "notumor"), (0.01, "uncertain")):
        (tmp_path / str(area)).mkdir()
        card = thresholds if area is None else {**thresholds, "mask_area": area}
        predictor = seeing(tmp_path / str(area), monkeypatch, BrightIsTumour(blind=True), thresholds=card)
        answer = predictor.predict(image(head(), head(), head(SPOT), head()))
        assert answer.outcome == outcome and answer.label == "notumor"
        if outcome == "uncertain":
            assert (answer.reason, answer.slice_index) == ("mask_disagrees", 2)
            assert answer.finding is not None and answer.finding.slice_index == 2
            assert list(answer.masks) == [2] and "outlined" in (answer.reason_text or "")


def test_a_refused_slice_is_never_outlined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    familiar_with_nothing = {"tumour": 0.3, "margin": 0.1, "distance": -1.0, "foreignness": 1.0}
    predictor = seeing(tmp_path, monkeypatch, engine, thresholds=familiar_with_nothing)
    answer = predictor.predict(image(head(SPOT)))
    assert (answer.outcome, answer.reason) == ("refused", "not_brain_mri")
    assert answer.finding is None and not answer.masks


def test_nothing_is_outlined_of_a_scan_that_is_refused_for_most_of_its_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    predictor = seeing(tmp_path, monkeypatch, engine, aggregation={"refused_share": 0.5})
    blank = np.zeros((200, 160))
    answer = predictor.predict(image(head(SPOT), blank, blank))
    assert (answer.outcome, answer.reason) == ("refused", "image_blank")
    assert answer.slices[0].mask_area_px and answer.finding is None and not answer.masks


def test_a_volume_is_run_in_small_batches_and_tells_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    told: list[tuple[int, int]] = []
    count = 2 * LARGEST_BATCH + 3
    slices = [head(SPOT) if 2 <= i < 6 else head() for i in range(count)]
    answer = seeing(tmp_path, monkeypatch, engine).predict(image(*slices), lambda *pair: told.append(pair))
    assert engine.batches == [LARGEST_BATCH, LARGEST_BATCH, 3] and LARGEST_BATCH <= 16
    assert told == [(LARGEST_BATCH, count), (2 * LARGEST_BATCH, count), (count, count)]
    assert [one.index for one in answer.slices] == list(range(count))
    assert sorted(answer.masks) == [2, 3, 4, 5] and 2 <= answer.slice_index < 6


def test_the_finding_is_the_largest_outline_that_hangs_together_with_the_deciding_slice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    sizes = {3: 10.0, 4: 12.0, 5: 16.0, 6: 11.0, 10: 25.0}
    slices = [head((60, 80, sizes[i])) if i in sizes else head() for i in range(12)]
    answer = seeing(tmp_path, monkeypatch, engine).predict(image(*slices))
    assert answer.slice_index == 3 and answer.finding is not None
    assert answer.finding.slice_index == 5 and sorted(answer.masks) == sorted(sizes)


def test_where_the_deciding_slice_has_no_outline_the_finding_is_the_largest_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful(BrightIsTumour):
        def run(self, x: NDArray[np.float32]) -> Outputs:
            found = super().run(x)
            assert found.masks is not None
            found.masks[1] = 0
            return found

    slices = [head(), head(SPOT), head((60, 80, 12)), head((60, 80, 16))]
    answer = seeing(tmp_path, monkeypatch, Forgetful()).predict(image(*slices))
    assert answer.slice_index == 1 and sorted(answer.masks) == [2, 3]
    assert answer.finding is not None and answer.finding.slice_index == 3


def test_the_side_is_told_by_the_head_in_the_slice_that_is_outlined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    beside = np.zeros((200, 160), np.float32)
    beside[50:150, :80] = head(height=100, width=80)
    answer = seeing(tmp_path, monkeypatch, engine).predict(image(beside, head(SPOT), orientation=("R", "A")))
    assert answer.finding is not None and answer.finding.centre[0] > 45
    assert (answer.finding.slice_index, answer.finding.side) == (1, "right")


def test_of_parallel_slices_the_side_is_told_by_the_usual_head_where_one_shows_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    part = np.where(np.arange(160) < 70, head(SPOT), 0)
    scan = image(*[head()] * 5, part, *[head()] * 5, orientation=("R", "A"), slice_spacing_mm=5.0)
    finding = seeing(tmp_path, monkeypatch, engine).predict(scan).finding
    assert finding is not None and (finding.slice_index, finding.side) == (5, "right")


def test_the_card_chooses_how_slices_become_one_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    run = {"method": "run", "slices": 3, "tumour": 0.6}
    predictor = seeing(tmp_path, monkeypatch, engine, aggregation=run)
    alone = predictor.predict(image(*(head(SPOT) if i == 4 else head() for i in range(12))))
    together = predictor.predict(image(*(head(SPOT) if 3 <= i < 7 else head() for i in range(12))))
    assert (alone.outcome, alone.finding, alone.masks) == ("notumor", None, {})
    assert together.outcome == "glioma" and 3 <= together.slice_index < 7
    assert alone.slices[4].tumour_probability > 0.9


@pytest.mark.parametrize(("tumour", "outcome"), [(None, "glioma"), (0.7, "notumor")])
def test_a_scan_may_need_another_probability_of_a_tumour_than_a_slice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: BrightIsTumour,
    tumour: float | None,
    outcome: str,
) -> None:
    run = {"method": "run", "slices": 2, "tumour": tumour}
    predictor = seeing(tmp_path, monkeypatch, engine, aggregation=run)
    answer = predictor.predict(image(*(head(SPOT) if i == 4 else head() for i in range(12))))
    assert predictor.thresholds.tumour < 0.6 < answer.tumour_probability < 0.7
    assert answer.outcome == outcome


def test_of_a_few_slices_the_most_suspicious_one_decides_whatever_the_card_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    predictor = seeing(tmp_path, monkeypatch, engine, aggregation={"method": "run", "slices": 3})
    answer = predictor.predict(image(*(head(SPOT) if i == 4 else head() for i in range(6))))
    assert answer.outcome == "glioma" and answer.slice_index == 4


@pytest.mark.parametrize(
    ("spots", "outcome", "reason", "index"),
    [
        (range(0), "notumor", None, None),
        (range(4, 5), "uncertain", "few_slices", 4),
        (range(4, 9), "glioma", None, 4),
    ],
)
def test_thin_slices_name_a_tumour_together_and_are_not_called_healthy_where_one_alone_would(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: BrightIsTumour,
    spots: range,
    outcome: str,
    reason: str | None,
    index: int | None,
) -> None:
    thick = {"method": "run", "slices": 1, "thickness": 4}
    predictor = seeing(tmp_path, monkeypatch, engine, aggregation=thick)
    scan = image(*(head(SPOT) if i in spots else head() for i in range(60)))
    thin = predictor.predict(replace(scan, facts=replace(scan.facts, slice_spacing_mm=1.0)))
    assert (thin.outcome, thin.reason) == (outcome, reason)
    assert index is None or (thin.slice_index == index and index in thin.masks)
    assert (thin.tumour_probability > 0.9) == bool(spots)
    assert predictor.predict(scan).outcome == ("glioma" if spots else "notumor")


@pytest.mark.parametrize(
    ("spots", "answered"),
    [(range(4, 7), ("uncertain", "mask_disagrees")), (range(4, 6), ("notumor", None))],
)
def test_a_large_outline_in_as_many_thin_slices_as_decide_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: BrightIsTumour,
    spots: range,
    answered: tuple[str, str | None],
) -> None:
    predictor = seeing(tmp_path, monkeypatch, engine, aggregation={"method": "run", "thickness": 4})
    predictor.thresholds = replace(predictor.thresholds, tumour=1.0, mask_area=0.001)
    scan = image(*(head(SPOT) if i in spots else head() for i in range(60)))
    answer = predictor.predict(replace(scan, facts=replace(scan.facts, slice_spacing_mm=1.0)))
    assert (answer.outcome, answer.reason) == answered


def test_mirroring_averages_both_views_and_turns_the_second_mask_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    (tmp_path / "plain").mkdir()
    plain = seeing(tmp_path / "plain", monkeypatch, engine).predict(image(head(SPOT)))
    mirrored = seeing(tmp_path, monkeypatch, engine, tta="mirror").predict(image(head(SPOT)))
    assert mirrored.probabilities == pytest.approx(plain.probabilities)
    assert np.array_equal(mirrored.masks[0], plain.masks[0])
    assert engine.batches == [1, 1, 1]


@pytest.mark.parametrize("shape", [(40, 36), (300, 100), (1600, 1200)])
def test_any_shape_is_answered_with_masks_of_its_own_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour, shape: tuple[int, int]
) -> None:
    height, width = shape
    pixels = head((width / 2, height / 2, min(shape) / 6), height=height, width=width)
    answer = seeing(tmp_path, monkeypatch, engine).predict(image(pixels))
    assert answer.finding is not None and answer.masks[0].shape == shape
    assert answer.finding.area_px == pytest.approx(np.pi * (min(shape) / 6) ** 2, rel=0.25)


def test_slices_of_a_volume_without_brain_are_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    scalp = np.zeros((200, 160), np.float32)
    scalp[90:110, 70:90] = 1.0
    answer = seeing(tmp_path, monkeypatch, engine).predict(image(scalp, *[head() for _ in range(12)], scalp))
    assert [one.refusal for one in answer.slices] == ["no_brain", *[None] * 12, "no_brain"]
    assert answer.outcome == "notumor" and answer.slices[0].tumour_probability > 0.9


def test_a_volume_whose_brain_looks_strange_is_refused_for_its_brain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    scalp = np.zeros((200, 160), np.float32)
    scalp[90:110, 70:90] = 1.0
    familiar_with_nothing = {"tumour": 0.3, "margin": 0.1, "distance": -1.0, "foreignness": 1.0}
    predictor = seeing(tmp_path, monkeypatch, engine, thresholds=familiar_with_nothing)
    answer = predictor.predict(image(scalp, *[head() for _ in range(12)], scalp))
    assert (answer.outcome, answer.reason) == ("refused", "not_brain_mri")
    assert 1 <= answer.slice_index <= 12


def test_a_slice_that_is_not_judged_is_not_outlined_in_a_scan_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    scalp = np.zeros((200, 160), np.float32)
    scalp[90:110, 70:90] = 1.0
    slices = [head(SPOT) if i == 6 else head() for i in range(12)]
    answer = seeing(tmp_path, monkeypatch, engine).predict(image(scalp, *slices, scalp))
    assert answer.outcome == "glioma" and answer.slices[0].mask_area_px
    assert list(answer.masks) == [7]


def test_a_few_pictures_are_all_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    small = np.zeros((400, 320), np.float32)
    small[100:200, 100:180] = head(SPOT)[::2, ::2]
    answer = seeing(tmp_path, monkeypatch, engine).predict(image(head(), small, head()))
    assert [one.refusal for one in answer.slices] == [None] * 3 and answer.outcome == "glioma"


def test_a_volume_where_no_slice_can_be_judged_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: BrightIsTumour
) -> None:
    answer = seeing(tmp_path, monkeypatch, engine).predict(image(*[np.zeros((90, 80))] * 20))
    assert (answer.outcome, answer.reason, answer.finding) == ("refused", "image_blank", None)
