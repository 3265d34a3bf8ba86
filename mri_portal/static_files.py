"""Static files, collected when they or their storage have changed since the last time."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from whitenoise.storage import CompressedManifestStaticFilesStorage


class PortalStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """Looks for addresses in style sheets alone: a vendored script names a source map that is not kept."""

    patterns = CompressedManifestStaticFilesStorage.patterns[:1]


def collect_changed() -> None:
    """`collectstatic`, which takes seconds, skipped where its sources are as they were."""
    stamp = Path(settings.STATIC_ROOT) / ".sources"
    sources = _fingerprint()
    if stamp.is_file() and stamp.read_text(encoding="ascii") == sources:
        return
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(sources, encoding="ascii")


def _fingerprint() -> str:
    described = json.dumps([settings.STORAGES["staticfiles"], sorted(_sources())])
    return hashlib.sha256(described.encode()).hexdigest()


def _sources() -> Iterator[tuple[str, int, int]]:
    for finder in get_finders():
        for path, storage in finder.list([]):
            facts = Path(storage.path(path)).stat()
            yield path, facts.st_size, facts.st_mtime_ns
