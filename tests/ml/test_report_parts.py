"""Votes of patients, changes of the picture, LGG by size, and the table of aims."""

from dataclasses import replace

import numpy as np
import pytest

from ml import low_grade, patients, robustness, tables, targets
from ml.evaluate import Answers
from ml.image_types import Facts, Image
from ml.labels import CLASSES
from tests.ml.pictures import brain


def found(
    targets: list[int],
    chances: list[list[float]],
    groups: list[str],
    sources: list[str] | None = None,
) -> Answers:
    probabilities = np.array(chances, float)
    return Answers(
        np.array(targets),
        probabilities,
        tuple(CLASSES[int(p.argmax())] for p in probabilities),
        tuple(groups),
        tuple(sources or ["figshare"] * len(targets)),
    )


GLIOMA, MENINGIOMA, HEALTHY = [0.9, 0.1, 0, 0], [0.2, 0.8, 0, 0], [0.1, 0, 0.9, 0]


def test_a_patient_is_the_mean_of_the_slices() -> None:
    votes = patients.vote(found([0, 0, 0, 1], [GLIOMA, GLIOMA, MENINGIOMA, GLIOMA], ["P:1"] * 3 + ["P:2"]))
    assert votes.groups == ("P:1", "P:2") and votes.outcomes == ("glioma", "glioma")
    assert votes.probabilities[0] == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert patients.figures(votes)["right"] == 1 and patients.figures(votes)["accuracy"]["value"] == 0.5


def test_healthy_slices_of_a_tumour_patient_do_not_vote() -> None:
    votes = patients.vote(found([0, 2, 2], [GLIOMA, HEALTHY, HEALTHY], ["TCGA"] * 3, ["lgg_flair"] * 3))
    assert votes.targets.tolist() == [0] and votes.probabilities[0].tolist() == GLIOMA


def test_a_patient_without_a_tumour_votes_with_all_slices() -> None:
    votes = patients.vote(found([2, 2], [HEALTHY, GLIOMA], ["sub-01"] * 2, ["healthy"] * 2))
    assert votes.targets.tolist() == [2] and votes.probabilities[0] == pytest.approx([0.5, 0.05, 0.45, 0])


def test_a_patient_with_two_kinds_of_tumour_is_left_out() -> None:
    votes = patients.vote(found([0, 1, 1], [GLIOMA, MENINGIOMA, GLIOMA], ["P:1", "P:1", "P:2"]))
    assert votes.groups == ("P:2",)


def test_a_healthy_patient_votes_beside_one_who_has_a_tumour_and_is_no_missed_tumour() -> None:
    one = found(
        [0, 2, 2], [HEALTHY, HEALTHY, HEALTHY], ["TCGA", "sub", "sub"], ["lgg_flair", *["healthy"] * 2]
    )
    votes = patients.vote(one)
    assert votes.groups == ("TCGA", "sub")
    seen = patients.figures(votes)
    assert (seen["patients"], seen["right"], seen["tumours_called_notumor"]) == (2, 1, 1)


def test_pictures_of_unknown_people_have_no_vote() -> None:
    one = found(
        [2, 0, 0, 2],
        [HEALTHY] * 4,
        ["N:3", "P:1", "TCGA", "sub"],
        ["br35h", "figshare", "lgg_t1gd", "healthy"],
    )
    assert patients.known(one).tolist() == [False, True, True, True]


def image(pixels: np.ndarray) -> Image:
    height, width = pixels.shape
    return Image((pixels.astype(np.float32),), Facts("png", width, height, 1, 8, "L"))


def test_a_turned_picture_keeps_its_frame() -> None:
    corner = np.zeros((8, 8))
    corner[0, 7] = 1
    quarter = robustness.turned(90)(image(corner)).slices[0]
    assert quarter.shape == (8, 8) and quarter[0, 0] == 1 and quarter.sum() == 1
    assert robustness.turned(0)(image(corner)).slices[0].tolist() == corner.tolist()
    full = robustness.turned(30)(image(np.ones((60, 60)))).slices[0]
    assert full.shape == (60, 60) and full[0, 0] == 0 and full[30, 30] == 1


def test_variants_are_what_they_are_called() -> None:
    pixels = np.array([[0.0, 0.2, 0.5], [0.9, 1.0, 0.4]])
    variants = {name: vary(image(pixels)).slices[0] for name, vary in robustness.VARIANTS.items()}
    assert variants["turned_90"].tolist() == np.rot90(pixels.astype(np.float32)).tolist()
    assert variants["mirrored"][0].tolist() == pytest.approx([0.5, 0.2, 0.0])
    assert variants["darker"].max() == pytest.approx(0.7) and variants["brighter"].max() == 1
    assert all(one.flags["C_CONTIGUOUS"] and one.dtype == np.float32 for one in variants.values())


RESHAPED = {"on a page", "in a viewer", "framed", "far away", "squeezed"}
SHEET = "on a film"


def test_hard_pictures_keep_their_range_and_mostly_their_frame_and_are_the_same_each_time() -> None:
    pixels = brain(height=120, width=90).astype(np.float32)
    for name, vary in robustness.HARD.items():
        if name == SHEET:
            continue
        one, other = (vary(image(pixels)).slices[0] for _ in range(2))
        assert one.min() >= 0 and one.max() <= 1 and one.dtype == np.float32, name
        assert np.array_equal(one, other), name
        assert (one.shape != pixels.shape) == (name in RESHAPED), name
        changed = 1.0 if name in RESHAPED else float(np.abs(one - pixels).max())
        assert changed == 0 if name == robustness.PLAIN else changed > 0.05, name


def test_a_picture_on_a_film_is_judged_as_often_as_it_is_there() -> None:
    pixels = brain(height=120, width=90).astype(np.float32)
    shown = robustness.HARD[SHEET](image(pixels))
    assert len(shown.slices) == 4 and shown.facts.sheet
    assert all(one.shape == pixels.shape and np.array_equal(one, pixels) for one in shown.slices)


def test_hard_pictures_are_judged_one_way_at_a_time_and_their_mean_leaves_the_plain_one_out() -> None:
    right, wrong = (found([0, 1], [GLIOMA, row], ["a", "b"]) for row in (MENINGIOMA, HEALTHY))
    plain = robustness.HARD[robustness.PLAIN]
    rows = {row[0]: row[1:] for row in robustness.hard(lambda vary: right if vary is plain else wrong).rows}
    assert rows[robustness.PLAIN][0].startswith("1.000") and rows[robustness.PLAIN][1] == "0"
    assert rows["marked"][0].startswith(".500") and rows["marked"][1] == "1"
    assert rows["mean of the changed"][:2] == (".500", "1.0")


def test_only_slices_that_keep_their_class_count_as_unchanged() -> None:
    plain = found([0, 0], [GLIOMA, GLIOMA], ["a", "b"])
    turned = replace(plain, probabilities=np.array([GLIOMA, HEALTHY]))
    seen = robustness.unchanged(plain, {"mirrored": plain, "turned_90": turned})
    assert seen["same_class"]["value"] == 0.75 and seen["same_class"]["n"] == 4
    assert seen["variants"]["turned_90"]["value"] == 0.5 and seen["tumours_lost"] == 1


def test_lgg_figures_are_by_sequence_and_size() -> None:
    sources = ["lgg_t1gd"] * 4 + ["lgg_flair"] * 2
    one = found(
        [0, 0, 2, 2, 0, 2], [GLIOMA, HEALTHY, HEALTHY, GLIOMA, GLIOMA, HEALTHY], list("aabbcc"), sources
    )
    seen = low_grade.figures(one, np.array([300, 10, 0, 0, 900, 0]))
    t1gd = seen["sequences"]["t1gd"]
    assert t1gd["healthy_called_notumor"]["value"] == t1gd["tumours_called_tumour"]["value"] == 0.5
    assert t1gd["tumours_answered_notumor"]["value"] == 0.5
    assert seen["sequences"]["flair"]["tumours_called_tumour"]["value"] == 1
    sizes = {name: (s["pixels"], s["tumours_called_tumour"]["value"]) for name, s in seen["sizes"].items()}
    assert sizes == {"small": ([10, 10], 0), "middle": ([300, 300], 1), "large": ([900, 900], 1)}


def test_a_tumour_given_another_kind_is_called_a_tumour_and_an_uncertain_one_is_not_answered_as_none() -> (
    None
):
    one = replace(
        found(
            [0, 0, 0, 2, 2], [MENINGIOMA, GLIOMA, HEALTHY, HEALTHY, HEALTHY], list("abcde"), ["lgg_t1gd"] * 5
        ),
        outcomes=("meningioma", "glioma", "uncertain", "notumor", "uncertain"),
    )
    seen = low_grade.figures(one, np.array([20, 10, 10, 0, 0]))
    t1gd = seen["sequences"]["t1gd"]
    assert t1gd["tumours_called_tumour"]["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert t1gd["tumours_answered_notumor"]["value"] == 0
    assert (t1gd["healthy_called_notumor"]["value"], t1gd["healthy_answered_notumor"]["value"]) == (1, 0.5)
    sizes = {name: (one["pixels"], one["tumours_called_tumour"]["n"]) for name, one in seen["sizes"].items()}
    assert sizes == {"small": ([10, 10], 2), "large": ([20, 20], 1)}
    assert seen["sizes"]["large"]["tumours_called_tumour"]["value"] == 1


def test_an_aim_is_met_on_its_side_and_only_where_there_is_one() -> None:
    least, most = targets.Target("a", "a", (), 0.9), targets.Target("b", "b", (), 0.01, at_most=True)
    assert least.met(0.9) and not least.met(0.899) and most.met(0.01) and not most.met(0.02)
    assert targets.Target("c", "c", ()).met(0.5) is None and least.met(None) is None


def test_targets_that_a_bundle_does_not_measure_are_left_out() -> None:
    figure = {"value": 0.97, "interval": [0.95, 0.99], "n": 610}
    seen = targets.figures({"holdout": {"tumour_accuracy": figure}}, "the command")
    assert list(seen) == ["tumour_accuracy"]
    assert seen["tumour_accuracy"] | figure == seen["tumour_accuracy"]
    assert seen["tumour_accuracy"]["met"] and seen["tumour_accuracy"]["command"] == "the command"


def test_names_of_targets_are_different() -> None:
    assert len({target.name for target in targets.TARGETS}) == len(targets.TARGETS)


def test_a_figure_is_shown_with_its_interval_and_a_missing_one_with_a_dash() -> None:
    assert tables.shown({"value": 0.5, "interval": [0.25, 1.0], "n": 4}) == ".500 [.250, 1.000]"
    assert tables.shown({"value": None, "interval": [None, None], "n": 0}) == "-"
    assert tables.shown(7) == "7" and tables.shown(-0.25) == "-.250"


def test_only_what_is_nothing_or_all_is_shown_as_such() -> None:
    assert [tables.short(value) for value in (0.0, 1.0, 0.9994)] == [".000", "1.000", ".999"]
    assert [tables.short(value) for value in (0.0004, -0.0004, 0.9997)] == [".0004", "-.0004", ".9997"]


def test_runs_are_compared_in_one_table() -> None:
    figure = {"value": 0.5, "interval": [0.25, 1.0], "n": 4}
    table = tables.of_runs({"plain": {"accuracy": figure}, "other": {}}, ("accuracy", "dice_mean"))
    assert table.as_markdown().splitlines()[2:] == [
        "| run | accuracy, 4 classes | dice mean |",
        "| --- | --- | --- |",
        "| plain | .500 [.250, 1.000] | - |",
        "| other | - | - |",
    ]
