"""A bundle is accepted whole, unaltered and made for this version, and refused with the reason otherwise."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ml import bundle
from ml.errors import BundleError
from ml.labels import CLASSES

MEGABYTE = 2**20


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    released = bundle.default()
    return Path(shutil.copytree(released, tmp_path / released.name))


def code_of(directory: Path) -> str:
    with pytest.raises(BundleError) as caught:
        bundle.verify(directory)
    assert caught.value.detail
    return caught.value.code


def change_card(directory: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Alter the card and seal again, as somebody who builds a bundle by hand would."""
    card = json.loads((directory / bundle.CARD).read_text())
    change(card)
    (directory / bundle.CARD).write_text(json.dumps(card))
    bundle.seal(directory)


@pytest.mark.parametrize("directory", bundle.available(), ids=lambda path: path.name)
def test_every_bundle_in_the_project_is_whole_small_and_described(directory: Path) -> None:
    found = bundle.verify(directory)
    assert found.version == directory.name
    networks = [directory / name for name in (bundle.NETWORK, *bundle.BESIDE.values())]
    assert sum(path.stat().st_size for path in networks if path.is_file()) <= 16 * MEGABYTE
    assert found.card["parameters"] <= 6_250_000
    assert found.card.get("close_up", {}).get("parameters", 0) <= 750_000
    assert found.card.get("upright", {}).get("parameters", 0) <= 100_000
    assert sum(path.stat().st_size for path in directory.iterdir()) <= 30 * MEGABYTE
    assert {"intended_use", "not_for", "data", "metrics", "limits", "versions", "date"} <= set(found.card)
    assert "Research use only" in found.card["notice"]
    assert found.card["labels"] == list(CLASSES)


def test_the_released_bundle_is_one_of_those_available() -> None:
    assert bundle.default() in bundle.available()


@pytest.mark.parametrize("beside", ["close_up", "upright"])
def test_the_released_bundle_and_the_twin_beside_it_outline_from_near_and_lay_pictures_upright(
    beside: str,
) -> None:
    cards = [bundle.verify(path).card for path in bundle.available()]
    twin = bundle.verify(bundle.default()).card["calibrated_by"]
    assert {card["version"] for card in cards if beside in card} == {bundle.default().name, twin}


def test_its_card_names_whose_weights_it_began_with() -> None:
    sources = [item["source"] for item in bundle.verify(bundle.default()).card["data"]]
    assert any("learnt from ImageNet" in source and "Apache-2.0" in source for source in sources)


def test_its_digest_is_that_of_the_list_of_checksums() -> None:
    directory = bundle.default()
    expected = hashlib.sha256((directory / bundle.MANIFEST).read_bytes()).hexdigest()
    assert bundle.verify(directory).sha256 == expected


def test_the_list_of_checksums_is_in_the_form_of_sha256sum() -> None:
    directory = bundle.default()
    for line in (directory / bundle.MANIFEST).read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((directory / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("name", bundle.FILES)
def test_one_altered_byte_in_any_file_is_noticed(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    assert code_of(copy) == "bundle_altered"


@pytest.mark.parametrize("name", bundle.FILES)
def test_a_missing_file_is_noticed(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert code_of(copy) == "bundle_incomplete"


def test_a_missing_file_is_noticed_even_where_the_checksums_do_not_list_it(copy: Path) -> None:
    (copy / bundle.NETWORK).unlink()
    bundle.seal(copy)
    assert code_of(copy) == "bundle_incomplete"


@pytest.mark.parametrize("name", bundle.BESIDE.values())
def test_a_network_that_the_card_speaks_of_must_be_there(copy: Path, name: str) -> None:
    (copy / name).unlink()
    bundle.seal(copy)
    assert code_of(copy) == "bundle_incomplete"


def test_an_added_file_is_noticed(copy: Path) -> None:
    (copy / "extra.bin").write_bytes(b"x")
    assert code_of(copy) == "bundle_altered"


def test_a_file_added_in_a_folder_of_its_own_is_noticed(copy: Path) -> None:
    (copy / "more").mkdir()
    (copy / "more" / "extra.bin").write_bytes(b"x")
    assert code_of(copy) == "bundle_altered"


def test_checksums_that_are_no_checksums_are_refused(copy: Path) -> None:
    (copy / bundle.MANIFEST).write_bytes(b"\xff\xfe nothing")
    assert code_of(copy) == "bundle_altered"


def test_a_folder_without_a_bundle_is_refused(tmp_path: Path) -> None:
    assert code_of(tmp_path) == "bundle_missing"
    assert code_of(tmp_path / "nowhere") == "bundle_missing"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", ["notumor", "glioma", "meningioma", "pituitary"]),
        ("preprocessing", "0"),
        ("engine", "abacus"),
        ("version", "another"),
    ],
)
def test_a_bundle_made_for_something_else_is_refused(copy: Path, field: str, value: object) -> None:
    change_card(copy, lambda card: card.update({field: value}))
    assert code_of(copy) == "bundle_incompatible"


def test_a_card_without_thresholds_is_refused(copy: Path) -> None:
    change_card(copy, lambda card: card.pop("thresholds"))
    assert code_of(copy) == "bundle_incompatible"


def test_without_a_release_the_default_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        bundle.default(tmp_path)
    assert caught.value.code == "bundle_missing"
