"""The model card, whole or with parts missing."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from classifier.audit import Actor
from classifier.models import ModelVersion, User
from classifier.pages.cards import card_page
from classifier.sentences import FACTS, FIGURES, card_words
from classifier.services.preferences import keep_preferences
from tests.pages.reading import words

FIGURE = {"value": 0.9834, "interval": [0.9724, 0.9923]}


def test_the_shipped_models_card_can_be_read(browser: Client, active_model: ModelVersion) -> None:
    page = words(browser.get(reverse("model_card", args=[active_model.version])))
    for part in (
        active_model.version,
        "In use",
        "Research use only",
        "What it is for",
        "Where not to trust it",
    ):
        assert part in page
    for sentence in active_model.card["limits"]:
        assert sentence in page


def test_a_figure_comes_with_its_interval() -> None:
    page = card_page({"metrics": {"published_test": {"slices": 1310, "tumour_sensitivity": FIGURE}}})
    [test] = page.tests
    assert test.name == "Published test"
    assert test.figures == [("Slices", "1,310"), ("Sensitivity for any tumour", "98% (97% to >99%)")]


def test_an_aim_that_was_missed_is_not_told_as_if_it_were_met() -> None:
    aims = {
        "macro_f1": {**FIGURE, "met": False},
        "wrongly_refused": {**FIGURE, "met": True},
        "dice_lgg": {**FIGURE, "met": None},
    }
    told = dict(card_page({"metrics": {"targets": aims}}).tests[0].figures)
    assert told["Mean F1 of the classes"] == "98% (97% to >99%), aim missed"
    assert told["Wrongly refused"] == "98% (97% to >99%), aim met"
    assert told["Overlap of the outlines (Dice), low-grade gliomas"] == "98% (97% to >99%)"


def test_a_brier_score_is_no_share() -> None:
    figure = {"value": 0.1089, "interval": [0.05, 1.2]}
    [test] = card_page({"metrics": {"targets": {"brier": figure}}}).tests
    assert test.figures == [("Brier score", "0.1089 (0.05 to 1.2)")]


def test_the_shipped_models_card_speaks_the_readers_language(
    browser: Client, active_model: ModelVersion, alice: User
) -> None:
    """A release that says something new brings its translation: `classifier/sentences.py` holds the words."""
    keep_preferences(actor=Actor(user=alice, via="page"), language="es")
    page = words(browser.get(reverse("model_card", args=[active_model.version])))
    card = active_model.card
    english = [card["intended_use"], *card["not_for"], *card["limits"]]
    # Once is in the card as it is stored.
    assert not [sentence for sentence in english if page.count(sentence) > 1]
    with translation.override("es"):
        spanish = [card_words(sentence) for sentence in english]
        assert all(sentence in page for sentence in spanish)
        tests = {name: test for name, test in card["metrics"].items() if name != "sources"}
        assert not [name for name in {*tests, *tests["holdout"]} - {"classes"} if name not in FIGURES]
    facts = {name for name, value in card.items() if isinstance(value, str | int | float)}
    assert facts - {"version", "notice", "intended_use"} <= set(FACTS)
    assert "Punto de trabajo" in page and "Operating point" not in page


def test_what_a_card_says_that_nobody_has_translated_stays_as_it_is() -> None:
    with translation.override("es"):
        page = card_page({"limits": ["Never seen a Tuesday."], "metrics": {"odd_test": {"odd_figure": 3}}})
    assert page.limits == ["Never seen a Tuesday."]
    assert [(test.name, test.figures) for test in page.tests] == [("Odd test", [("Odd figure", "3")])]


def test_figures_by_class_are_named_in_clinical_words() -> None:
    row = {"precision": FIGURE, "recall": 0.5, "f1": FIGURE}
    [test] = card_page({"metrics": {"test": {"classes": {"notumor": row}}}}).tests
    assert test.classes == [("No tumour", "98% (97% to >99%)", "50%", "98% (97% to >99%)")]


def test_a_class_of_which_a_test_has_no_slice_is_left_out() -> None:
    absent = {"precision": {"value": 0.0, "interval": [0, 0.8]}, "recall": {"value": None, "interval": None}}
    present = {"precision": FIGURE, "recall": FIGURE, "f1": FIGURE}
    [test] = card_page({"metrics": {"test": {"classes": {"meningioma": absent, "glioma": present}}}}).tests
    assert [row[0] for row in test.classes] == ["Glioma"]


def test_figures_by_source_keep_their_columns() -> None:
    sources = {"glioma/a": {"slices": 3, "recall": 1.0}, "glioma/b": {"slices": 4}}
    page = card_page({"metrics": {"sources": sources}})
    assert page.source_columns == ["Slices", "Recall"]
    assert page.sources == [("Glioma, a", "3", "100%"), ("Glioma, b", "4", "not given")]


@pytest.mark.parametrize(
    "card",
    [
        {},
        {"metrics": None},
        {"metrics": {"x": 3}},
        {"data": "one sentence", "not_for": None},
        {"limits": [{"a": [1]}]},
    ],
)
def test_a_card_with_parts_missing_is_still_a_page(card: dict[str, Any], browser: Client, db: None) -> None:
    ModelVersion.objects.create(version="odd", sha256="0" * 64, card=card)
    response = browser.get(reverse("model_card", args=["odd"]))
    assert response.status_code == 200
    assert "Not in use" in words(response)


def test_an_unknown_version_is_not_found(browser: Client) -> None:
    assert browser.get(reverse("model_card", args=["none"])).status_code == 404
