"""How a department's reading goes, in numbers: work, speed, agreement with the machine, and drift.

Nothing here names a patient or a reader, so that looking at it is no event of the audit trail. Everything
is about the scans that were uploaded in the period, and for each scan about its latest analysis.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import ceil, sqrt
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet, TextField
from django.db.models.functions import Cast, TruncDate
from django.utils import timezone

from classifier.models import Analysis, Answer, Case, Review, Scan, User
from classifier.models.analysis import TUMOUR_OUTCOMES, Label, Outcome
from classifier.services.reading import Reading, readings

Z_95 = 1.959964
TUMOURS = (Label.GLIOMA, Label.MENINGIOMA, Label.PITUITARY)
SUSPECTED, FAILED = "suspected", "failed"
TWO_READERS = "analysis__scan__case__department__reading_policy__second_reader"
STANDINGS = (SUSPECTED, Outcome.NO_TUMOUR.value, Outcome.UNCERTAIN.value, Outcome.REFUSED.value, FAILED)


@dataclass(frozen=True)
class Share:
    """``hits`` of ``total``, with Wilson's interval at 95%; ``value`` is None without anything counted."""

    hits: int
    total: int

    @property
    def value(self) -> float | None:
        return self.hits / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        if not self.total:
            return None
        share, spread = self.hits / self.total, Z_95**2 / self.total
        centre = share + spread / 2
        reach = Z_95 * sqrt(share * (1 - share) / self.total + spread / (4 * self.total))
        low, high = (centre - reach) / (1 + spread), (centre + reach) / (1 + spread)
        # Where all or none are hits an end is exactly 1 or 0, which floats miss by a hair.
        return 0.0 if self.hits == 0 else low, 1.0 if self.hits == self.total else high


@dataclass(frozen=True)
class Turnaround:
    """Seconds since the upload; None where nothing was counted."""

    count: int
    median_s: float | None
    p90_s: float | None

    @classmethod
    def of(cls, waits: Iterable[timedelta]) -> Turnaround:
        seconds = sorted(wait.total_seconds() for wait in waits)
        return cls(len(seconds), _rank(seconds, 0.5), _rank(seconds, 0.9))


@dataclass(frozen=True)
class MatrixRow:
    """What readers said where the machine said ``outcome``, in the order of `Answer`."""

    outcome: str
    counts: list[int]
    agreement: Share | None


@dataclass(frozen=True)
class Week:
    """``standings`` counts scans by what became of them; ``brightness`` is the mean of [0, 1]."""

    start: date
    scans: int
    brightness: float | None
    standings: dict[str, Share]


@dataclass
class Figures:
    cases_by_day: list[tuple[date, int]]
    to_answer: Turnaround
    to_review: Turnaround
    matrix: list[MatrixRow]
    agreement: Share
    sensitivity: Share
    not_missed: Share
    specificity: Share
    standings: dict[str, Share]
    weeks: list[Week]


@dataclass
class _Scan:
    """What the period's rows tell of one scan."""

    uploaded: datetime
    brightness: float | None
    answered: datetime | None = None
    reviewed: datetime | None = None
    standing: str = ""
    # What the machine said and what the reading came to, where one person reads.
    said: tuple[str, str] | None = None


@dataclass
class _Reads:
    """Pairs of (what the machine said, what the reading came to)."""

    pairs: list[tuple[str, str]] = field(default_factory=list)

    def share(self, truth: Sequence[str], said: Iterable[str], *, but: bool = False) -> Share:
        """Of the scans with such a truth those of which the machine said so, or with ``but`` did not."""
        among = [outcome for outcome, answer in self.pairs if answer in truth]
        return Share(sum((outcome in set(said)) != but for outcome in among), len(among))


def department_figures(*, user: User, department: int | None, weeks: int) -> Figures:
    """Of one department, or of all that ``user`` may see; whole weeks back from today, at most 104."""
    today = timezone.localdate()
    first = today - timedelta(days=today.weekday(), weeks=min(max(weeks, 1), 104) - 1)
    since = timezone.make_aware(datetime.combine(first, datetime.min.time()))
    scans = _scans(user, department, since)
    reads = _reads(scans.values(), _analyses(user, department, since))
    standings = Counter(scan.standing for scan in scans.values() if scan.standing)
    return Figures(
        cases_by_day=_cases_by_day(user, department, since, first, today),
        to_answer=Turnaround.of(one.answered - one.uploaded for one in scans.values() if one.answered),
        to_review=Turnaround.of(one.reviewed - one.uploaded for one in scans.values() if one.reviewed),
        matrix=_matrix(reads),
        agreement=_agreement(reads.pairs),
        sensitivity=reads.share(TUMOURS, TUMOUR_OUTCOMES),
        not_missed=reads.share(TUMOURS, [Outcome.NO_TUMOUR], but=True),
        specificity=reads.share([Label.NO_TUMOUR], TUMOUR_OUTCOMES, but=True),
        standings=_shares(standings),
        weeks=_weeks(scans.values(), first, today),
    )


def _of(rows: QuerySet[Any], path: str, department: int | None) -> QuerySet[Any]:
    return rows if department is None else rows.filter(**{path: department})


def _analyses(user: User, department: int | None, since: datetime) -> QuerySet[Analysis]:
    rows = Analysis.objects.visible_to(user).filter(scan__created_at__gte=since)
    return _of(rows, "scan__case__department", department)


def _cases_by_day(
    user: User, department: int | None, since: datetime, first: date, today: date
) -> list[tuple[date, int]]:
    cases = _of(Case.objects.visible_to(user).filter(created_at__gte=since), "department", department)
    by_day = cases.order_by().annotate(day=TruncDate("created_at")).values_list("day").annotate(Count("pk"))
    counted = dict(by_day)
    days = (first + timedelta(days=number) for number in range((today - first).days + 1))
    return [(day, counted.get(day, 0)) for day in days]


def _scans(user: User, department: int | None, since: datetime) -> dict[str, _Scan]:
    rows = _of(Scan.objects.visible_to(user).filter(created_at__gte=since), "case__department", department)
    found = _keyed(rows, "pk", "created_at", "facts__mean_brightness")
    scans = {key: _Scan(uploaded, bright) for key, uploaded, bright in found}
    analyses = _analyses(user, department, since).order_by("created_at")
    for key, status, outcome, finished in _keyed(analyses, "scan_id", "status", "outcome", "finished_at"):
        if key in scans:
            scans[key].answered = scans[key].answered or finished
            scans[key].standing = _standing(status, outcome)
    reviews = _of(Review.objects.visible_to(user), "analysis__scan__case__department", department)
    reviews = reviews.filter(analysis__scan__created_at__gte=since).order_by("created_at")
    columns = ("created_at", "analysis__outcome", "label", TWO_READERS)
    for key, moment, outcome, label, two_readers in _keyed(reviews, "analysis__scan_id", *columns):
        if key in scans:
            scans[key].reviewed = scans[key].reviewed or moment
            scans[key].said = None if two_readers else (outcome, label or Answer.CANNOT_TELL.value)
    return scans


def _keyed(rows: QuerySet[Any], key: str, *columns: str) -> Iterable[tuple[Any, ...]]:
    """The columns behind the key as text: to make ten thousands of UUIDs costs more than to ask for them."""
    found: Iterable[tuple[Any, ...]] = rows.annotate(key_text=Cast(key, TextField())).values_list(
        "key_text", *columns
    )
    return found


def _standing(status: str, outcome: str) -> str:
    """What became of a scan; empty while it is open."""
    if status == Analysis.Status.FAILED:
        return FAILED
    return SUSPECTED if outcome in TUMOUR_OUTCOMES else outcome


def _reads(scans: Iterable[_Scan], analyses: QuerySet[Analysis]) -> _Reads:
    """Where two persons read, `readings` alone knows what they have come to."""
    pairs = [scan.said for scan in scans if scan.said and scan.said[0]]
    read = Exists(Review.objects.filter(analysis=OuterRef("pk")))
    by_two = analyses.filter(read, scan__case__department__reading_policy__second_reader=True)
    latest: dict[uuid.UUID, Reading] = {reading.scan_id: reading for reading in readings(by_two)}
    pairs += [(one.outcome, one.answer) for one in latest.values() if one.outcome and one.answer]
    return _Reads(pairs)


def _matrix(reads: _Reads) -> list[MatrixRow]:
    counted = Counter(reads.pairs)
    return [
        MatrixRow(
            outcome,
            [counted[outcome, answer] for answer in Answer.values],
            _agreement([pair for pair in reads.pairs if pair[0] == outcome])
            if outcome in Label.values
            else None,
        )
        for outcome in Outcome.values
    ]


def _agreement(pairs: Sequence[tuple[str, str]]) -> Share:
    """Where the machine named a class and the reading came to one."""
    both = [pair for pair in pairs if set(pair) <= set(Label.values)]
    return Share(sum(said == answer for said, answer in both), len(both))


def _shares(standings: Counter[str]) -> dict[str, Share]:
    return {name: Share(standings[name], standings.total()) for name in STANDINGS}


def _weeks(scans: Iterable[_Scan], first: date, today: date) -> list[Week]:
    by_week: dict[date, list[_Scan]] = defaultdict(list)
    zone = timezone.get_current_timezone()
    for scan in scans:
        day = scan.uploaded.astimezone(zone).date()
        by_week[day - timedelta(days=day.weekday())].append(scan)
    starts = [first + timedelta(weeks=number) for number in range((today - first).days // 7 + 1)]
    return [_week(start, by_week[start]) for start in starts]


def _week(start: date, scans: Sequence[_Scan]) -> Week:
    bright = [scan.brightness for scan in scans if scan.brightness is not None]
    standings = Counter(scan.standing for scan in scans if scan.standing)
    return Week(start, len(scans), sum(bright) / len(bright) if bright else None, _shares(standings))


def _rank(ordered: Sequence[float], share: float) -> float | None:
    """The nearest rank: a value that was really measured."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None
