"""A model bundle: one folder with the network, its card and figures, sealed by SHA-256.

``SHA256`` lists every other file in the form that ``sha256sum -c`` reads; the digest of that list is
the bundle's identity. Nothing here loads TensorFlow or an inference engine.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ml import preprocess
from ml.errors import BundleError
from ml.labels import CLASSES

BUNDLES: Final = Path(__file__).resolve().parent / "bundles"
DEFAULT: Final = "DEFAULT"
MANIFEST: Final = "SHA256"
NETWORK: Final = "model.tflite"
WEIGHTS: Final = "weights.weights.h5"
CARD: Final = "card.json"
METRICS: Final = "metrics.json"
GOLDEN: Final = "golden.json"
FAMILIAR: Final = "familiar.npz"
CLOSE_UP: Final = "close_up.tflite"
UPRIGHT: Final = "upright.tflite"
BESIDE: Final = {"close_up": CLOSE_UP, "upright": UPRIGHT}
"""There, too, where the card has such a field."""
FILES: Final = (NETWORK, WEIGHTS, CARD, METRICS, GOLDEN, FAMILIAR)
ENGINES: Final = ("litert",)
CARD_FIELDS: Final = frozenset(
    {"version", "labels", "preprocessing", "input_size", "engine", "temperature", "thresholds"}
)


@dataclass(frozen=True)
class Bundle:
    """A folder whose every file is as it was sealed. ``sha256`` is the digest of its manifest."""

    version: str
    sha256: str
    card: dict[str, Any]
    directory: Path


def available(root: Path = BUNDLES) -> list[Path]:
    """The folders under ``root`` that look like bundles, by name; none of them is verified."""
    return sorted(path.parent for path in root.glob(f"*/{MANIFEST}"))


def default(root: Path = BUNDLES) -> Path:
    """The released bundle, which the file ``DEFAULT`` names. Raises BundleError bundle_missing."""
    pointer = root / DEFAULT
    name = pointer.read_text("utf-8").strip() if pointer.is_file() else ""
    if not name or not (root / name).is_dir():
        raise BundleError("No released model bundle is installed.", code="bundle_missing")
    return root / name


def verify(directory: Path) -> Bundle:
    """The bundle in this folder, once every file is there, unaltered and made for this version.

    Raises BundleError with code bundle_missing, bundle_incomplete, bundle_altered or
    bundle_incompatible.
    """
    manifest = directory / MANIFEST
    if not manifest.is_file():
        raise BundleError(f"There is no model bundle at {directory}.", code="bundle_missing")
    sealed = manifest.read_bytes()
    _check_files(directory, _entries(sealed))
    card = _card(directory)
    for field, name in BESIDE.items():
        if field in card and name not in _entries(sealed):
            raise BundleError(f"The bundle lacks {name}.", code="bundle_incomplete")
    return Bundle(card["version"], hashlib.sha256(sealed).hexdigest(), card, directory)


def seal(directory: Path) -> str:
    """Write the manifest over all files of the folder; returns the bundle's digest."""
    lines = [f"{_digest(path)}  {path.name}\n" for path in _content(directory)]
    manifest = directory / MANIFEST
    manifest.write_text("".join(lines), "utf-8", newline="\n")
    return _digest(manifest)


def _content(directory: Path) -> list[Path]:
    """All files but the manifest; hidden ones belong to the operating system."""
    names = (path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in names if path != directory / MANIFEST)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entries(manifest: bytes) -> dict[str, str]:
    try:
        lines = manifest.decode("ascii").splitlines()
        return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except ValueError:
        raise BundleError("The bundle's list of checksums is not readable.", code="bundle_altered") from None


def _check_files(directory: Path, entries: dict[str, str]) -> None:
    present = {path.relative_to(directory).as_posix() for path in _content(directory)}
    if missing := sorted((set(FILES) | set(entries)) - present):
        raise BundleError(f"The bundle lacks {', '.join(missing)}.", code="bundle_incomplete")
    if unlisted := sorted((present | set(FILES)) - set(entries)):
        raise BundleError(f"Not in the bundle's checksums: {', '.join(unlisted)}.", code="bundle_altered")
    for name, digest in entries.items():
        if _digest(directory / name) != digest:
            raise BundleError(f"{name} is not what the bundle's checksums say.", code="bundle_altered")


def _card(directory: Path) -> dict[str, Any]:
    """The card, if it speaks of these classes, this preprocessing and an engine known here."""
    card: dict[str, Any] = json.loads((directory / CARD).read_text("utf-8"))
    if absent := sorted(CARD_FIELDS - set(card)):
        raise BundleError(f"The card lacks {', '.join(absent)}.", code="bundle_incompatible")
    expected = {"labels": list(CLASSES), "preprocessing": preprocess.VERSION, "version": directory.name}
    for name, value in expected.items():
        if card[name] != value:
            raise _incompatible(f"{name} {card[name]!r}", repr(value))
    if card["engine"] not in ENGINES:
        raise _incompatible(f"engine {card['engine']!r}", " or ".join(ENGINES))
    return card


def _incompatible(found: str, expected: str) -> BundleError:
    return BundleError(f"The bundle has {found}, expected {expected}.", code="bundle_incompatible")
