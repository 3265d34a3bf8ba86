"""What the README and the deployment guide name exists, and the two languages tell the same."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from tests.ops import names
from tests.ops.test_compose import services

ROOT = names.ROOT
READMES = ["README.md", "README.es.md"]
DOCUMENTS = [*READMES, "docs/deployment.md"]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def without_comments(block: str) -> list[str]:
    return [re.sub(r"\s+# .*", "", line) for line in block.splitlines()]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_variable_and_command_named_exists(name: str) -> None:
    text = (ROOT / name).read_text()
    known = names.read_by_the_portal() | names.in_the_example()
    assert set(re.findall(r"\bPORTAL_[A-Z0-9_]+", text)) <= known
    for command in re.findall(r"manage\.py (\w+)", text):
        assert command in get_commands(), command
    targets = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make (\w+)", text, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", targets, flags=re.MULTILINE), target


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_compose_service_named_exists(name: str) -> None:
    text = (ROOT / name).read_text()
    known = services("docker-compose.yml").keys()
    for service in re.findall(
        r"docker compose (?:exec|run --rm --no-deps(?: -T)?|logs --follow) (\w+)", text
    ):
        assert service in known, service
    for stopped in re.findall(r"docker compose stop ([\w ]+)", text):
        assert set(stopped.split()) <= known


@pytest.mark.parametrize("name", READMES)
def test_the_readme_leads_with_the_two_commands_and_then_the_picture(name: str) -> None:
    text = (ROOT / name).read_text()
    first = without_comments(blocks(text, "sh")[0])
    assert first == ["make run", "make test"]
    assert text.index("make run") < text.index("![") < text.index("## ")


def test_both_languages_give_the_same_commands_variables_and_headings() -> None:
    english, spanish = ((ROOT / name).read_text() for name in READMES)
    spanish = spanish.replace("-es.png", ".png")  # a picture of the same page in Spanish
    assert len(re.findall("^#+ ", english, re.MULTILINE)) == len(re.findall("^#+ ", spanish, re.MULTILINE))
    for pattern in (r"`[^`\n]+`", r"\]\([^)]+\)"):
        assert re.findall(pattern, english) == re.findall(pattern, spanish)
    for one, other in zip(blocks(english, "sh"), blocks(spanish, "sh"), strict=True):
        words = [re.sub(r"'[^']*'|<[^>]*>|--name \w+", "…", line) for line in without_comments(one)]
        assert words == [re.sub(r"'[^']*'|<[^>]*>|--name \w+", "…", line) for line in without_comments(other)]


def test_production_in_ten_lines_is_ten_lines() -> None:
    text = Path(ROOT / "README.md").read_text()
    section = text.partition("## Production in ten lines")[2]
    assert len(blocks(section, "sh")[0].splitlines()) == 10
