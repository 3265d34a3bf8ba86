"""What a network learns from: shares, outlines in the pictures' frame, pasted tumours, other pictures."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml import datasets, examples, outlines, preprocess, strangers
from ml.datasets import Row
from ml.examples import Examples
from ml.labels import CLASSES
from tests.ml import tiny
from tests.ml.pictures import brain, bytes_of

pytestmark = pytest.mark.usefixtures("cache_beside")


def drawn(count: int = 8, side: int = 48) -> Examples:
    """Half gliomas with an outline in the upper left, half healthy, all axial."""
    pictures = np.stack([bytes_of(brain(n, height=side, width=side)) for n in range(count)])
    masks = np.zeros_like(pictures)
    masks[: count // 2, 12:20, 12:20] = 255
    rows = tuple(
        Row(f"{n}", "glioma" if n < count // 2 else "notumor", "a", f"{n}", "dev", 0, view="axial",
            border="0,0 1,0 1,1" if n < count // 2 else "")
        for n in range(count)
    )  # fmt: skip
    return Examples(rows, pictures, pictures, np.zeros_like(pictures), masks, pictures[:0])


def test_slices_are_drawn_by_the_shares_of_the_recipe(folder: Path) -> None:
    recipe = tiny.recipe()
    recipe = replace(
        recipe, data=replace(recipe.data, weights={"glioma/figshare": 0.75, "notumor/healthy": 0.25})
    )
    rows = datasets.records(folder, ("slices", "healthy"))
    found = examples.load(recipe, folder, rows)
    cells = Counter(rows[i].cell for i in found.draw(2000, np.random.default_rng(0)))
    assert set(cells) == {"glioma/figshare", "notumor/healthy"}
    assert cells["glioma/figshare"] / 2000 == pytest.approx(0.75, abs=0.04)


def test_a_class_keeps_its_share_when_one_of_its_sources_is_not_learnt(folder: Path) -> None:
    recipe = tiny.recipe()
    weights = {"glioma/figshare": 0.5, "notumor/healthy": 0.1, "notumor/figshare": 0.4}
    recipe = replace(recipe, data=replace(recipe.data, weights=weights))
    rows = [row for row in datasets.records(folder, ("slices", "healthy")) if row.cell != "notumor/figshare"]
    found = examples.load(recipe, folder, rows)
    cells = Counter(rows[i].cell for i in found.draw(2000, np.random.default_rng(0)))
    assert cells["notumor/healthy"] / 2000 == pytest.approx(0.5, abs=0.04)


def test_an_outline_lies_where_the_prepared_picture_shows_it(folder: Path) -> None:
    row = next(row for row in datasets.table(folder, "slices") if row.border)
    found = examples.masks(folder, [row], 64)[0]
    image = datasets.images.read(folder / row.path).slices[0]
    _, geometry = preprocess.prepare_with_geometry(image, 64)
    outline = outlines.outline(folder, row)
    assert outline is not None
    rows, columns = np.nonzero(outline)
    x, y = geometry.to_network(columns.mean() + 0.5, rows.mean() + 0.5)
    placed = np.nonzero(found > 127)
    assert abs(placed[0].mean() + 0.5 - y) < 1 and abs(placed[1].mean() + 0.5 - x) < 1


def test_a_slice_that_nobody_outlined_teaches_no_outline(folder: Path) -> None:
    rows = datasets.table(folder, "slices")
    unknown = next(row for row in rows if row.label != "notumor" and not row.border)
    healthy = next(row for row in rows if row.label == "notumor")
    masks = examples.masks(folder, [unknown, healthy], 32)
    assert (masks[0] == examples.UNKNOWN).all() and not masks[1].any()


def test_a_batch_is_a_function_of_seed_epoch_and_size() -> None:
    recipe = tiny.recipe(batch=4)
    one, again = (list(examples.batches(recipe, drawn(), 3, 2, 32)) for _ in range(2))
    other = list(examples.batches(recipe, drawn(), 4, 2, 32))
    assert len(one) == 2 and one[0].x.shape == (4, 32, 32, 1) and one[0].masks.shape == (4, 8, 8, 1)
    assert np.array_equal(one[0].x, again[0].x) and not np.array_equal(one[0].x, other[0].x)


def test_a_healthy_slice_with_a_pasted_tumour_is_a_tumour() -> None:
    recipe = replace(tiny.recipe(batch=8), augment={"paste": 1.0})
    batch = next(examples.batches(recipe, drawn(), 0, 1, 48))
    glioma = CLASSES.index("glioma")
    assert (batch.classes[:, glioma] == 1).sum() > 4
    assert (batch.masks.max(axis=(1, 2, 3)) > 0.5).sum() == (batch.classes[:, glioma] == 1).sum()


def test_slices_of_other_sequences_are_drawn_as_often_as_the_recipe_says() -> None:
    all_brain = np.full_like(drawn().depths, 255)
    known = replace(drawn(), depths=all_brain, brains=all_brain)
    plain = next(examples.batches(replace(tiny.recipe(batch=8), augment={}), known, 0, 1, 48)).x
    recipe = replace(tiny.recipe(batch=8), augment={"sequence": 0.3})
    found = [next(examples.batches(recipe, known, epoch, 1, 48)).x for epoch in range(40)]
    changed = [np.abs(plain - x).mean(axis=(1, 2, 3)).min() > 0.02 for x in np.concatenate(found)]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.08)


def sick(source: str, label: str, view: str = "axial") -> Examples:
    """As ``drawn``, with tumours of this kind."""
    one = drawn()
    rows = [replace(row, source=source, label=label, view=view) if row.border else row for row in one.rows]
    return replace(one, rows=tuple(rows))


def test_a_healed_slice_of_a_tumour_patient_is_healthy() -> None:
    known = sick("figshare", "meningioma")
    recipe = replace(tiny.recipe(batch=8), augment={"heal": 1.0})
    batch = next(examples.batches(recipe, known, 0, 1, 48))
    healthy = batch.x[batch.classes[:, CLASSES.index("notumor")] == 1, ..., 0]
    assert len(healthy) == 4
    for picture in healthy:
        assert any(np.abs(one.picture / 255 - picture).max() < 0.02 for one in known.healed[0])


def test_only_tumours_outlined_where_they_are_seen_are_healed_and_not_from_the_side() -> None:
    for kind in (("figshare", "meningioma"), ("lgg_flair", "glioma")):
        assert [len(found) for found in sick(*kind).healed] == [4]
    for kind in (("figshare", "glioma"), ("lgg_t1gd", "glioma"), ("figshare", "meningioma", "sagittal")):
        assert sick(*kind).healed == ()


def test_pictures_of_other_things_belong_to_no_class_and_have_no_outline() -> None:
    recipe = tiny.recipe(batch=8)
    recipe = replace(recipe, data=replace(recipe.data, strangers=1.0))
    batch = next(examples.batches(recipe, drawn(), 0, 1, 32))
    assert (batch.foreign == 1).all() and np.allclose(batch.classes, 0.25) and not batch.masks.any()


def test_generated_pictures_are_repeatable_and_of_the_same_size() -> None:
    picture = bytes_of(brain(height=64, width=64))
    for seed in range(25):
        one, again = (strangers.generated(picture, np.random.default_rng(seed)) for _ in range(2))
        assert one.shape == (64, 64) and one.dtype == np.uint8 and np.array_equal(one, again)


def test_a_picture_is_either_learnt_from_or_judged(folder: Path) -> None:
    found = strangers.table(folder)
    judged = {one.path for one in strangers.judged(folder)}
    assert judged and judged == {one.path for one in found if not one.learnt}
    assert len(strangers.pictures(folder, 32, ())) == len(found) - len(judged)


def test_tumours_are_learnt_from_near_at_twice_the_resolution(folder: Path) -> None:
    rows = [row for row in datasets.table(folder, "slices") if row.outlined]
    recipe = replace(tiny.recipe(batch=8), augment={"close_up": True})
    found = examples.load(recipe, folder, rows)
    assert found.pictures.shape[1:] == (2 * recipe.network.size,) * 2 and len(found.frames) == len(rows)
    batch = next(examples.batches(recipe, found, 0, 1, 32))
    assert batch.x.shape == (8, 32, 32, 1) and not batch.foreign.any()
    assert (batch.masks.mean(axis=(1, 2, 3)) > 0.08).all()
    assert (batch.masks[:, 3:5, 3:5].max(axis=(1, 2)) > 0.5).all()
