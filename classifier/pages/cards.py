"""A model card laid out for a clinician. Every part may be missing: bundles differ."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from classifier.models.analysis import Label
from classifier.sentences import card_words, figure_words, percent, with_interval

CLASS_FIGURES = ("precision", "recall", "f1")
# No shares: a Brier score, summed over the classes, reaches 2.
SCORES = {"brier"}


@dataclass(frozen=True)
class TestSet:
    """Figures in words, as (name, text), and by class, as (class, precision, recall, F1)."""

    name: str
    figures: list[tuple[str, str]]
    classes: list[tuple[str, ...]] = field(default_factory=list)


@dataclass(frozen=True)
class CardPage:
    intended_use: str
    not_for: list[str]
    limits: list[str]
    data: list[str]
    facts: list[tuple[str, str]]
    tests: list[TestSet]
    source_columns: list[str]
    sources: list[tuple[str, ...]]
    whole: str


def card_page(card: Mapping[str, Any]) -> CardPage:
    metrics = _mapping(card.get("metrics"))
    sources = _mapping(metrics.get("sources"))
    columns = list(dict.fromkeys(name for row in sources.values() for name in _mapping(row)))
    return CardPage(
        intended_use=card_words(str(card.get("intended_use", ""))),
        not_for=_sentences(card.get("not_for")),
        limits=_sentences(card.get("limits")),
        data=_sentences(card.get("data")),
        facts=[(figure_words(name), _fact(card[name])) for name in _facts(card)],
        tests=[_test(name, _mapping(node)) for name, node in metrics.items() if name != "sources"],
        source_columns=[figure_words(name) for name in columns],
        sources=[
            (_source(name), *(_figure(column, _mapping(row).get(column)) for column in columns))
            for name, row in sources.items()
        ],
        whole=json.dumps(card, indent=2, ensure_ascii=False),
    )


def _facts(card: Mapping[str, Any]) -> Iterator[str]:
    """What is one number or word, in the card's own order."""
    shown = {"version", "notice", "intended_use"}
    return (
        name for name, value in card.items() if isinstance(value, str | int | float) and name not in shown
    )


def _test(name: str, node: Mapping[str, Any]) -> TestSet:
    return TestSet(
        name=figure_words(name),
        figures=[(figure_words(key), _figure(key, value)) for key, value in node.items() if key != "classes"],
        classes=[
            (_label(label), *(_figure(name, _mapping(row).get(name)) for name in CLASS_FIGURES))
            for label, row in _mapping(node.get("classes")).items()
            if not _is_absent(row)
        ],
    )


def _is_absent(row: Any) -> bool:
    """Whether the test has no slice of the class, of which it then says nothing."""
    recall = _mapping(row).get("recall")
    return isinstance(recall, Mapping) and recall.get("value") is None


def _fact(value: Any) -> str:
    return card_words(value) if isinstance(value, str) else _text(value)


def _figure(name: str, value: Any) -> str:
    """A share or a score with its interval and what became of its aim, a share, or a count."""
    tell = _text if name in SCORES else percent
    if isinstance(value, Mapping) and "value" in value:
        told = with_interval(value["value"], value.get("interval"), tell)
        return ", ".join(filter(None, (told, _aim(value))))
    return tell(value) if isinstance(value, float) and 0 <= value <= 1 else _text(value)


def _aim(figure: Mapping[str, Any]) -> str:
    """Empty where there is none: figures that are only reported."""
    met = figure.get("met")
    if not isinstance(met, bool):
        return ""
    return _("aim met") if met else _("aim missed")


def _sentences(value: Any) -> list[str]:
    if isinstance(value, str):
        return [card_words(value)]
    return [card_words(_text(item)) for item in value or []]


def _text(value: Any) -> str:
    match value:
        case None:
            return _("not given")
        case Mapping():
            return ", ".join(_text(item) for item in value.values())
        case list():
            return ", ".join(_text(item) for item in value)
        case bool():
            return _("yes") if value else _("no")
        case float():
            return number_format(f"{value:.4g}")
        case int():
            return number_format(value, force_grouping=True)
    return str(value)


def _label(name: str) -> str:
    return str(Label(name).label) if name in Label.values else name


def _source(name: str) -> str:
    """A class and where its images come from."""
    label, *source = name.split("/", 1)
    return ", ".join([_label(label), *source])


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
