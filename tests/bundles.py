"""Model bundles that verify but hold no network, for tests of registering and switching."""

import json
from pathlib import Path

from ml import bundle, preprocess
from ml.labels import CLASSES


def make_bundle(folder: Path, version: str) -> Path:
    directory = folder / version
    directory.mkdir(parents=True)
    for name in bundle.FILES:
        (directory / name).write_bytes(f"{version} {name}".encode())
    card = {
        "version": version,
        "labels": list(CLASSES),
        "preprocessing": preprocess.VERSION,
        "input_size": 64,
        "engine": bundle.ENGINES[0],
        "temperature": 1.0,
        "thresholds": {},
    }
    (directory / bundle.CARD).write_text(json.dumps(card))
    bundle.seal(directory)
    return directory
