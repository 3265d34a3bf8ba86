"""The catalogues of translations, without GNU gettext: `python -m tools.messages` or `make messages`.

Collects every marked string of templates and Python into ``locale/<language>/LC_MESSAGES/django.po``,
keeps what is translated, and compiles the ``.mo`` files that the portal reads. Both are committed: a
laptop needs nothing to run them.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "locale"
PYTHON = ("classifier", "mri_portal")
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
}


def marked_strings() -> Catalog:
    """Everything that is marked, by where it stands."""
    found = Catalog(project="mri-portal", charset="utf-8")
    for name, code in _sources():
        for _line, message, comments, context in extract("python", BytesIO(code.encode()), KEYWORDS):
            found.add(message, locations=[(name, 0)], auto_comments=comments, context=context)
    return found


def read_catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3], domain="django")


def compiled(catalogue: Catalog) -> bytes:
    """The bytes of the ``.mo`` file; what is not translated or only guessed stays out."""
    buffer = BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def catalogue_paths() -> list[Path]:
    return sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))


def refresh(path: Path) -> None:
    """The date of its making stays, so that a run that finds nothing new changes no file."""
    catalogue = read_catalogue(path)
    catalogue.update(
        marked_strings(), no_fuzzy_matching=True, keep_user_comments=False, update_creation_date=False
    )
    catalogue.obsolete.clear()
    with path.open("wb") as file:
        write_po(file, catalogue, width=110, sort_by_file=True, include_lineno=False)
    path.with_suffix(".mo").write_bytes(compiled(catalogue))
    missing = [str(message.id) for message in catalogue if message.id and not message.string]
    print(f"{path.parts[-3]}: {len(catalogue)} strings, {len(missing)} not translated")
    for text in missing:
        print(f"  {text}")


def _sources() -> Iterator[tuple[str, str]]:
    """Every file with marked strings, as Python that Babel can read."""
    for path in sorted((ROOT / "templates").rglob("*.html")):
        name = path.relative_to(ROOT).as_posix()
        lines = templatize(path.read_text("utf-8"), origin=name).splitlines()
        yield name, "\n".join(line.strip() for line in lines)
    for folder in PYTHON:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


if __name__ == "__main__":
    for found in catalogue_paths():
        refresh(found)
