"""The documents speak of the house as it stands."""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifier.models import AuditEvent
from ml import __main__ as program
from ml import bundle
from ml.labels import CLASSES
from ml.tables import shown

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("README*.md")])
MODEL = (ROOT / "docs" / "model.md").read_text("utf-8")
METRICS = json.loads((bundle.default() / bundle.METRICS).read_text("utf-8"))
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
SECURITY = (ROOT / "docs" / "security.md").read_text("utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
    assert not [link for link in links if not (document.parent / link).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_heading_leads_to_one(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text("utf-8"))
    told = [(document.parent / name if name else document, heading) for name, heading in links]
    assert not [heading for path, heading in told if heading not in headings(path)]


def headings(document: Path) -> set[str]:
    """As GitHub names them: small letters, no signs, dashes for spaces."""
    lines = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_about_the_model_exists_with_its_options(document: Path) -> None:
    shown_there = re.findall(r"`[^`\n]*python -m ml ([\w-]+)([^`\n]*)`", document.read_text("utf-8"))
    for name, rest in shown_there:
        assert name in COMMANDS
        assert set(re.findall(r"--[\w-]+", rest)) <= set(COMMANDS[name]._option_string_actions)


COMMANDS: dict[str, argparse.ArgumentParser] = next(
    dict(action.choices)
    for action in program._parser()._actions
    if isinstance(action, argparse._SubParsersAction)
)


@pytest.mark.parametrize("readme", ["README.md", "README.es.md"])
def test_the_front_page_shows_three_pictures_that_are_there(readme: str) -> None:
    shown = re.findall(r"!\[[^\]]+\]\((docs/screenshots/[\w-]+\.png)\)", (ROOT / readme).read_text("utf-8"))
    assert len(set(shown)) == 3
    assert all((ROOT / picture).is_file() for picture in shown)


@pytest.mark.parametrize("document", [ARCHITECTURE, SECURITY], ids=["architecture", "security"])
def test_every_test_and_module_that_is_named_exists(document: str) -> None:
    named = set(re.findall(r"`((?:tests|ml|classifier|mri_portal|docs)/[\w/.]+)`", document))
    assert named and not [name for name in named if not (ROOT / name).exists()]


def test_the_folder_map_names_every_service_and_every_part() -> None:
    parts = [path for path in (ROOT / "classifier").iterdir() if not path.name.startswith("__")]
    services = [path for path in (ROOT / "classifier" / "services").glob("*.py") if path.stem != "__init__"]
    unimportant = {"apps", "checks", "throttling", "templatetags", "backups"}
    names = {path.stem for path in [*parts, *services]} - unimportant
    assert not sorted(name for name in names if not re.search(rf"\b{name}\b", ARCHITECTURE))


def test_the_list_of_audited_acts_leaves_none_out() -> None:
    words = {word for action in AuditEvent.Action.values for word in action.split("_")}
    few = {"in", "out", "exported"}
    missing = {word for word in words - few if word not in SECURITY.lower()}
    assert missing == set()


def figures_of_the_release() -> Iterator[tuple[str, ...]]:
    """Rows of docs/model.md as the released bundle's own figures say them."""
    sets = [METRICS[name] for name in ("holdout", "holdout_lgg", "holdout_healthy")]
    first, lgg, _ = sets
    masks = [METRICS["masks"][name] for name in ("holdout", "holdout_lgg")]
    yield "accuracy, 4 classes", *(shown(found["accuracy"]) for found in sets)
    yield "macro recall", shown(first["macro_recall"]), "-", "-"
    yield "macro F1", shown(first["macro_f1"]), "-", "-"
    yield "tumours given their own class", *(shown(found["tumour_accuracy"]) for found in (first, lgg)), "-"
    yield (
        "tumours given any tumour class",
        *(shown(found["tumour_sensitivity"]) for found in (first, lgg)),
        "-",
    )
    yield "healthy slices called notumor", *(shown(found["specificity"]) for found in sets)
    yield (
        "tumours whose likeliest class is notumor",
        *(f"{found['tumours_called_notumor']} of {found['tumours']}" for found in (first, lgg)),
        "-",
    )
    yield (
        "**tumours answered notumor**",
        *(
            f"**{found['answers']['tumours_called_notumor']} of {found['tumours']}**"
            for found in (first, lgg)
        ),
        "-",
    )
    yield (
        "healthy slices answered with a tumour",
        *(f"{f['answers']['healthy_called_tumour']} of {sum(f['confusion'][2])}" for f in (first, lgg)),
        "0",
    )
    yield "uncertain", *(str(found["answers"]["uncertain"]) for found in sets)
    yield (
        "calibration error; Brier",
        *(f"{shown(found['calibration_error'])}; {shown(found['brier'])}" for found in sets),
    )
    yield (
        "**outline: mean Dice** (median)",
        *(f"{shown(one['dice'])} ({shown(one['dice_median']['value'])})" for one in masks),
        "-",
    )
    yield "boxes with an overlap of at least .5", *(shown(one["boxes"]) for one in masks), "-"
    for label in CLASSES:
        dice = METRICS["mask_sources"].get(f"{label}/figshare", {}).get("dice")
        yield (
            label,
            *(shown(first["classes"][label][of]) for of in ("precision", "recall", "f1")),
            shown(dice),
        )


@pytest.mark.parametrize("row", tuple(figures_of_the_release()), ids=lambda row: row[0])
def test_the_figures_of_the_release_are_those_of_its_bundle(row: tuple[str, ...]) -> None:
    assert f"| {' | '.join(row)} |" in MODEL


def test_clinicians_are_told_how_often_the_release_answers_a_tumour_with_none() -> None:
    guide = (ROOT / "docs" / "user-guide.md").read_text("utf-8")
    for name in ("holdout", "holdout_lgg"):
        found = METRICS[name]
        told = f"{found['answers']['tumours_called_notumor']} of {found['tumours']}"
        assert told in guide and told in MODEL


def test_the_release_and_its_size_are_those_of_the_card() -> None:
    assert f"### The released bundle, `{bundle.default().name}`" in MODEL
    card = json.loads((bundle.default() / bundle.CARD).read_text("utf-8"))
    near, upright = (card[name]["parameters"] / 1e4 for name in ("close_up", "upright"))
    assert f"{card['parameters'] / 1e6:.1f}, .{near:.0f} and .{upright:02.0f} M parameters" in " ".join(
        MODEL.split()
    )
