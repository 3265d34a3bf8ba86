"""Tumours that are put into slices and taken out of them: what changes and what stays."""

import numpy as np

from ml import lesions
from tests.ml.test_augment import DISC, PICTURE, sample


def test_a_pasted_tumour_brings_its_outline_and_leaves_the_rest() -> None:
    donor = sample(np.where(DISC > 0, 240, PICTURE).astype(np.uint8))
    pasted = lesions.paste(sample(mask=np.zeros_like(DISC)), donor)
    assert pasted is not None and np.array_equal(pasted.mask, DISC)
    changed = np.abs(pasted.picture.astype(int) - PICTURE)
    assert changed[34:42, 56:64].mean() > 20 and changed[:, :40].max() == 0


def test_no_tumour_is_pasted_outside_the_head() -> None:
    outside = np.zeros_like(DISC)
    outside[:8, :8] = 255
    assert lesions.paste(sample(), sample(mask=outside)) is None
    assert lesions.paste(sample(), sample(mask=None)) is None


def with_tumour(mask: np.ndarray = DISC, move: int = 0) -> np.ndarray:
    """A symmetric head with a bright tumour, perhaps not in the middle of its picture."""
    symmetric = np.maximum(PICTURE, PICTURE[:, ::-1])
    return np.roll(np.where(mask > 0, 250, symmetric).astype(np.uint8), move, axis=1)


def test_a_healed_slice_has_the_other_sides_tissue_where_its_tumour_was() -> None:
    for move in (0, 4):
        picture, mask = with_tumour(move=move), np.roll(DISC, move, axis=1)
        healed = lesions.heal(sample(picture, mask))
        assert healed is not None and healed.mask is not None and not healed.mask.any()
        expected = np.where(mask > 0, np.roll(picture[:, ::-1], 2 * move, axis=1), picture)
        assert np.abs(healed.picture.astype(int) - expected)[mask > 0].mean() < 12
        far = np.roll(np.arange(96) < 40, move)
        assert np.array_equal(healed.picture[:, far], picture[:, far])


def test_a_tumour_in_the_middle_or_of_which_nobody_drew_the_outline_is_not_healed() -> None:
    middle = np.zeros_like(DISC)
    middle[40:56, 40:56] = 255
    assert lesions.heal(sample(with_tumour(middle), middle)) is None
    assert lesions.heal(sample(mask=None)) is None
    assert lesions.heal(sample(mask=np.zeros_like(DISC))) is None


def test_what_has_no_head_on_the_other_side_is_not_healed() -> None:
    picture = with_tumour()
    picture[:, :40] = 0
    assert lesions.heal(sample(picture)) is None
