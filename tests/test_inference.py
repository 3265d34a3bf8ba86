"""The door to the model: which bundles a process holds, and one scan from its files to its answer."""

import json
import shutil
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from classifier import inference
from classifier.errors import UserFacingError
from ml import bundle
from tests.ml.pictures import brain_dicom, brain_png
from tests.ml.volumes import interleaved, two_passes


class Loaded:
    def __init__(self, version: str) -> None:
        self.version = version


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions that were loaded, in turn, into a process that held none."""
    versions: list[str] = []

    def load(version: str, sha256: str) -> Loaded:
        if version == "broken":
            raise UserFacingError("bundle_altered", "Broken.")
        versions.append(version)
        return Loaded(version)

    monkeypatch.setattr(inference, "_load", load)
    monkeypatch.setattr(inference, "_predictors", type(inference._predictors)())
    return versions


def ask(*versions: str) -> list[bool]:
    return [inference.load(version=version, sha256="0" * 64) is not None for version in versions]


def test_the_active_model_and_one_that_is_asked_for_are_held_side_by_side(loads: list[str]) -> None:
    assert ask("active", "chosen", "active", "chosen", "active") == [True, True, False, False, False]


def test_of_three_models_the_one_not_used_for_longest_goes(loads: list[str]) -> None:
    ask("active", "first", "active", "second", "active")
    assert loads == ["active", "first", "second"]
    assert ask("first") == [True]


def test_a_model_that_cannot_be_loaded_leaves_the_latest_in_place(loads: list[str]) -> None:
    ask("first", "active")
    with pytest.raises(UserFacingError):
        ask("broken")
    assert ask("active") == [False]


def test_a_bundle_that_was_exchanged_and_sealed_anew_is_not_loaded() -> None:
    with pytest.raises(UserFacingError) as refused:
        inference.load(version=inference.default_bundle().name, sha256="0" * 64)
    assert refused.value.code == "bundle_altered"


def test_a_model_that_does_not_give_its_reference_answer_is_not_loaded(
    tmp_path: Path, settings: Settings
) -> None:
    directory = tmp_path / inference.default_bundle().name
    shutil.copytree(inference.default_bundle(), directory)
    golden = json.loads((directory / bundle.GOLDEN).read_text("utf-8"))
    golden["probabilities"] = dict.fromkeys(golden["probabilities"], 0.25)
    (directory / bundle.GOLDEN).write_text(json.dumps(golden), "utf-8")
    bundle.seal(directory)
    settings.BUNDLES_DIR = tmp_path
    facts = inference.verify_bundle(directory)
    with pytest.raises(UserFacingError) as refused:
        inference.load(version=facts.version, sha256=facts.sha256)
    assert refused.value.code == "bundle_incompatible"


def test_one_scan_goes_through_the_shipped_model_with_its_progress(tmp_path: Path) -> None:
    facts = inference.verify_bundle(inference.default_bundle())
    files = []
    for number in range(3):
        path = tmp_path / str(number)
        path.write_bytes(
            brain_dicom(
                seed=number,
                SeriesInstanceUID="1.2.3",
                InstanceNumber=number,
                SOPInstanceUID=f"1.2.3.{number}",
            )
        )
        files.append(path)
    told: list[tuple[int, int]] = []
    answer = inference.analyse(
        files, version=facts.version, sha256=facts.sha256, progress=lambda *done: told.append(done)
    )
    assert told[-1] == (3, 3)
    assert len(answer["slices"]) == 3
    assert (answer["finding"] is None) == (answer["masks"] == b"")
    assert answer["timings"]["decode"] > 0


def test_files_that_are_not_one_series_are_no_scan(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(brain_png()[:-900])
    with pytest.raises(inference.BadImage) as refused:
        inference.read_volume([path])
    assert refused.value.code == "image_truncated"


def test_a_scan_that_holds_images_of_the_same_positions_is_still_read_as_one(tmp_path: Path) -> None:
    paths = []
    for number, data in enumerate(interleaved(*two_passes())):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(data)
    assert len(list(inference.read_series(paths))) == 2
    assert len(inference.read_volume(paths).slices) == 8
