"""How the worklist puts places, probabilities and times into words."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django import template
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from classifier.models import Analysis, Case
from classifier.services.worklist_counts import AT_MOST, Counts

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

register = template.Library()
Triage = Case.Triage

STANDINGS = {
    Triage.SIGNED: gettext_lazy("Signed"),
    Triage.REVIEWED: gettext_lazy("Read"),
    Triage.EMPTY: gettext_lazy("No images yet"),
    Triage.WAITING: gettext_lazy("Under way"),
    Triage.SECOND_READ: gettext_lazy("Second read needed"),
    Triage.ADJUDICATION: gettext_lazy("Adjudication needed"),
}
# From this probability of any tumour on, these words.
LIKELIHOODS = (
    (0.95, gettext_lazy("very likely")),
    (0.8, gettext_lazy("likely")),
    (0.5, gettext_lazy("rather likely")),
    (0.2, gettext_lazy("rather unlikely")),
    (0.05, gettext_lazy("unlikely")),
    (0.0, gettext_lazy("very unlikely")),
)
UNITS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))
TONES = {
    Triage.SUSPECTED: "suspected",
    Triage.TO_READ: "waiting",
    Triage.ADJUDICATION: "uncertain",
    Triage.UNCERTAIN: "uncertain",
    Triage.SECOND_READ: "waiting",
    Triage.FAILED: "failed",
    Triage.WAITING: "waiting",
    Triage.NO_TUMOUR: "clear",
}
# Where only the machine has spoken.
MACHINES = (Triage.SUSPECTED, Triage.UNCERTAIN, Triage.FAILED, Triage.NO_TUMOUR)


@register.filter
def standing(case: Case) -> "StrOrPromise":
    """How far persons are with the case, whatever the machine says."""
    return STANDINGS.get(Triage(case.triage)) or _("To be read")


@register.filter
def suspicion(case: Case) -> "StrOrPromise":
    """What the machine says of a case that nobody has read and that is not read blind; otherwise empty."""
    return Triage(case.triage).label if case.triage in MACHINES else ""


@register.filter
def triage_tone(case: Case) -> str:
    return TONES.get(Triage(case.triage), "empty")


@register.filter
def likelihood(analysis: Analysis | None) -> "StrOrPromise":
    """The probability of any tumour in words; empty where none is told."""
    share = analysis.told_probability if analysis else None
    if share is None:
        return ""
    return next((words for least, words in LIKELIHOODS if share >= least), LIKELIHOODS[-1][1])


@register.filter
def ago(moment: datetime) -> str:
    """In the one unit that matters."""
    passed = timezone.now() - moment
    for unit, name in UNITS:
        if passed >= unit:
            return _("%(age)s ago") % {"age": f"{passed // unit} {name}"}
    return _("just now")


@register.filter
def groups(counts: Counts) -> list[dict[str, object]]:
    """The triages that hold cases, and the one of what is under way, the most pressing first."""
    return [
        {
            "key": triage,
            "label": Triage(triage).label,
            "number": up_to(number),
            "tone": TONES.get(Triage(triage), "empty"),
        }
        for triage, number in counts.by_triage.items()
        if number or triage == Triage.WAITING
    ]


@register.filter
def up_to(number: int) -> str:
    return f"{AT_MOST}+" if number >= AT_MOST else str(number)
