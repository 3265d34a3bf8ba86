"""How a department's reading goes, in numbers: work, speed, agreement with the machine, and drift.

Nothing here names a patient or a reader, so that looking at it is no event of the audit trail. Everything
is about the scans that were uploaded in the period, and for each scan about its latest analysis. What the
machine said of a scan is not counted for somebody who has yet to read it blind.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from math import ceil, sqrt
from typing import Any

from django.core.cache import cache
from django.db.models import Count, DateField, F, FloatField, Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, TruncDate, TruncWeek
from django.utils import timezone

from classifier.models import Analysis, Answer, Case, DepartmentPolicy, User
from classifier.models.analysis import TUMOUR_OUTCOMES, Label, Outcome
from classifier.services.reading import blind_departments, readings, with_open_answer

Z_95 = 1.959964
TUMOURS = (Label.GLIOMA, Label.MENINGIOMA, Label.PITUITARY)
SUSPECTED, FAILED = "suspected", "failed"
# A scan's, as text: to make ten thousands of UUIDs costs more than to ask for them.
KEY = Cast("scan_id", TextField())
KEPT = timedelta(minutes=5)
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
    def of(cls, waits: Iterable[timedelta | None]) -> Turnaround:
        seconds = sorted(wait.total_seconds() for wait in waits if wait is not None)
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
    counted_at: datetime
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
    # Whether answers were left out that the user has yet to read blind.
    leaves_out: bool


@dataclass
class _Scan:
    """What the period's rows tell of one scan; times are counted from its upload."""

    week: date
    brightness: float | None
    answered: timedelta | None = None
    first_read: timedelta | None = None
    last_read: timedelta | None = None
    standing: str = ""
    # What the machine said, and what the last reader of it.
    said: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class _Reads:
    """How often what the machine said met what the reading came to."""

    pairs: Counter[tuple[str, str]]

    def share(self, truth: Collection[str], said: Collection[str], *, but: bool = False) -> Share:
        """Of the scans with such a truth those of which the machine said so, or with ``but`` did not."""
        among = {pair: count for pair, count in self.pairs.items() if pair[1] in truth}
        hits = sum(count for (outcome, _), count in among.items() if (outcome in said) != but)
        return Share(hits, sum(among.values()))

    def agreement(self, outcomes: Collection[str]) -> Share:
        """Where the machine named one of these classes and the reading came to a class."""
        labels = set(Label.values)
        both = [(pair, n) for pair, n in self.pairs.items() if pair[0] in outcomes and pair[1] in labels]
        return Share(sum(n for (said, answer), n in both if said == answer), sum(n for _, n in both))


def department_figures(*, user: User, department: int | None, weeks: int) -> Figures:
    """Of one department, or of all that ``user`` may see; whole weeks back from today, at most 104.

    Counted anew when they are ``KEPT`` old: a year of a large hospital takes half a second.
    """
    today = timezone.localdate()
    first = today - timedelta(days=today.weekday(), weeks=min(max(weeks, 1), 104) - 1)
    seen = "all" if user.sees_every_department else user.department_keys if user.may_review else []
    reader = user.pk if blind_departments(user) else None
    scope = (seen, department, first, today, timezone.get_current_timezone_name(), reader)
    key = f"figures:{sha256(repr(scope).encode()).hexdigest()}"
    found: Figures | None = cache.get(key)
    if found is None:
        found = _counted(user, department, first, today)
        cache.set(key, found, KEPT.total_seconds())
    return found


def _counted(user: User, department: int | None, first: date, today: date) -> Figures:
    since = timezone.make_aware(datetime.combine(first, datetime.min.time()))
    analyses = _analyses(user, department, since)
    scans, open_to_user = _scans(analyses), with_open_answer(analyses, user)
    leaves_out = open_to_user is not analyses
    told = _scans(open_to_user) if leaves_out else scans
    reads = _reads(told, open_to_user)
    standings = Counter(scan.standing for scan in told.values() if scan.standing)
    return Figures(
        counted_at=timezone.now(),
        cases_by_day=_cases_by_day(user, department, since, first, today),
        to_answer=Turnaround.of(scan.answered for scan in scans.values()),
        to_review=Turnaround.of(scan.first_read for scan in scans.values()),
        matrix=_matrix(reads),
        agreement=reads.agreement(Label.values),
        sensitivity=reads.share(TUMOURS, TUMOUR_OUTCOMES),
        not_missed=reads.share(TUMOURS, [Outcome.NO_TUMOUR], but=True),
        specificity=reads.share([Label.NO_TUMOUR], TUMOUR_OUTCOMES, but=True),
        standings=_shares(standings),
        weeks=_weeks(scans.values(), told.values(), first, today),
        leaves_out=leaves_out,
    )


def _of(rows: QuerySet[Any], path: str, department: int | None) -> QuerySet[Any]:
    return rows if department is None else rows.filter(**{path: department})


def _analyses(user: User, department: int | None, since: datetime) -> QuerySet[Analysis]:
    """Of the scans since then; an upload asks for an analysis, so that every scan has one."""
    # None is older than its scan, and to say so spares the database the whole history of analyses.
    rows = Analysis.objects.visible_to(user).filter(scan__created_at__gte=since, created_at__gte=since)
    return _of(rows, "scan__case__department", department)


def _cases_by_day(
    user: User, department: int | None, since: datetime, first: date, today: date
) -> list[tuple[date, int]]:
    cases = _of(Case.objects.visible_to(user).filter(created_at__gte=since), "department", department)
    by_day = cases.order_by().annotate(day=TruncDate("created_at")).values_list("day").annotate(Count("pk"))
    counted = dict(by_day)
    days = (first + timedelta(days=number) for number in range((today - first).days + 1))
    return [(day, counted.get(day, 0)) for day in days]


def _scans(analyses: QuerySet[Analysis]) -> dict[str, _Scan]:
    """By ``KEY``, from one statement with a row for each analysis and each read of it."""
    rows = analyses.order_by("created_at").values_list(
        KEY,
        TruncWeek("scan__created_at", output_field=DateField()),
        Cast(KeyTextTransform("mean_brightness", "scan__facts"), FloatField()),
        "status",
        "outcome",
        F("finished_at") - F("scan__created_at"),
        F("reviews__created_at") - F("scan__created_at"),
        "reviews__label",
    )
    scans: dict[str, _Scan] = {}
    for key, week, brightness, status, outcome, answered, read, label in rows:
        scan = scans.get(key)
        if scan is None:
            scan = scans[key] = _Scan(week, brightness)
        scan.standing = _standing(status, outcome)
        if scan.answered is None:
            scan.answered = answered
        if read is not None:
            _add_read(scan, read, (outcome, label or Answer.CANNOT_TELL.value))
    return scans


def _add_read(scan: _Scan, read: timedelta, said: tuple[str, str]) -> None:
    if scan.first_read is None or read < scan.first_read:
        scan.first_read = read
    if scan.last_read is None or read >= scan.last_read:
        scan.last_read, scan.said = read, said


def _standing(status: str, outcome: str) -> str:
    """What became of a scan; empty while it is open."""
    if status == Analysis.Status.FAILED:
        return FAILED
    return SUSPECTED if outcome in TUMOUR_OUTCOMES else outcome


def _reads(scans: Mapping[str, _Scan], analyses: QuerySet[Analysis]) -> _Reads:
    """Where two persons read or a third has decided, `readings` alone knows what they have come to."""
    departments = DepartmentPolicy.objects.filter(second_reader=True).values_list("pk", flat=True)
    together = Q(scan__case__department__in=list(departments)) | Q(adjudication__isnull=False)
    by_two = analyses.filter(together, reviews__isnull=False)
    latest = {reading.scan_id.hex: reading for reading in readings(by_two)}
    by_one = (scan.said for key, scan in scans.items() if scan.said[0] and key.replace("-", "") not in latest)
    pairs = Counter(by_one)
    pairs.update((one.outcome, one.answer) for one in latest.values() if one.outcome and one.answer)
    return _Reads(pairs)


def _matrix(reads: _Reads) -> list[MatrixRow]:
    labels = set(Label.values)
    return [
        MatrixRow(
            outcome,
            [reads.pairs[outcome, answer] for answer in Answer.values],
            reads.agreement([outcome]) if outcome in labels else None,
        )
        for outcome in Outcome.values
    ]


def _shares(standings: Counter[str]) -> dict[str, Share]:
    return {name: Share(standings[name], standings.total()) for name in STANDINGS}


def _weeks(scans: Iterable[_Scan], told: Iterable[_Scan], first: date, today: date) -> list[Week]:
    """``told`` are those of the scans whose answers count."""
    all_of, told_of = _by_week(scans), _by_week(told)
    starts = [first + timedelta(weeks=number) for number in range((today - first).days // 7 + 1)]
    return [_week(start, all_of[start], told_of[start]) for start in starts]


def _by_week(scans: Iterable[_Scan]) -> dict[date, list[_Scan]]:
    by_week: dict[date, list[_Scan]] = defaultdict(list)
    for scan in scans:
        by_week[scan.week].append(scan)
    return by_week


def _week(start: date, scans: Sequence[_Scan], told: Sequence[_Scan]) -> Week:
    bright = [scan.brightness for scan in scans if scan.brightness is not None]
    standings = Counter(scan.standing for scan in told if scan.standing)
    return Week(start, len(scans), sum(bright) / len(bright) if bright else None, _shares(standings))


def _rank(ordered: Sequence[float], share: float) -> float | None:
    """The nearest rank: a value that was really measured."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None
