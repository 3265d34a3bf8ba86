"""The worklist as a table for a spreadsheet, written while it is read."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import tzinfo

from django.http import StreamingHttpResponse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from classifier.services.worklist import Row
from classifier.templatetags.portal import in_words, verdict_words
from classifier.templatetags.worklist import likelihood, standing

# What a spreadsheet would take for the beginning of a formula, with the wide letters of East Asian ones.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
BYTE_ORDER_MARK = "\ufeff"  # without it Excel reads UTF-8 as something else


class _Line:
    """What `csv` writes to: a line is handed on instead of kept."""

    def write(self, line: str) -> str:
        return line


def as_csv(batches: Iterable[Sequence[Row]]) -> StreamingHttpResponse:
    """``batches`` are read in the language and time zone of this moment, however long it takes."""
    lines = _lines(batches, translation.get_language(), timezone.get_current_timezone())
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="worklist.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


def _lines(batches: Iterable[Sequence[Row]], language: str | None, zone: tzinfo) -> Iterator[str]:
    writer = csv.writer(_Line())
    with translation.override(language):
        heading = BYTE_ORDER_MARK + str(writer.writerow(_columns()))
    yield heading
    for rows in batches:
        with translation.override(language), timezone.override(zone):
            lines = [str(writer.writerow(map(harmless, _cells(row)))) for row in rows]
        yield "".join(lines)


def harmless(cell: str) -> str:
    """The cell as text: what somebody typed must not act when the file is opened."""
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA) else cell


def _columns() -> list[str]:
    return [
        _("Case"),
        _("Patient"),
        _("Department"),
        _("Study date"),
        _("Received"),
        _("Question"),
        _("Scans"),
        _("Result"),
        _("Tumour probability"),
        _("In words"),
        _("Status"),
        _("Verdict"),
        _("Read by"),
        _("Assigned to"),
        _("Research use only"),
    ]


def _cells(row: Row) -> list[str]:
    case, answer = row.case, row.leading
    probability = answer.told_probability if answer else None
    return [
        str(case.pk),
        case.patient.reference,
        case.department.name,
        case.study_date.isoformat() if case.study_date else "",
        timezone.localtime(case.created_at).isoformat(timespec="minutes"),
        case.question,
        str(row.scans),
        in_words(answer),
        "" if probability is None else f"{probability:.3f}",
        str(likelihood(answer)),
        str(standing(case)),
        verdict_words(row.review) if row.review else "",
        case.reviewer.get_username() if case.reviewer else "",
        case.assignee.get_username() if case.assignee else "",
        _("not a medical device"),
    ]
