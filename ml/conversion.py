"""From a Keras network to a LiteRT file that says the same."""

import contextlib
import io
import logging
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ml import calibrate, decision, networks, train
from ml.engine import LiteRt, Outputs
from ml.errors import BundleError
from ml.recipe import Recipe

log = logging.getLogger(__name__)

LARGEST_DIFFERENCE: Final = 0.01
FORMS: Final = ("int8", "float16", "float32")


def save_rounded(model: Any, recipe: Recipe, path: Path) -> None:
    """Half the bytes: the weights in 16 bits, which ``model`` then has, too.

    Converters fold normalisation into the convolution before it and round afterwards. Here it is the
    same order, so that a file with 16 bits holds these very numbers.
    """
    networks.fold(model)
    half = networks.build(recipe.network, precision="float16")
    half.set_weights(model.get_weights())
    half.save_weights(path)
    model.load_weights(path)


def smallest_faithful(model: Any, pictures: NDArray[np.uint8], path: Path) -> str:
    """Convert to the smallest form that keeps what is said of ``pictures`` (n, size, size); returns its name.

    A class may change where its lead is so small that the answer is "uncertain" in any case.
    """
    reference = train.outputs(model, pictures)
    for form in FORMS:
        path.write_bytes(converted(model, form))
        moved, changed, shifted = _differences(reference, LiteRt(path, threads=2).run(scaled(pictures)))
        log.info(
            "%s: largest difference %.4f, outlines %.4f, %d classes changed", form, moved, shifted, changed
        )
        if not changed and max(moved, shifted) <= LARGEST_DIFFERENCE:
            return form
    raise BundleError(f"LiteRT moves a probability by {moved:.4f} from Keras.", code="bundle_disagrees")


def _differences(reference: train.Outputs, found: Outputs) -> tuple[float, int, float]:
    """Largest move of a probability, clear classes changed, and the share of points outlined otherwise."""
    expected, other = (decision.softmax(logits, 1.0) for logits in (reference.logits, found.logits))
    clear = np.diff(np.sort(expected)[:, -2:])[:, 0] >= calibrate.LEAST_MARGIN
    changed = int(np.sum(clear & (expected.argmax(axis=1) != other.argmax(axis=1))))
    shifted = 0.0
    if reference.masks is not None and found.masks is not None:
        outlined = (reference.masks >= 0.5) | (found.masks >= 0.5)
        both = (reference.masks >= 0.5) & (found.masks >= 0.5)
        shifted = float((outlined.sum() - both.sum()) / max(outlined.sum(), 1))
    return float(np.abs(expected - other).max()), changed, shifted


def converted(model: Any, form: str) -> bytes:
    """The network as a LiteRT file, its weights stored in one of ``FORMS``."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if form != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form == "float16":
        converter.target_spec.supported_types = [tf.float16]
    # Keras prints a line for every variable of what it hands over.
    with contextlib.redirect_stdout(io.StringIO()):
        return bytes(converter.convert())


def scaled(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Prepared pictures (n, size, size) as networks take them."""
    return pictures[..., np.newaxis].astype(np.float32) / np.float32(255)
