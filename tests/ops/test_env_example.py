""".env.example and the code name the same variables, with the same defaults."""

import ast
import re
from pathlib import Path

import yaml

from tests.ops import names

COMPOSE_FILES = [names.ROOT / "docker-compose.yml", names.ROOT / "deploy" / "docker-compose.managed.yml"]


def _only_in_compose() -> set[str]:
    text = "".join(path.read_text() for path in COMPOSE_FILES)
    return names.interpolated(text) - names.read_by_the_portal()


def test_the_code_reads_what_the_example_documents_and_nothing_else() -> None:
    assert names.in_the_example() == names.read_by_the_portal() | _only_in_compose()


def test_variables_of_compose_alone_stand_under_their_own_heading() -> None:
    text = (names.ROOT / ".env.example").read_text()
    _, _, tail = text.partition("Read by docker-compose.yml alone")
    assert set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", tail, flags=re.MULTILINE)) == _only_in_compose()


def test_no_variable_is_read_past_the_readers_that_refuse_bad_values() -> None:
    """`os.environ` and `os.getenv` appear only where the readers are, and where processes are started."""
    allowed = {"mri_portal/environment.py", "mri_portal/celery.py", "mri_portal/wsgi.py"}
    starters = {"classifier/backups/databases.py", "classifier/management/commands/portal.py"}
    using = {
        path.relative_to(names.ROOT).as_posix()
        for folder in ("mri_portal", "classifier")
        for path in (names.ROOT / folder).rglob("*.py")
        if re.search(r"os\.(environ|getenv)", path.read_text())
    }
    assert using <= allowed | starters


def test_the_example_shows_the_defaults_of_the_settings() -> None:
    defaults = _integer_defaults(names.ROOT / "mri_portal" / "settings.py")
    text = (names.ROOT / ".env.example").read_text()
    shown = dict(re.findall(r"^#(PORTAL_[A-Z0-9_]+)=(\d+)$", text, flags=re.MULTILINE))
    assert {name: int(shown[name]) for name in defaults} == defaults


def test_the_example_is_a_file_that_compose_can_read() -> None:
    for line in (names.ROOT / ".env.example").read_text().splitlines():
        assert line == "" or line.startswith("#") or re.fullmatch(r"[A-Z][A-Z0-9_]*=\S*", line), line
    assert all(yaml.safe_load(path.read_text()) for path in COMPOSE_FILES)


def _integer_defaults(path: Path) -> dict[str, int]:
    """Of the integer readers whose default does not depend on the mode."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "integer"
        ):
            name, default = node.args[0], node.args[1]
            if isinstance(name, ast.Constant) and isinstance(default, ast.Constant):
                found[str(name.value)] = int(str(default.value))
    return found
