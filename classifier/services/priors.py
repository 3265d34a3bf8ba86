"""What else there is of the same patient: cases beside a case, scans to be looked at beside a scan."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import F, Prefetch

from classifier.audit import Actor
from classifier.errors import NotFound
from classifier.models import Answer, Case, Report, Scan, ScanFile, User
from classifier.services.cases import find_case, record_case_view
from classifier.services.reading import Reading, latest_readings_of
from classifier.services.reports import told_answers
from classifier.services.scans import find_scan, view_scan

MOST = 50
MOST_CASES = 5


@dataclass(frozen=True)
class OtherCase:
    """A case with how it ended: the ``report`` that holds, and where more is to be signed, the ``answers``.

    There are no answers before every scan is read, nor before the reader may be told them, and only with
    answers is it told whether they are ``contested``.
    """

    case: Case
    report: Report | None
    answers: Sequence[Answer]
    contested: bool

    @property
    def is_signed(self) -> bool:
        return self.case.triage == Case.Triage.SIGNED


def view_with_others(*, actor: Actor, case_id: uuid.UUID | str) -> tuple[Case, list[OtherCase], bool]:
    """The case, other cases of its patient and whether there are more; one look, which names them all."""
    case = find_case(actor=actor, case_id=case_id)
    cases = _others(actor.require_user(), case)
    shown = cases[:MOST_CASES]
    record_case_view(actor=actor, case=case, others=shown)
    return case, _endings(actor.require_user(), shown), len(cases) > MOST_CASES


def priors_of(*, actor: Actor, scan: Scan) -> list[Scan]:
    """Those that ``actor`` may see without ``scan`` itself, of the latest study first; at most ``MOST``.

    Each with its case and its first file. None where it is not known whose scan it is.
    """
    if not scan.case.patient.is_one_person:
        return []
    patients = Scan.objects.visible_to(actor.require_user()).filter(case__patient=scan.case.patient_id)
    return list(
        patients.exclude(pk=scan.pk)
        .select_related("case")
        .prefetch_related(Prefetch("files", ScanFile.objects.filter(position=0)))
        .order_by(F("case__study_date").desc(nulls_last=True), "-created_at", "pk")[:MOST]
    )


def view_prior(*, actor: Actor, scan: Scan, prior_id: uuid.UUID | str) -> Scan:
    """A scan of the same patient, with the look at it recorded; `NotFound` where it is another patient's."""
    prior = find_scan(actor=actor, scan_id=prior_id)
    same = prior.case.patient_id == scan.case.patient_id and scan.case.patient.is_one_person
    if not same or prior.pk == scan.pk:
        raise NotFound("scan")
    return view_scan(actor=actor, scan_id=prior.pk)


def _others(user: User, case: Case) -> list[Case]:
    """Of the latest study first, one more than are shown."""
    if not case.patient.is_one_person:
        return []
    cases = Case.objects.visible_to(user).filter(patient=case.patient_id).exclude(pk=case.pk)
    return list(cases.order_by(F("study_date").desc(nulls_last=True), "-created_at", "pk")[: MOST_CASES + 1])


def _endings(user: User, cases: Sequence[Case]) -> list[OtherCase]:
    reports = _latest_reports(cases)
    read = latest_readings_of(case.pk for case in cases if case.triage == Case.Triage.REVIEWED)
    return [_ending(user, case, reports.get(case.pk), read.get(case.pk, [])) for case in cases]


def _ending(user: User, case: Case, report: Report | None, found: Sequence[Reading]) -> OtherCase:
    answers = told_answers(user=user, found=found)
    contested = bool(answers) and any(reading.is_contested for reading in found)
    return OtherCase(case, report, answers, contested)


def _latest_reports(cases: Sequence[Case]) -> Mapping[uuid.UUID, Report]:
    found = Report.objects.filter(case__in=cases).defer("content").order_by("version")
    return {report.case_id: report for report in found}
