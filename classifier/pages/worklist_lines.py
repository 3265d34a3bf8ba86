"""The worklist's rows in the words that stand on the page.

Fifty rows of a dozen cells are most of what the page costs; the template only has to print them.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.template.defaultfilters import truncatechars
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classifier.services.worklist import Row
from classifier.templatetags.portal import in_words, tone, tumour, verdict_words
from classifier.templatetags.worklist import ago, likelihood, standing

QUESTION_SHOWN = 90
ANY_KEY = uuid.UUID(int=0)


@dataclass(frozen=True, slots=True)
class Line:
    """``images`` says how many there are; ``images_beyond`` that they are more than the thumbnails."""

    key: str
    url: str
    row_class: str
    choose: str
    reference: str
    name: str
    question: str
    department: str
    thumbnails: Sequence[str]
    images: str
    images_beyond: bool
    tone: str
    result: str
    tumour: str
    likelihood: str
    standing: str
    study: str
    verdict: str
    reader: str
    assignee: str
    received_at: str
    received: str
    age: str


def lines(rows: Iterable[Row], *, with_department: bool) -> list[Line]:
    case_address, picture_address = _address("case"), _address("thumbnail")
    return [_line(row, case_address, picture_address, with_department) for row in rows]


def _address(name: str) -> str:
    """With a place for the key: finding an address two hundred times is slower than filling one in."""
    return reverse(name, args=[ANY_KEY]).replace(str(ANY_KEY), "{}")


def _line(row: Row, case_address: str, picture_address: str, with_department: bool) -> Line:
    case, patient, answer = row.case, row.case.patient, row.leading
    colour = tone(answer)
    beyond = row.scans > len(row.thumbnails)
    arrived = timezone.localtime(case.created_at)
    return Line(
        key=str(case.pk),
        url=case_address.format(case.pk),
        row_class=f"tone-{colour} settled" if case.is_settled else f"tone-{colour}",
        choose=_("Choose %(reference)s") % {"reference": patient.reference},
        reference=patient.reference,
        name=patient.name,
        question=truncatechars(case.question, QUESTION_SHOWN),
        department=case.department.name if with_department else "",
        thumbnails=[f"{picture_address.format(one.scan_id)}?list={one.word}" for one in row.thumbnails],
        images=_images(row, beyond),
        images_beyond=beyond,
        tone=colour,
        result=in_words(answer),
        tumour=tumour(answer),
        likelihood=str(likelihood(answer)),
        standing=str(standing(case)),
        study=date_format(case.study_date, "SHORT_DATE_FORMAT") if case.study_date else "",
        verdict=verdict_words(row.review) if row.review else "",
        reader=_reader(row),
        assignee=case.assignee.get_username() if case.assignee else "",
        received_at=arrived.isoformat(timespec="seconds"),
        received=date_format(arrived, "SHORT_DATETIME_FORMAT"),
        age=ago(case.created_at),
    )


def _images(row: Row, beyond: bool) -> str:
    if not row.scans:
        return ""
    if beyond:
        return _("and %(number)s more") % {"number": row.scans - len(row.thumbnails)}
    return ngettext("%(number)s scan", "%(number)s scans", row.scans) % {"number": row.scans}


def _reader(row: Row) -> str:
    """Who said it, and of how many scans where some are left; else who read last."""
    if row.review is None:
        return row.case.reviewer.get_username() if row.case.reviewer else ""
    name = row.review.reviewer.get_username()
    if row.reviewed == row.scans:
        return name
    count = _("%(reviewed)s of %(count)s scans") % {"reviewed": row.reviewed, "count": row.scans}
    return f"{name}, {count}"
