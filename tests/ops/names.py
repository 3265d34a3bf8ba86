"""Which variables the portal's code reads, found by reading the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"(PORTAL|DATABASE|BROKER)_[A-Z0-9_]+")
READERS = {"text", "integer", "boolean", "choice", "words", "matching", "time_zone", "_needed"}


def read_by_the_portal() -> set[str]:
    """The first argument of every call of a reader of `mri_portal.environment`."""
    folders = (ROOT / "mri_portal", ROOT / "classifier")
    return {name for folder in folders for path in folder.rglob("*.py") for name in _names_in(path)}


def in_the_example() -> set[str]:
    """Assigned in `.env.example`, commented out or not."""
    text = (ROOT / ".env.example").read_text()
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", text, flags=re.MULTILINE))


def interpolated(text: str) -> set[str]:
    """The variables of ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?sentence}``."""
    return set(re.findall(r"\$\{([A-Z][A-Z0-9_]*)", text))


def _names_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and node.args and _called(node.func) in READERS:
            first = node.args[0]
            if isinstance(first, ast.Constant) and NAME.fullmatch(str(first.value)):
                yield str(first.value)


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
