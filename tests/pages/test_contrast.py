"""WCAG 2.2 AA, computed from the tokens of the style sheet: text 4.5 to 1, edges of controls 3 to 1.

A colour is never the only sign: the mark of a tone is its own.
"""

import re

import pytest
from django.conf import settings

STYLES = settings.BASE_DIR / "static" / "css"
CSS = (STYLES / "base.css").read_text("utf-8")
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{3,6}), (#[0-9a-f]{3,6})\)", CSS)
}
GROUNDS = ("ground", "surface", "raised")
WORDS = ("ink", "muted", "link", "suspected", "uncertain", "clear", "waiting", "failed")


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    pairs = [digits[i : i + 2] for i in (0, 2, 4)] if len(digits) == 6 else [2 * digit for digit in digits]
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (int(pair, 16) / 255 for pair in pairs)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("token", WORDS)
def test_words_can_be_read_on_every_ground(token: str, ground: str, theme: int) -> None:
    assert contrast(TOKENS[token][theme], TOKENS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["ground", "surface"])
@pytest.mark.parametrize("token", ["line-strong", "focus"])
def test_edges_of_controls_and_the_focus_can_be_seen(token: str, ground: str, theme: int) -> None:
    assert contrast(TOKENS[token][theme], TOKENS[ground][theme]) >= 3


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("token", ["main", "main-hover"])
def test_the_words_on_a_main_button_can_be_read(token: str, theme: int) -> None:
    [words] = re.findall(r"--on-main: (#[0-9a-f]{6})", CSS)
    assert contrast(words, TOKENS[token][theme]) >= 4.5


def test_the_mark_of_no_tumour_stands_nowhere_without_its_tone() -> None:
    rules = re.findall(r"([^{}]+){([^{}]*)}", (STYLES / "pages.css").read_text("utf-8"))
    assert [selector.strip() for selector, rule in rules if "○" in rule] == [".tag-clear::before"]
