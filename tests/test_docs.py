"""The documents speak of the house as it stands."""

import re
from pathlib import Path

import pytest

from classifier.models import AuditEvent

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
SECURITY = (ROOT / "docs" / "security.md").read_text("utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
    assert not [link for link in links if not (document.parent / link).exists()]


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
