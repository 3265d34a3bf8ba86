"""Random variants of slices: repeatable, bounded, and each does what its name says."""

import numpy as np
import pytest

from ml import augment
from ml.augment import Augmentation, Sample, Variant
from ml.close_ups import Frame
from tests.ml.pictures import brain, bytes_of

PICTURE = bytes_of(brain(height=96, width=96, tumour=False))
DISC = np.zeros((96, 96), np.uint8)
DISC[30:46, 52:68] = 255
EVERYTHING = Augmentation(
    turn=0.5,
    tilt=15,
    mirror=0.5,
    zoom=0.2,
    shift=0.1,
    stretch=0.1,
    gamma=0.5,
    curve=0.5,
    invert=0.5,
    bias=0.5,
    blur=0.5,
    coarse=0.5,
    jumble=0.5,
    lesion=0.5,
    noise=0.5,
    jpeg=0.5,
    strip=0.5,
    skull=0.5,
    window=0.5,
    text=0.5,
    equalise=0.5,
    sharpen=0.5,
    ghost=0.5,
    paper=0.5,
    marks=0.5,
)


def sample(
    picture: np.ndarray = PICTURE, mask: np.ndarray | None = DISC, *, stripped: bool = False
) -> Sample:
    return Sample(picture, augment.depth(picture), augment.brain(picture), mask, stripped)


def variant(how: Augmentation, seed: int = 0, *, size: int = 96, **options: object) -> Variant:
    return augment.vary(sample(**options), size, how, np.random.default_rng(seed))  # type: ignore[arg-type]


def vary(how: Augmentation, seed: int = 0, *, stripped: bool = False, size: int = 80) -> np.ndarray:
    return variant(how, seed, size=size, stripped=stripped).picture


def test_without_wishes_the_slice_stays_as_it_is() -> None:
    assert np.abs(vary(Augmentation(), size=96).astype(int) - PICTURE).max() <= 1


@pytest.mark.parametrize("stripped", [True, False])
def test_the_same_generator_gives_the_same_variant(stripped: bool) -> None:
    for seed in range(20):
        one = vary(EVERYTHING, seed, stripped=stripped)
        assert np.array_equal(one, vary(EVERYTHING, seed, stripped=stripped))
        assert one.shape == (80, 80) and one.dtype == np.uint8


def test_different_states_give_different_variants() -> None:
    assert len({vary(EVERYTHING, seed).tobytes() for seed in range(10)}) == 10


def test_a_quarter_turn_is_a_quarter_turn() -> None:
    turned = vary(Augmentation(rotations=(90.0,)), size=96).astype(int)
    either = [np.abs(turned - np.rot90(PICTURE, k)).mean() for k in (1, 3)]
    assert min(either) < 2 < np.abs(turned - PICTURE).mean()


def test_a_mirrored_slice_is_mirrored() -> None:
    mirrored = vary(Augmentation(mirror=1.0), size=96).astype(int)
    assert np.abs(mirrored - PICTURE[:, ::-1]).max() <= 1


def test_stripping_removes_the_scalp_and_keeps_the_brain() -> None:
    stripped = vary(Augmentation(strip=1.0), size=96)
    assert (PICTURE > 200).mean() > 0.05
    assert (stripped > 50).mean() > 0.3 and (stripped > 200).mean() < (PICTURE > 200).mean() / 2


def test_a_stripped_brain_is_given_a_shell_around_it() -> None:
    bare = np.where(augment.depth(PICTURE) > 60, PICTURE, 0).astype(np.uint8)
    rng = np.random.default_rng(3)
    dressed = augment.vary(sample(bare, stripped=True), 96, Augmentation(skull=1.0), rng).picture
    assert (dressed > 0).sum() > 0 and np.count_nonzero(dressed[:, 48]) > np.count_nonzero(bare[:, 48]) * 0.84


def test_text_brightens_only_a_few_pixels() -> None:
    written = vary(Augmentation(text=1.0), size=96).astype(int)
    changed = np.abs(written - PICTURE) > 2
    assert 0 < changed.mean() < 0.3


def centre(values: np.ndarray) -> tuple[float, float]:
    rows, columns = np.nonzero(values > 127)
    return (rows.mean() + 0.5) / values.shape[0], (columns.mean() + 0.5) / values.shape[1]


def test_marks_are_drawn_anywhere_on_few_pixels_and_teach_no_outline() -> None:
    touched = np.zeros((96, 96), bool)
    for seed in range(60):
        marked = variant(Augmentation(marks=1), seed)
        changed = np.abs(marked.picture.astype(int) - PICTURE) > 8
        assert changed.mean() < 0.1
        assert marked.mask is not None and np.array_equal(marked.mask, variant(Augmentation(), seed).mask)
        touched |= changed
    assert touched.mean() > 0.5


def test_an_equalised_head_uses_its_grey_values_more_evenly_and_leaves_the_air() -> None:
    def spread(picture: np.ndarray) -> float:
        return float(np.ptp(np.quantile(picture[PICTURE > augment.DARK], [0.1, 0.9])))

    equalised = vary(Augmentation(equalise=1), size=96)
    assert spread(equalised) > spread(PICTURE)
    assert np.array_equal(equalised[PICTURE <= augment.DARK - 2], PICTURE[PICTURE <= augment.DARK - 2])


def test_sharpening_makes_edges_steeper() -> None:
    steps = [
        np.abs(np.diff(picture.astype(int))).sum()
        for picture in (PICTURE, vary(Augmentation(sharpen=1), size=96))
    ]
    assert steps[1] > 1.1 * steps[0]


def test_a_ghost_lies_beside_the_head_along_one_axis() -> None:
    ghost = vary(Augmentation(ghost=1), size=96)
    air = PICTURE == 0
    assert (ghost[air] > 8).mean() > 0.02 and ghost[~air].mean() > 0.6 * PICTURE[~air].mean()


def test_on_paper_the_air_is_light_and_the_head_as_it_was() -> None:
    head = augment.depth(PICTURE) > 0
    printed = vary(Augmentation(paper=1), size=96)
    assert printed[~head].min() >= augment.LIGHT[0] and len(np.unique(printed[~head])) == 1
    assert np.abs(printed[head].astype(int) - PICTURE[head]).max() <= 1


def test_the_outline_moves_with_its_tumour() -> None:
    """The picture is the outline itself, so both must stay the same whatever moves them."""
    how = Augmentation(turn=1.0, mirror=0.5, zoom=0.2, shift=0.1, stretch=0.1)
    for seed in range(20):
        moved = variant(how, seed, size=96, picture=DISC)
        assert moved.mask is not None and moved.mask.shape == (24, 24)
        assert np.allclose(centre(moved.picture), centre(moved.mask), atol=0.03)


def test_the_outline_follows_a_brain_that_is_stripped_and_fitted_anew() -> None:
    marked = np.where(DISC > 0, 255, PICTURE // 4).astype(np.uint8)
    moved = variant(Augmentation(strip=1.0), 1, picture=marked)
    assert moved.mask is not None
    assert np.allclose(centre(np.where(moved.picture > 200, 255, 0)), centre(moved.mask), atol=0.05)


def test_a_slice_without_an_outline_stays_without_one() -> None:
    assert variant(EVERYTHING, mask=None).mask is None


def test_recolouring_a_lesion_changes_nothing_far_from_it() -> None:
    changed = np.abs(variant(Augmentation(lesion=1.0)).picture.astype(int) - PICTURE)
    assert changed[32:44, 54:66].mean() > 15 and changed[:, :40].max() <= 1


def test_the_brain_is_told_from_the_scalp_by_the_dark_skull_between_them() -> None:
    picture = bytes_of(brain(height=160, width=160, tumour=False))
    found = augment.brain(picture) > 0
    assert found[80, 80] and found.mean() > 0.3 and not found[picture > 200].any()
    assert not augment.brain(np.zeros((64, 64), np.uint8)).any()


def test_a_smaller_window_blanks_an_edge_and_nothing_inside() -> None:
    cut = variant(Augmentation(window=1.0), 2).picture
    assert np.abs(cut[20:76, 20:76].astype(int) - PICTURE[20:76, 20:76]).max() <= 1


def test_a_close_up_shows_its_frame_larger_and_the_outline_where_the_tumour_is() -> None:
    frame = Frame(60, 38, 32)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = augment.close_up(DISC, DISC, frame, 96, Augmentation(turn=1.0, mirror=0.5), rng)
        assert found.mask is not None and found.mask.shape == (24, 24)
        assert (found.picture > 127).mean() > 3 * (DISC > 127).mean()
        assert np.allclose(centre(found.picture), centre(found.mask), atol=0.03)
        assert np.allclose(centre(found.picture), 0.5, atol=0.15)


def test_the_same_generator_gives_the_same_close_up() -> None:
    frame = Frame(60, 38, 32)
    one, again = (
        augment.close_up(PICTURE, DISC, frame, 80, EVERYTHING, np.random.default_rng(5)) for _ in range(2)
    )
    assert np.array_equal(one.picture, again.picture) and one.mask is not None
    assert np.array_equal(one.mask, np.asarray(again.mask))
