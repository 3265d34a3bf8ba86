"""Scans put together from tables of slices, and the comparison of ways to one answer."""

import csv
from pathlib import Path

import numpy as np
import pytest

from ml import __main__ as program
from ml import bundle, datasets, volumes
from ml.aggregate import METHODS, Slices
from ml.datasets import DataError
from ml.decision import Thresholds
from ml.volumes import Judged, Volume
from tests.ml.pictures import brain_png

LGG = ("path", "patient", "slice", "n_slices", "sequence", "label", "mask", "mask_pixels", "grade")
HEALTHY = ("path", "subject", "view", "slice", "label", "note")
THRESHOLDS = Thresholds(tumour=0.3, margin=0.1, distance=1.0, foreignness=1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six patients of two sequences, 12 slices each of which four show a tumour; six volunteers."""
    sick = [
        (f"lgg/p{p}/{i:03}_{seq}.jpg", f"p{p}", i, 12, seq, "glioma" if 3 <= i < 7 else "notumor", "", 0, 2)
        for p in range(6)
        for i in range(12)
        for seq in ("flair", "t1gd")
    ]
    well = [
        (f"healthy/s{s}_{view}_{i}.jpg", f"s{s}", view, i, "notumor", "")
        for s in range(6)
        for view in ("axial", "sagittal")
        for i in range(5)
    ]
    for name, columns, rows in (("lgg", LGG, sick), ("healthy", HEALTHY, well)):
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([columns, *rows])
    for path, *_ in (*sick, *well):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(brain_png(1, tumour=False, height=64, width=48))
    return tmp_path


def test_every_sequence_and_view_is_a_scan_and_a_tumour_patient_gives_a_healthy_one(folder: Path) -> None:
    found = [volume for fold in range(5) for volume in volumes.volumes(folder, fold)]
    kinds = [volume.kind for volume in found]
    assert set(kinds) == {"lgg_flair", "lgg_flair_part", "lgg_t1gd", "lgg_t1gd_part", "healthy"}
    for volume in found:
        assert (volume.label == "glioma") == (volume.kind in ("lgg_flair", "lgg_t1gd"))
        assert len(volume.paths) == {"healthy": 5}.get(volume.kind, 5 if "part" in volume.kind else 12)
        assert list(volume.paths) == sorted(volume.paths)
        assert len({(Path(path).parent, volume.kind) for path in volume.paths}) == 1
    patients = [{v.patient for v in volumes.volumes(folder, fold)} for fold in range(5)]
    assert sum(map(len, patients)) == len(set().union(*patients)) == 10


def test_scans_can_be_asked_for_in_pieces_of_a_few_slices(folder: Path) -> None:
    found = [piece for fold in range(5) for piece in volumes.pieces(folder, fold, 4)]
    assert {len(piece.paths) for piece in found} == {4}
    assert all(len({Path(path).parent for path in piece.paths}) == 1 for piece in found)
    paths = [path for piece in found for path in piece.paths]
    assert len(paths) == len(set(paths))
    labels = {piece.label for piece in found if piece.kind == "lgg_flair"}
    assert labels == {"glioma", "notumor"}
    with pytest.raises(DataError, match="99 slices"):
        volumes.pieces(folder, 0, 99)


def test_scans_can_be_asked_for_as_if_their_tumours_were_thin(folder: Path) -> None:
    whole = {v.paths for fold in range(5) for v in volumes.volumes(folder, fold) if v.label == "glioma"}
    found = [volume for fold in range(5) for volume in volumes.thin(folder, fold, 2)]
    sick = {Path(row.path) for row in datasets.records(folder, ("lgg",)) if row.label == "glioma"}
    for volume in found:
        shown = [index for index, path in enumerate(volume.paths) if Path(path) in sick]
        assert len(shown) == (2 if volume.label == "glioma" else 0)
        assert len(volume.paths) - len(shown) == 8
        assert any(set(volume.paths) < set(paths) for paths in whole)
        assert list(volume.paths) == sorted(volume.paths)
    assert len(found) > len(whole) and {volume.label for volume in found} == {"glioma", "notumor"}
    with pytest.raises(DataError, match="99 slices of a tumour"):
        volumes.thin(folder, 0, 99)


def test_a_fold_without_scans_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="fold 9"):
        volumes.volumes(folder, 9)


def judged(curves: dict[str, list[float]]) -> Judged:
    """Volumes named after their label, with these tumour probabilities slice by slice."""
    found, slices = [], []
    for number, (name, tumour) in enumerate(curves.items()):
        values = np.array(tumour)
        probabilities = np.stack([values, 0 * values, 1 - values, 0 * values], axis=1)
        flags = np.zeros(len(values), np.bool_)
        found.append(Volume(name, f"p{number}", "glioma" if name.startswith("sick") else "notumor", ()))
        slices.append(Slices(probabilities, flags, ~flags, np.zeros(len(values))))
    return Judged(tuple(found), tuple(slices))


def test_the_comparison_counts_what_each_way_finds_and_spares() -> None:
    lonely, steady = [0.05] * 5 + [0.6] + [0.05] * 5, [0.05] * 3 + [0.9] * 5 + [0.05] * 3
    found = volumes.compare(judged({"sick a": steady, "sick b": steady, "well": lonely}), THRESHOLDS)
    by_way = {tuple(one["aggregation"].values()): one for one in found}
    assert {way[0] for way in by_way} == set(METHODS) and len(METHODS) >= 4
    assert by_way["max",]["sensitivity"]["value"] == 1 and by_way["max",]["specificity"]["value"] == 0
    assert by_way["run", 5]["sensitivity"]["value"] == 1 and by_way["run", 5]["specificity"]["value"] == 1
    assert by_way["max",]["all_found_specificity"]["value"] == 1
    assert by_way["max",]["all_found_threshold"] == 0.9
    assert all(len(one["accuracy"]["interval"]) == 2 for one in found)


def test_all_tumours_are_found_at_the_probability_of_the_least_suspicious_one() -> None:
    sure, vague = [0.9] * 5, [0.6] * 5
    found = volumes.compare(
        judged({"sick a": sure, "sick b": vague, "well": vague, "well b": [0.1] * 5}), THRESHOLDS
    )
    assert found[0]["aggregation"] == {"method": "max"}
    assert found[0]["all_found_threshold"] == 0.6 and found[0]["all_found_specificity"]["value"] == 0.5


def test_a_tumour_that_is_refused_is_not_found() -> None:
    seen = judged({"sick a": [0.9] * 5, "sick b": [0.9] * 5, "well": [0.1] * 5})
    seen.curves[0].refused[:] = True
    found = volumes.compare(seen, THRESHOLDS)[0]
    assert (found["refused"], found["sensitivity"]["value"], found["specificity"]["value"]) == (1, 0.5, 1)


def test_the_command_prints_a_table_and_writes_the_figures(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    assert program.main(["aggregate", "--data", str(folder), "--json", str(out)]) == 0
    shown = capsys.readouterr().out
    assert bundle.default().name in shown and "| noisy_or, 5 |" in shown and "Research use only" in shown
    assert '"all_found_threshold"' in out.read_text()
    assert program.main(["aggregate", "--data", str(folder), "--slices", "12"]) == 0
    pieces = capsys.readouterr().out
    assert " healthy" not in pieces and "lgg_flair" in pieces
