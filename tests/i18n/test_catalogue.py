"""Every word a person reads is marked, and every marked word is there in every language."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from django.apps import apps
from django.conf import settings
from django.utils import translation

from classifier import errors, sentences
from ml.decision import REASONS
from ml.image_types import CODES
from tools.messages import catalogue_paths, compiled, marked_strings, read_catalogue, refresh

TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))
CATALOGUES = catalogue_paths()
# What people and programs are told; commands and backups speak to an operator, in English.
SPEAKING = [
    path
    for folder in ("services", "pages", "api", "admin")
    for path in sorted((settings.BASE_DIR / "classifier" / folder).rglob("*.py"))
]
ERRORS = {"UserFacingError", "NotAllowed", "Conflict", "ValidationError", "ParseError", "ErrorDetail"}
SPOKEN = {"alt", "aria-label", "placeholder", "title", "aria-description"}
# Names and signs that are the same in every language.
ALIKE = {"MB", "mm", "mm²", "px", "px²", "SHA", "PDF"}
# Blocks whose content is attributes, not words.
ATTRIBUTES = "body_class|body_attributes|coltype"


class Unmarked(HTMLParser):
    """Words that stand in a template outside of every tag of the template language."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = 0
        self.feed(_blank(text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in {"script", "style", "code", "kbd"}
        for name, value in attrs:
            if name in SPOKEN or (name.startswith("data-") and " " in (value or "").strip()):
                self._look_at(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in {"script", "style", "code", "kbd"}

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._look_at(data)

    def _look_at(self, text: str) -> None:
        words = re.findall(r"[^\W\d_]{2,}", text.replace("&nbsp;", " "))
        self.found += [word for word in words if word not in ALIKE]


def _blank(text: str) -> str:
    """The template without its comments, translated blocks, tags and variables."""
    for pattern in (
        r"\{% comment %\}.*?\{% endcomment %\}",
        r"\{#.*?#\}",
        r"\{% blocktrans(?:late)?\b.*?\{% endblocktrans(?:late)? %\}",
        rf"\{{% block (?:{ATTRIBUTES}) %\}}.*?\{{% endblock %\}}",
        r"\{%.*?%\}",
        r"\{\{.*?\}\}",
    ):
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    return text


def unmarked_errors(tree: ast.AST) -> Iterator[int]:
    """The lines in which an error is made with a bare sentence."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS:
            bare = [one for one in node.args if isinstance(one, ast.Constant | ast.JoinedStr)]
            if any(" " in ast.unparse(one) for one in bare):
                yield node.lineno


def lost_markers(tree: ast.Module) -> set[int]:
    """The lines of the functions that mark sentences with ``_`` and take the same name for something else."""
    return {
        function.lineno
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and {ast.Load, ast.Store} <= {type(one.ctx) for one in _underscores(function)}
    }


def _underscores(tree: ast.AST) -> list[ast.Name]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "_"]


@pytest.fixture(params=CATALOGUES, ids=lambda path: path.parts[-3])
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    return read_catalogue(request.param)


def messages(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def forms(text: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(settings.BASE_DIR).as_posix())
def test_no_template_holds_a_word_that_is_not_marked(path: Path) -> None:
    assert Unmarked(path.read_text("utf-8")).found == []


def test_a_word_that_is_not_marked_is_found() -> None:
    text = (
        '{% trans "Fine" %}<b title="Bad {{ x }}">{% if y %}worse{% endif %}</b><code>good</code>{# fine #}'
    )
    assert Unmarked(text).found == ["Bad", "worse"]


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: path.relative_to(settings.BASE_DIR).as_posix())
def test_no_error_holds_a_sentence_that_is_not_marked(path: Path) -> None:
    assert sorted(unmarked_errors(ast.parse(path.read_text("utf-8")))) == []


def test_a_sentence_of_an_error_that_is_not_marked_is_found() -> None:
    source = 'NotAllowed("Not you.")\nConflict("code", _("Fine."))\nUserFacingError("code", f"At {most} so.")'
    assert sorted(unmarked_errors(ast.parse(source))) == [1, 3]


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: path.relative_to(settings.BASE_DIR).as_posix())
def test_no_function_that_marks_a_sentence_has_another_use_for_the_mark(path: Path) -> None:
    assert lost_markers(ast.parse(path.read_text("utf-8"))) == set()


def test_a_mark_that_is_a_leftover_value_is_found() -> None:
    source = "def f(t):\n a, _, b = t\n raise E(_('No.'))\ndef g(t):\n a, _ = t\ndef h():\n _('Fine.')"
    assert lost_markers(ast.parse(source)) == {1}


def test_there_is_a_catalogue_for_every_language_but_the_one_of_the_code() -> None:
    spoken = {code for code, _ in settings.LANGUAGES} - {settings.LANGUAGE_CODE}
    assert {path.parts[-3] for path in CATALOGUES} == spoken


def test_every_marked_string_is_in_the_catalogue(catalogue: Catalog) -> None:
    marked = {(message.id, message.context) for message in messages(marked_strings())}
    assert marked == {(message.id, message.context) for message in messages(catalogue)}, "run `make messages`"


def test_nothing_lacks_its_translation(catalogue: Catalog) -> None:
    bare = [message.id for message in messages(catalogue) if not all(forms(message.string) or [""])]
    assert bare == []
    assert not [message.id for message in messages(catalogue) if message.fuzzy]


def test_a_translation_holds_the_same_places_for_values(catalogue: Catalog) -> None:
    for message in messages(catalogue):
        asked = places(forms(message.id)[-1])
        assert all(places(text) == asked for text in forms(message.string)), message.id


def test_a_translation_begins_and_ends_as_its_original_does(catalogue: Catalog) -> None:
    for message in messages(catalogue):
        original, text = forms(message.id)[0], forms(message.string)[0]
        assert original[-1:] in ".:…" if text[-1:] in ".…" else original[-1:] not in ".…", (original, text)
        assert text == text.strip(), text


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_what_is_compiled_is_what_is_written(path: Path) -> None:
    assert path.with_suffix(".mo").read_bytes() == compiled(read_catalogue(path)), "run `make messages`"


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_collecting_what_was_collected_before_leaves_no_other_date(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.relative_to(settings.BASE_DIR)
    copy.parent.mkdir(parents=True)
    copy.write_bytes(path.read_bytes())
    refresh(copy)
    assert read_catalogue(copy).creation_date == read_catalogue(path).creation_date


def test_every_code_of_the_models_side_has_a_sentence_to_translate() -> None:
    with translation.override("en"):
        assert {code: str(sentences.SENTENCES[code]) for code in {**CODES, **REASONS}} == {**CODES, **REASONS}


def test_a_stored_sentence_is_read_in_the_readers_language() -> None:
    with translation.override("es"):
        assert sentences.translated("two_plausible", "English.") == "Dos clases son casi igual de probables."
        assert sentences.translated("unheard_of", "English.") == "English."
    assert sentences.translated("two_plausible", "An older sentence.") == "An older sentence."


def test_whatever_the_code_says_is_missing_has_a_sentence() -> None:
    source = "".join(path.read_text("utf-8") for path in (settings.BASE_DIR / "classifier").rglob("*.py"))
    assert set(re.findall(r'NotFound\("([^"]+)"\)', source)) <= set(errors.NOT_FOUND)


def places(text: str) -> list[str]:
    """`%(name)s`, `%s` and `{name}` in a text, sorted."""
    named = [name for _, name, _, _ in Formatter().parse(text.replace("%", "")) if name]
    return sorted(named + re.findall(r"%(?:\(\w+\))?\.?\d*[sdf%]", text))


def test_every_column_has_a_name_to_translate() -> None:
    options = [model._meta for model in apps.get_app_config("classifier").get_models()]
    columns = [field for one in options for field in one.local_fields if not field.primary_key]
    bare = {field.name for field in columns if field.editable and isinstance(field.verbose_name, str)}
    assert bare == set(), "name them in classifier/models/names.py"
