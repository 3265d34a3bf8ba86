"""Whole heads in thin slices: cut as they were scanned, tumours planted in the head and as large as asked."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml import __main__ as program
from ml import bundle, datasets, heads, planted, whole_heads
from ml.datasets import DataError
from ml.heads import HEADS, Head
from ml.image_types import Image
from ml.planted import SIDE, Donor
from ml.predictor import Predictor
from tests.ml.pictures import brain
from tests.ml.volumes import head

SIZES = np.array([2.0, 1.0, 1.0])
DISC = np.hypot(*(np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 10)) < 15


def scan(axis: int = 2) -> Image:
    """A generated head with voxels of 2 x 1 x 1 mm across one axis."""
    return whole_heads.image(np.asarray(head(60, 120, 120), np.float32), SIZES, axis)


def donor() -> Donor:
    """A white tumour of thirty points in a grey head, a little off its middle."""
    picture = np.where(DISC, 1.0, brain(height=SIDE, width=SIDE, tumour=False))
    return Donor(picture.astype(np.float32), DISC.astype(np.float32), "meningioma")


def test_every_voxel_across_an_axis_is_a_slice_in_pixels_of_a_millimetre() -> None:
    for axis, (count, shape) in enumerate([(60, (120, 120)), (120, (120, 120)), (120, (120, 120))]):
        found = scan(axis)
        assert len(found.slices) == count and found.slices[0].shape == shape
        assert found.facts.slice_spacing_mm == SIZES[axis] and found.facts.spacing_mm == (1.0, 1.0)
        assert min(one.min() for one in found.slices) >= 0 and max(one.max() for one in found.slices) <= 1


@pytest.mark.parametrize(("axis", "diameter"), [(0, 20.0), (2, 12.0), (2, 24.0)])
def test_a_planted_tumour_is_as_wide_and_as_thick_as_asked_and_the_rest_stays(
    axis: int, diameter: float
) -> None:
    healthy, spacing = scan(axis), SIZES[axis]
    found = planted.plant(healthy, [donor()], diameter, np.random.default_rng(0))
    assert found is not None and found.label == "meningioma"
    assert (found.last - found.first + 1) * spacing == pytest.approx(diameter, abs=2 * spacing)
    changed = [
        np.abs(after - before) > 0.01
        for before, after in zip(healthy.slices, found.image.slices, strict=True)
    ]
    assert not any(one.any() for one in (*changed[: found.first], *changed[found.last + 1 :]))
    sections = [one.sum() for one in changed[found.first : found.last + 1]]
    assert 2 * np.sqrt(max(sections) / np.pi) == pytest.approx(diameter, rel=0.2)
    assert sections[0] < max(sections) and sections[-1] < max(sections)


def test_a_planted_tumour_keeps_its_contrast_to_what_is_around() -> None:
    healthy = scan()
    found = planted.plant(healthy, [donor()], 24.0, np.random.default_rng(1))
    assert found is not None
    middle = (found.first + found.last) // 2
    inside = np.abs(found.image.slices[middle] - healthy.slices[middle]) > 0.05
    around = healthy.slices[middle][inside].mean()
    assert found.image.slices[middle][inside].mean() > around + 0.2


def test_no_tumour_is_planted_where_none_fits() -> None:
    assert planted.plant(scan(), [donor()], 200.0, np.random.default_rng(0)) is None
    empty = scan()
    empty = replace(empty, slices=tuple(np.zeros_like(one) for one in empty.slices))
    assert planted.plant(empty, [donor()], 10.0, np.random.default_rng(0)) is None


def test_only_outlined_tumours_that_the_bundle_has_not_learnt_are_planted(folder: Path) -> None:
    predictor = Predictor.load(bundle.default())
    fold = predictor.card["recipe"]["data"]["fold"]
    rows = whole_heads._unlearnt(predictor, folder)
    assert fold < 0 and rows and {row.split for row in rows} == {"holdout"}
    predictor.card["recipe"]["data"]["fold"] = 0
    rows = whole_heads._unlearnt(predictor, folder)
    assert rows and {(row.split, row.fold) for row in rows} == {("dev", 0)}
    outlined = next(row for row in datasets.table(folder, "slices") if row.outlined)
    assert planted.donor(folder, outlined).mask.max() == 1
    with pytest.raises(ValueError, match="no outlined tumour"):
        planted.donor(folder, next(row for row in rows if not row.outlined))


@pytest.fixture
def two_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A learnt head and one that is not, instead of those that packages hold."""

    def generated(_wanted: object, _place: Path) -> Iterator[tuple[Head, heads.Volume, heads.Sizes]]:
        for fold in (1, -1):
            yield replace(HEADS[0], fold=fold), np.asarray(head(13, 16, 16), np.float32), np.full(3, 10.0)

    monkeypatch.setattr(heads, "scans", generated)
    monkeypatch.setattr(whole_heads, "EACH", 1)
    monkeypatch.setattr(whole_heads, "DIAMETERS", (30, 40))


@pytest.mark.usefixtures("two_heads")
def test_healthy_heads_are_counted_by_whether_they_were_learnt_and_tumours_by_their_size(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(whole_heads, "_donors", lambda *_: {view: [donor()] for view in heads.VIEWS})
    assert program.main(["whole-heads", "--data", str(folder)]) == 0
    table = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if "|" in line]
    counts = {row[0]: [int(value) for value in row[1:7]] for row in table[2:]}
    assert [sum(values) for values in counts.values()] == [3, 3, 3, 3]
    assert "a tumour of 40 mm, head not learnt" in counts


def test_of_every_view_there_must_be_a_tumour_that_may_lie_anywhere(folder: Path) -> None:
    outlined = next(row for row in datasets.table(folder, "slices") if row.outlined)
    rows = [replace(outlined, view=view, label="glioma") for view in heads.VIEWS]
    found = whole_heads._donors(folder, [*rows, *(replace(row, label="pituitary") for row in rows)])
    assert {view: [one.label for one in mine] for view, mine in found.items()} == {
        view: ["glioma"] for view in heads.VIEWS
    }
    for row in rows:
        with pytest.raises(DataError, match="in every view"):
            whole_heads._donors(
                folder, [*(one for one in rows if one != row), replace(row, label="pituitary")]
            )
