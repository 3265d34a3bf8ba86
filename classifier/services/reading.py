"""How far the human reading of an analysis is, and what a reader may see of it before their own read.

`sight_of` is the one question of what is hidden, and `veil` the one way to hide it: every verb that hands
out analyses to a person or a program passes them through it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from classifier.errors import Conflict
from classifier.models import Analysis, Answer, Case, DepartmentPolicy, ReportedAnalysis, Review, Scan, User

NOTHING = {name: getattr(Analysis(), name) for name in Analysis.ANSWER_FIELDS}
COLUMNS = (
    "pk",
    "scan_id",
    "scan__case_id",
    "status",
    "outcome",
    "tumour_probability",
    "scan__case__department__reading_policy__second_reader",
    "scan__case__department__reading_policy__blind",
    "adjudication__adjudicator_id",
    "adjudication__answer",
    "reports__version",
    "reviews__pk",
    "reviews__reviewer_id",
    "reviews__label",
)


class Stage(Enum):
    UNREAD = "unread"
    SECOND_READ = "second_read_needed"
    ADJUDICATION = "adjudication_needed"
    READ = "read"
    SIGNED = "signed"


@dataclass(frozen=True)
class Sight:
    """What one person sees of an analysis: the machine's answer, and what other readers have said."""

    answer: bool = True
    reads: bool = True


@dataclass
class Reading:
    """What persons have made of one analysis. ``reviews`` holds (reader, answer), the earliest first.

    Where a department wants two independent reads, they agree when all that was said is the same.
    """

    analysis_id: uuid.UUID
    scan_id: uuid.UUID
    case_id: uuid.UUID
    status: str
    outcome: str
    tumour_probability: float | None
    second_reader: bool
    blind: bool
    adjudicator: int | None
    adjudicated: str | None
    signed: bool
    reviews: dict[uuid.UUID, tuple[int, str]] = field(default_factory=dict)
    # Who has read this scan, in this analysis or another of it: their eyes were open before.
    readers_of_scan: set[int] = field(default_factory=set)

    @property
    def is_finished(self) -> bool:
        return self.status in Analysis.FINISHED

    @property
    def readers(self) -> set[int]:
        return {reader for reader, _ in self.reviews.values()}

    @property
    def stage(self) -> Stage:
        if self.signed:
            return Stage.SIGNED
        if not self.reviews:
            return Stage.UNREAD
        if not self.second_reader or self.adjudicated is not None:
            return Stage.READ
        if len(self.readers) < 2:
            return Stage.SECOND_READ
        return Stage.READ if len(set(self._said)) == 1 else Stage.ADJUDICATION

    @property
    def answer(self) -> str | None:
        """What the reading has come to; None while it is open. Without a second reader the latest counts."""
        if self.adjudicated is not None:
            return self.adjudicated
        return self._said[-1] if self._said and self.stage in {Stage.READ, Stage.SIGNED} else None

    @property
    def is_contested(self) -> bool:
        """Whether readers differ in their last words, where the latest of them counts all the same."""
        last_words = dict(self.reviews.values())
        undecided = self.stage == Stage.READ and self.adjudicated is None
        return undecided and len(set(last_words.values())) > 1

    @property
    def _said(self) -> list[str]:
        return [answer for _, answer in self.reviews.values()]


def readings(analyses: QuerySet[Analysis]) -> list[Reading]:
    """Of all these analyses, the earliest first; one question to the database."""
    found: dict[uuid.UUID, Reading] = {}
    rows = analyses.order_by("created_at", "pk", "reviews__created_at").values_list(*COLUMNS)
    for row in rows:
        pk, scan, case, status, outcome, tumour, second, blind, *decided, version, review, reader, label = row
        reading = found.setdefault(
            pk,
            Reading(
                analysis_id=pk,
                scan_id=scan,
                case_id=case,
                status=status,
                outcome=outcome,
                tumour_probability=tumour,
                second_reader=bool(second),
                blind=bool(blind),
                adjudicator=decided[0],
                adjudicated=decided[1],
                signed=version is not None,
            ),
        )
        if review is not None:
            reading.reviews[review] = (reader, label or Answer.CANNOT_TELL.value)
    _tell_readers_of_scan(found.values())
    return list(found.values())


def reading_of(analysis_id: uuid.UUID) -> Reading:
    siblings = Analysis.objects.filter(scan__analyses=analysis_id)
    return next(reading for reading in readings(siblings) if reading.analysis_id == analysis_id)


def latest_readings(case_id: uuid.UUID) -> list[Reading]:
    """Of each scan's latest analysis."""
    return latest_readings_of([case_id])[case_id]


def latest_readings_of(case_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[Reading]]:
    """The same by case; one question to the database, none for no cases."""
    latest: dict[uuid.UUID, dict[uuid.UUID, Reading]] = {key: {} for key in case_ids}
    for reading in readings(Analysis.objects.filter(scan__case__in=list(latest))):
        latest[reading.case_id][reading.scan_id] = reading
    return {key: list(scans.values()) for key, scans in latest.items()}


def sight_of(user: User, reading: Reading) -> Sight:
    """Before their own read, a reader sees neither what is to be read independently nor what would tell it.

    Whoever does not read (auditors, administrators) sees everything, and so does everybody once the
    report is signed; a third person sees both reads that differ, to decide between them.
    """
    if not user.may_review or reading.signed or user.pk in {*reading.readers, reading.adjudicator}:
        return Sight()
    if reading.stage == Stage.ADJUDICATION:
        return Sight()
    answer = not reading.blind or not reading.is_finished or user.pk in reading.readers_of_scan
    return Sight(answer=answer, reads=answer and reading.stage != Stage.SECOND_READ)


def veil(*, user: User, analyses: Iterable[Analysis]) -> None:
    """Blank, on these rows in memory, what ``user`` is not to see yet. Give rows with scan and case.

    What is blanked reads as an analysis that has finished and says nothing, so that a page or program
    that knows nothing of blind reading shows nothing.
    """
    rows = list(analyses)
    policies = _policies(user) if rows else {}
    watched = [row for row in rows if row.scan.case.department_id in policies]
    if not watched:
        return
    siblings = Analysis.objects.filter(scan__in={row.scan_id for row in watched})
    known = {reading.analysis_id: reading for reading in readings(siblings)}
    for row in watched:
        _blank(row, sight_of(user, known[row.pk]))


def veil_scans(*, user: User, scans: Iterable[Scan]) -> None:
    """The same for the analyses that were fetched with ``scans``, which come with their case."""
    veil(user=user, analyses=[analysis for scan in scans for analysis in scan.analyses.all()])


def hidden_in_case(*, user: User, case: Case) -> dict[str, Sight]:
    """By the keys of the case's analyses and reviews that are not all open to ``user``."""
    if case.department_id not in _policies(user):
        return {}
    hidden: dict[str, Sight] = {}
    for reading in readings(Analysis.objects.filter(scan__case=case)):
        sight = sight_of(user, reading)
        if sight != Sight():
            hidden |= {str(key): sight for key in (reading.analysis_id, *reading.reviews)}
    return hidden


def answer_is_hidden() -> Conflict:
    return Conflict(
        "answer_hidden",
        _("Your department reads blind: record your own read first, then the answer is shown."),
    )


def blind_departments(user: User) -> list[int]:
    """Those in which ``user`` reads before seeing the machine's answer."""
    return [department for department, policy in _policies(user).items() if policy.blind]


def with_open_answer(analyses: QuerySet[Analysis], user: User) -> QuerySet[Analysis]:
    """Those whose answer ``user`` may ask for: a filter by outcome must not tell what is hidden.

    Stricter than `sight_of` by one case: what waits for adjudication is left out.
    """
    blind = blind_departments(user)
    if not blind:
        return analyses
    told = Review.objects.filter(reviewer=user).values("analysis__scan")
    signed = Exists(ReportedAnalysis.objects.filter(analysis=OuterRef("pk")))
    return analyses.filter(~Q(scan__case__department__in=blind) | Q(scan__in=told) | signed)


def with_open_answers(cases: QuerySet[Case], user: User) -> QuerySet[Case]:
    """The same for cases: in a department that reads blind, those that ``user`` has read whole, or signed."""
    blind = blind_departments(user)
    if not blind:
        return cases
    told = Review.objects.filter(reviewer=user, analysis__scan=OuterRef("pk"))
    untold = Scan.objects.filter(~Exists(told), case=OuterRef("pk"))
    signed = Q(triage=Case.Triage.SIGNED)
    return cases.filter(~Q(department__in=blind) | signed | ~Exists(untold))


def _policies(user: User) -> Mapping[int, DepartmentPolicy]:
    """The policies that hide something from ``user``, by department."""
    if not user.may_review:
        return {}
    if user.sees_every_department:
        found: Iterable[DepartmentPolicy] = DepartmentPolicy.objects.all()
    else:
        found = filter(None, (getattr(group, "reading_policy", None) for group in user.departments))
    return {policy.department_id: policy for policy in found if policy.blind or policy.second_reader}


def _tell_readers_of_scan(found: Iterable[Reading]) -> None:
    by_scan: dict[uuid.UUID, set[int]] = {}
    for reading in found:
        reading.readers_of_scan = by_scan.setdefault(reading.scan_id, set())
        reading.readers_of_scan |= reading.readers


def _blank(row: Analysis, sight: Sight) -> None:
    row.answer_hidden, row.reads_hidden = not sight.answer, not sight.reads
    if row.answer_hidden:
        for name, nothing in NOTHING.items():
            setattr(row, name, nothing)
    if row.reads_hidden:
        vars(row).setdefault("_prefetched_objects_cache", {})["reviews"] = Review.objects.none()
