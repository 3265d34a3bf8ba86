"""How the pages put numbers and times into words."""

from collections.abc import Mapping
from typing import Any

from django import template
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from classifier import sentences
from classifier.models import Analysis, Answer, Review
from classifier.models.analysis import Label, Outcome
from classifier.models.preferences import Theme
from classifier.pages import wording
from classifier.pages.guide import first_steps
from classifier.pages.reading_forms import ReviewForm
from classifier.sentences import SENTENCES, percent, translated, with_interval
from classifier.services.figures import Share

register = template.Library()
for words in (percent, wording.event_words, wording.via_words):
    register.filter(words)


@register.filter
def theme(request: HttpRequest) -> str:
    """The person's colours, or those this browser remembers; dark where nobody has chosen."""
    chosen = getattr(request, "theme", "") or request.COOKIES.get("theme", "")
    return chosen if chosen in Theme.values else Theme.DARK


@register.inclusion_tag("parts/guide.html", takes_context=True)
def guide(context: dict[str, Any]) -> dict[str, Any]:
    """The first steps of whoever looks at the page."""
    return {"steps": first_steps(context["user"]), "csrf_token": context.get("csrf_token")}


@register.filter
def interval(share: Share | None) -> str:
    """A counted share with its 95% interval; empty without anything counted."""
    return with_interval(share.value, share.interval) if share and share.total else ""


@register.filter
def duration(seconds: float | None) -> str:
    """A time in the one unit that matters."""
    if seconds is None:
        return ""
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{number_format(seconds / size, decimal_pos=1)} {name}"
    return f"{number_format(seconds, decimal_pos=0)} s"


@register.filter
def entry(found: Mapping[str, Any], name: str) -> Any:
    return found.get(name)


@register.filter
def tumour(analysis: Analysis | None) -> str:
    """The probability of any tumour; empty where none is told."""
    share = analysis.told_probability if analysis else None
    return "" if share is None else percent(share)


@register.filter
def bars(analysis: Analysis) -> list[dict[str, object]]:
    """The four probabilities, the likeliest first."""
    ranked = sorted((analysis.probabilities or {}).items(), key=lambda item: -item[1])
    return [
        {"name": name, "label": Label(name).label, "share": share, "width": f"{share * 100:.1f}%"}
        for name, share in ranked
    ]


@register.filter
def tone(analysis: Analysis | None) -> str:
    """Which colour goes with the words; never the only sign of what is meant."""
    if analysis is None:
        return "empty"
    if not analysis.is_finished or analysis.answer_hidden:
        return "waiting"
    if analysis.suspects_tumour:
        return "suspected"
    if analysis.outcome == Outcome.NO_TUMOUR:
        return "clear"
    return "uncertain" if analysis.outcome == Outcome.UNCERTAIN else "failed"


@register.filter
def answer_tone(answer: str) -> str:
    """The colour of what a person has concluded."""
    return {Answer.NO_TUMOUR.value: "clear", Answer.CANNOT_TELL.value: "uncertain"}.get(answer, "suspected")


@register.filter
def in_words(analysis: Analysis | None) -> str:
    """The answer, or how far it is."""
    if analysis is None:
        return _("No images yet")
    if analysis.answer_hidden:
        return _("To be read")
    return str(
        Outcome(analysis.outcome).label if analysis.outcome else Analysis.Status(analysis.status).label
    )


@register.filter
def reason_words(analysis: Analysis) -> str:
    """Why uncertain or refused."""
    return translated(analysis.reason, analysis.reason_text or analysis.reason)


@register.filter
def refusal_words(code: str) -> str:
    """Why a slice of a scan is not judged."""
    return str(SENTENCES.get(code) or _("not judged"))


@register.filter
def error_words(analysis: Analysis) -> str:
    return translated(analysis.error_code, analysis.error_detail)


@register.filter
def verdict_words(review: Review) -> str:
    return review.get_label_display() or review.get_verdict_display()


@register.filter
def place_words(review: Review) -> str:
    """Of a review that names a place."""
    assert review.region  # noqa: S101 - the template asks first
    return sentences.place_words(review.region["slice"], elsewhere=review.wrong_region)


@register.filter
def review_form(analysis: Analysis) -> ReviewForm:
    return ReviewForm(analysis=analysis)
