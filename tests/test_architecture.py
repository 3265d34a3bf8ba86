"""Imports point one way: doors -> services -> models, storage, audit, inference -> ml. A breach fails here.

The table names every part of the portal with all that it may import; what is not in it may not exist.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifier.models.analysis import Label, Outcome
from ml import labels

ROOT = Path(__file__).resolve().parents[1]
CORE = {"errors", "models", "audit"}
MAY_IMPORT = {
    "errors": set(),
    "models": {"models"},
    "audit": {"models"},
    "storage": set(),
    "uploads": {"errors"},
    "checks": set(),
    "apps": {"checks"},
    "migrations": {"migrations"},
    "sentences": set(),
    "documents": set(),
    "inference": {"errors", "sentences", "ml"},
    "backups": {"backups", "errors"},
    "services": {"services", "storage", "inference", "backups", "documents", "sentences", *CORE},
    "actors": {"audit", "models"},
    "throttling": set(),
    "tasks": {"services"},
    "pages": {"pages", "services", "actors", "uploads", "templatetags", "sentences", *CORE},
    "templatetags": {"pages", "services", "sentences", *CORE},
    "api": {"api", "services", "actors", "uploads", "throttling", *CORE},
    "admin": {"admin", "services", "actors", "sentences", *CORE},
    "management": {"management", "services", "mri_portal", *CORE},
}
# The doorbell: a service rings by naming the task, and the task calls the service. Names of tables and
# columns can be translated only when Django has gathered its models.
EXCEPTIONS = {
    ("classifier.services.ringing", "classifier.tasks"),
    ("classifier.apps", "classifier.models.names.translate_names"),
}
HTTP = ("django.http", "django.shortcuts", "django.urls", "rest_framework")
NEVER = {
    "services": (
        "django.http",
        "django.shortcuts",
        "django.urls",
        "django.contrib.messages",
        "rest_framework",
    ),
    "models": ("django.http", "django.shortcuts", "django.urls", "rest_framework", "celery"),
    "ml": ("django", "celery", "rest_framework", "classifier", "mri_portal"),
}
SIGNALS = (
    "django.dispatch",
    "django.db.models.signals",
    "django.contrib.auth.signals",
    "django.core.signals",
)
HEAVY = ("tensorflow", "keras", "ai_edge_litert")
TRAINING = {
    "ml.train",
    "ml.networks",
    "ml.efficientnet",
    "ml.normalisation",
    "ml.starting",
    "ml.teachers",
    "ml.study",
    "ml.conversion",
    "ml.upright_training",
    "ml.export",
    "ml.release",
}
ENGINE = {"ml.engine"}


def modules() -> dict[str, str]:
    """Every module of the project, tests and benchmarks apart, with its source."""
    files = [path for top in ("classifier", "ml", "mri_portal") for path in (ROOT / top).rglob("*.py")]
    return {_dotted(path): path.read_text(encoding="utf-8") for path in files}


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(module: str, source: str) -> Iterator[tuple[str, bool]]:
    """What the source imports, as dotted names, and whether when the module itself is imported."""
    tree = ast.parse(source)
    at_once = set(map(id, _run_on_import(tree.body)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in at_once) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = _absolute(module, node)
            yield from ((f"{start}.{alias.name}", id(node) in at_once) for alias in node.names)


def _absolute(module: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = (ROOT / Path(*module.split("."))).is_dir()
    parts = module.split(".")[: None if package and node.level == 1 else -(node.level - package)]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _run_on_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements outside functions, and not only for the type checker."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _run_on_import(node.orelse)
            continue
        yield node
        for inner in ("body", "orelse", "finalbody"):
            yield from _run_on_import(getattr(node, inner, []))
        for handler in getattr(node, "handlers", []):
            yield from _run_on_import(handler.body)


def part(module: str) -> str:
    """The part of the portal that a module belongs to; empty for what is not ours."""
    top, *rest = module.split(".")
    if top == "classifier":
        return rest[0] if rest else "classifier"
    return top if top in {"ml", "mri_portal"} else ""


def breaches(module: str, source: str) -> list[str]:
    return [
        f"{module} imports {name}"
        for name, at_once in imports(module, source)
        if _is_breach(module, name, at_once)
    ]


def _is_breach(module: str, name: str, at_once: bool) -> bool:
    here, there = part(module), part(name)
    if name.startswith(SIGNALS) or _matches(name, NEVER.get(here, ())):
        return True
    if at_once and _matches(name, HEAVY):
        return module not in TRAINING | ENGINE
    if here in MAY_IMPORT and there and (module, name) not in EXCEPTIONS:
        return there not in MAY_IMPORT[here]
    return here == "mri_portal" and there == "ml"


def _matches(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def test_no_module_imports_what_it_must_not() -> None:
    found = [breach for module, source in modules().items() for breach in breaches(module, source)]
    assert found == []


def test_every_part_of_the_portal_has_its_place_in_the_table() -> None:
    parts = {part(module) for module in modules()} - {"classifier", "ml", "mri_portal"}
    assert parts == set(MAY_IMPORT)


def test_only_one_module_of_the_portal_imports_ml() -> None:
    importers = {
        module
        for module, source in modules().items()
        if part(module) != "ml" and any(part(name) == "ml" for name, _ in imports(module, source))
    }
    assert importers == {"classifier.inference"}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("classifier.services.cases", "from django.http import HttpRequest"),
        ("classifier.services.cases", "import rest_framework.views"),
        ("classifier.services.cases", "def f():\n    from classifier.pages import forms"),
        ("classifier.services.cases", "from ..api import views"),
        ("classifier.services", "from ..api import views"),
        ("classifier.services.cases", "from classifier import tasks"),
        ("classifier.models.cases", "from classifier.services import cases"),
        ("classifier.models.cases", "from classifier import audit"),
        ("classifier.pages.scans", "from classifier import inference"),
        ("classifier.pages.scans", "from classifier.api import views"),
        ("classifier.pages.scans", "import ml.images"),
        ("classifier.admin.base", "from classifier import storage"),
        ("classifier.tasks", "from classifier.models import Scan"),
        ("classifier.apps", "from django.db.models.signals import post_save"),
        ("mri_portal.celery", "import ml"),
        ("ml.images", "import django"),
        ("ml.images", "from classifier import errors"),
        ("ml.predictor", "import tensorflow as tf"),
        ("ml.predictor", "try:\n    from keras import Model\nexcept ImportError:\n    pass"),
    ],
)
def test_a_breach_is_found(module: str, source: str) -> None:
    assert breaches(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("classifier.services.ringing", "def ring():\n    from classifier import tasks"),
        ("classifier.services.cases", "from .triage import refresh_triage"),
        ("classifier.inference", "from ml.predictor import Predictor"),
        ("ml.report", "def draw():\n    import tensorflow"),
        ("ml.report", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import keras"),
        ("ml.train", "import keras"),
    ],
)
def test_what_is_allowed_is_no_breach(module: str, source: str) -> None:
    assert breaches(module, source) == []


WEB = "import mri_portal.wsgi; from django.urls import get_resolver; get_resolver().url_patterns"
CELERY_PARENT = (
    "from mri_portal.celery import app; app.loader.import_default_modules(); app.finalize(); "
    "assert 'classifier.tasks.run_analysis' in app.tasks"
)


@pytest.mark.parametrize("start", [WEB, CELERY_PARENT], ids=["web", "celery parent"])
def test_the_process_starts_without_an_engine(start: str, tmp_path: Path) -> None:
    code = f"{start}; import sys; print([name for name in {HEAVY} if name in sys.modules])"
    environment = {"PATH": os.environ["PATH"], "PORTAL_DATA_DIR": str(tmp_path)}
    started = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert started.stdout == "[]\n", started.stderr


def test_the_tables_and_the_model_name_the_same_answers() -> None:
    assert tuple(Label.values) == labels.CLASSES
    assert tuple(Outcome.values) == labels.OUTCOMES
