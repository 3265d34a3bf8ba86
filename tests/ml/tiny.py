"""A data folder of generated heads and a network that learns it in seconds."""

import csv
from pathlib import Path

from ml.labels import CLASSES, NO_TUMOUR
from ml.recipe import Recipe, parse
from tests.ml.pictures import brain_png

PATIENTS = 15
COLUMNS = ("path", "key", "label", "source", "group", "view", "split", "fold", "unique", "flag", "border")
OUTLINE = "0.4,0.4 0.6,0.4 0.6,0.6 0.4,0.6"
OOD = ("ood/a.png", "ood/b.png", "ood/c.png")


def data_folder(root: Path) -> Path:
    """``slices.csv`` with ``PATIENTS`` patients of each class, a table of volunteers, and ``ood``.

    The tumours of patients with an even number have an outline.
    """
    rows = [_slice(label, patient) for label in CLASSES for patient in range(PATIENTS)]
    _write(root / "slices.csv", COLUMNS, rows)
    people = [(f"healthy/sub-{n:02}.png", f"sub-{n:02}", "axial", "1", "notumor", "") for n in range(10)]
    _write(root / "healthy.csv", ("path", "subject", "view", "slice", "label", "note"), people)
    columns = ("path", "patient", "slice", "n_slices", "sequence", "label", "mask", "mask_pixels", "grade")
    _write(root / "lgg.csv", columns, [])
    _write(root / "ood.csv", ("path", "kind", "source"), [(path, "drawing", "here") for path in OOD])
    for number, path in enumerate([r[0] for r in rows] + [p[0] for p in people] + list(OOD)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(brain_png(number, "notumor" not in path, height=64, width=48))
    return root


def _slice(label: str, patient: int) -> tuple[str, ...]:
    held = patient < 3
    place = ("holdout", "-1") if held else ("dev", str(patient % 5))
    flag = "lesion" if label == "notumor" and patient == 14 else ""
    group = f"{label}-{patient}"
    border = OUTLINE if label != NO_TUMOUR and patient % 2 == 0 else ""
    path, key = f"slices/{label}/{patient}.png", f"fig{group}"
    return (path, key, label, "figshare", group, "axial", *place, "1", flag, border)


def _write(path: Path, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def recipe(kind: str = "residual", **training: object) -> Recipe:
    return parse(
        "tiny",
        {
            "seed": 1,
            "network": {"kind": kind, "size": 32, "width": 4, "dropout": 0.1},
            "data": {"tables": ["slices", "healthy"], "weights": {}},
            "training": {"epochs": 2, "batch": 8, "ema": 0.9, **training},
            "augment": {"turn": 1.0, "strip": 0.5, "skull": 0.5, "noise": 0.5, "text": 0.5},
        },
    )
