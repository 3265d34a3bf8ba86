"""Typed readers of the environment that fail loudly, in one sentence.

``NAME_FILE`` names a file that holds the value of ``NAME`` (Docker and Kubernetes secrets).
"""

import os
import re
import sys
import zoneinfo
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from django.core.exceptions import ImproperlyConfigured

_REQUIRED = object()


def refuse_in_a_sentence(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """An ``excepthook``: a refused setting ends the process with its sentence instead of a traceback."""
    if issubclass(kind, ImproperlyConfigured):
        print(f"The portal does not start: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


def text(name: str, default: str | object = _REQUIRED) -> str:
    value = _raw(name)
    if value is not None and value != "":
        return value
    if default is _REQUIRED:
        raise ImproperlyConfigured(f"{name} must be set (or {name}_FILE, a file that holds it).")
    return str(default)


def integer(name: str, default: int, *, minimum: int, maximum: int) -> int:
    value = text(name, str(default))
    if not value.strip().lstrip("-").isdigit() or not minimum <= int(value) <= maximum:
        raise ImproperlyConfigured(
            f"{name} must be a whole number from {minimum} to {maximum}, not {value!r}."
        )
    return int(value)


def boolean(name: str, default: bool) -> bool:
    value = text(name, "yes" if default else "no").strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be yes or no, not {value!r}.")


def choice(name: str, default: str, choices: Sequence[str]) -> str:
    value = text(name, default).strip().lower()
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def words(name: str, default: str | object = _REQUIRED) -> list[str]:
    """A comma-separated list; blanks around the items are dropped."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def matching(name: str, default: str, pattern: str, words_for_it: str) -> str:
    value = text(name, default)
    if not re.fullmatch(pattern, value):
        raise ImproperlyConfigured(f"{name} must be made of {words_for_it}, not {value!r}.")
    return value


def time_zone(name: str, default: str) -> str:
    value = text(name, default)
    if value not in zoneinfo.available_timezones():
        raise ImproperlyConfigured(f"{name} must be a time zone such as Europe/Madrid, not {value!r}.")
    return value


def private_folder(name: str, folder: Path) -> None:
    """Make ``folder``, the value of ``name``, readable by its owner alone."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"{name}: {folder} cannot be made: {error.strerror}.") from error


def _raw(name: str) -> str | None:
    filename = os.environ.get(f"{name}_FILE")
    if not filename:
        return os.environ.get(name)
    if os.environ.get(name):
        raise ImproperlyConfigured(f"Set either {name} or {name}_FILE, not both.")
    try:
        return Path(filename).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}.") from error
