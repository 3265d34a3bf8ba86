"""What is known of a case's scans: each with its latest analysis, earlier ones and reviews."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from classifier.audit import Action, Actor, record
from classifier.models import Analysis, Case, ReportedAnalysis, Review, Scan, ScanFile
from classifier.services.cases import record_case_view
from classifier.services.looks import is_recorded, word_of
from classifier.services.reading import veil_scans

PAGE = 12
# How a case's scans are numbered, on its page and in its reports.
SCAN_ORDER = ("files__original_name", "created_at", "id")
OPPOSITE = {"R": "L", "L": "R", "A": "P", "P": "A", "S": "I", "I": "S"}


@dataclass(frozen=True)
class Result:
    """``analysis`` is the latest; ``earlier`` the ones before it, newest first."""

    scan: Scan
    file: ScanFile
    analysis: Analysis
    earlier: Sequence[Analysis]

    @property
    def slices(self) -> int:
        return self.scan.slices

    @property
    def is_volume(self) -> bool:
        """Whether its slices lie behind one another in the patient, and not side by side in a picture."""
        return self.slices > 1 and not self.scan.facts.get("sheet")

    @property
    def series(self) -> str:
        """What the scanner calls it: the files of a series are often called alike."""
        return str(self.scan.facts.get("description") or self.scan.facts.get("sequence") or "")

    @property
    def edges(self) -> list[tuple[str, str]]:
        return edges_of(self.scan)

    @property
    def earlier_suspicion(self) -> Analysis | None:
        """The newest earlier analysis that suspected a tumour, where the latest is seen and suspects none."""
        if not self.analysis.is_finished or self.analysis.answer_hidden or self.analysis.suspects_tumour:
            return None
        return next((one for one in self.earlier if one.suspects_tumour), None)

    @property
    def slice_shown(self) -> int:
        """The slice that decided, otherwise the middle one; counted from 0."""
        if self.analysis.slice_index is not None:
            return self.analysis.slice_index
        return self.slices // 2


def edges_of(scan: Scan) -> list[tuple[str, str]]:
    """The letters at the four edges of its pictures; none where the file does not tell."""
    left, top = scan.facts.get("orientation") or ("", "")
    if left not in OPPOSITE or top not in OPPOSITE:
        return []
    return [("left", left), ("right", OPPOSITE[left]), ("top", top), ("bottom", OPPOSITE[top])]


def case_results(
    *, actor: Actor, case: Case, start: int = 0, most: int | None = None
) -> tuple[list[Result], bool]:
    """A page of the case's scans by file name, or ``most`` of them, and whether more follow."""
    count = most or PAGE
    scans = list(_with_everything(Scan.objects.filter(case=case))[start : start + count + 1])
    return _results(actor, scans[:count]), len(scans) > count


def scan_result(*, actor: Actor, scan: Scan) -> Result:
    [result] = _results(actor, _with_everything(Scan.objects.filter(pk=scan.pk)))
    return result


def place_in_case(scan: Scan) -> tuple[int, int]:
    """Its number on the page of the case and in reports, and how many scans there are."""
    scans = Scan.objects.filter(case=scan.case_id, files__position=0).order_by(*SCAN_ORDER)
    keys = list(scans.values_list("pk", flat=True))
    return keys.index(scan.pk) + 1, len(keys)


def word_of_look(*, actor: Actor, case: Case) -> str:
    """What a page of the case asks for its `progress` with, once the look at it is recorded."""
    return word_of(actor.require_user(), "case", case.pk)


def progress(
    *, actor: Actor, case: Case, seen: Mapping[uuid.UUID, str], word: str
) -> tuple[list[Result], list[Analysis]]:
    """Of the analyses ``seen`` with a state: the results that have moved on, and what is still open.

    A finished result that is handed out here is recorded as viewed, and without the ``word`` of a page of
    the case the whole as a look at it: a result comes with earlier ones.
    """
    analyses = list(Analysis.objects.filter(scan__case=case, pk__in=seen).select_related("scan"))
    moved = [analysis for analysis in analyses if analysis.state != seen[analysis.pk]]
    if moved and not is_recorded(word, actor.require_user(), "case", case.pk):
        record_case_view(actor=actor, case=case)
    for analysis in moved:
        if analysis.is_finished:
            record(Action.ANALYSIS_VIEWED, actor=actor, about=analysis)
    changed = _with_everything(Scan.objects.filter(pk__in=[a.scan_id for a in moved])) if moved else []
    return _results(actor, changed), [a for a in analyses if not a.is_finished]


def _with_everything(scans: QuerySet[Scan]) -> QuerySet[Scan]:
    reviews = Review.objects.select_related("reviewer").order_by("created_at")
    analyses = (
        Analysis.objects.select_related("model_version", "requested_by")
        .defer("slices", "timings", "model_version__card")
        .select_related("adjudication__adjudicator")
        .annotate(is_signed=Exists(ReportedAnalysis.objects.filter(analysis=OuterRef("pk"))))
        .order_by("-created_at")
        .prefetch_related(Prefetch("reviews", reviews))
    )
    return (
        scans.select_related("case", "uploaded_by")
        .prefetch_related(
            Prefetch("files", ScanFile.objects.filter(position=0)), Prefetch("analyses", analyses)
        )
        .filter(files__position=0)
        .order_by(*SCAN_ORDER)
    )


def _results(actor: Actor, scans: Iterable[Scan]) -> list[Result]:
    """As ``actor`` may see them."""
    found = list(scans)
    veil_scans(user=actor.require_user(), scans=found)
    return [_result(scan) for scan in found]


def _result(scan: Scan) -> Result:
    latest, *earlier = scan.analyses.all()
    return Result(scan=scan, file=scan.files.all()[0], analysis=latest, earlier=earlier)
