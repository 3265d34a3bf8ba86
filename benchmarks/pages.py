"""Every page but the worklist, on many different cases and on one that is as large as they come."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from benchmarks.looks import REQUESTS, Page, clinician_of, every_department

if TYPE_CHECKING:
    from classifier.models import Analysis, Case, Scan, ScanFile, User

SCANS_OF_THE_LARGEST, SLICES = 60, 180
# What the portal would have recorded of the made-up cases.
TRAIL = """
    INSERT INTO classifier_auditevent
        (actor_id, actor_name, action, object_type, object_id, case_id, via, detail, created_at)
    SELECT opened_by_id, 'clinician', 'case_opened', 'case', id::text, id, 'page', '{}'::jsonb, created_at
    FROM classifier_case
    UNION ALL
    SELECT opened_by_id, 'clinician', 'case_viewed', 'case', id::text, id, 'page', '{}', created_at
    FROM classifier_case
    UNION ALL
    SELECT uploaded_by_id, 'clinician', 'scan_uploaded', 'scan', id::text, case_id, 'page', '{}', created_at
    FROM classifier_scan
    UNION ALL
    SELECT NULL, '', 'analysis_finished', 'analysis', a.id::text, s.case_id, 'worker', '{}', a.finished_at
    FROM classifier_analysis a JOIN classifier_scan s ON s.id = a.scan_id
"""


def pages() -> dict[str, Page]:
    from classifier.models import Case, User

    _write_trail()
    clinician = User.objects.get(username="clinician")
    cases = Case.objects.filter(department__in=clinician.department_keys)
    suspected = list(cases.filter(triage=Case.Triage.SUSPECTED)[:REQUESTS])
    read = list(cases.filter(triage=Case.Triage.REVIEWED)[: 2 * REQUESTS])
    signed, unsigned = read[:REQUESTS], read[REQUESTS:]
    largest, unread = _large(clinician, "LARGEST", read=True), _large(clinician, "UNREAD", read=False)
    _sign(clinician, [*signed, largest])
    return {
        **{name: Page(clinician, paths) for name, paths in _of_cases(suspected, unsigned, signed)},
        **{name: Page(clinician, paths) for name, paths in _of_the_largest(largest)},
        "a case as large, unread": Page(clinician, [f"/cases/{unread.pk}/"]),
        **{name: Page(clinician, paths) for name, paths in _of_nobody()},
        **_figures(clinician),
        **_administration(User.objects.get(username="admin"), suspected, largest),
    }


def _of_cases(
    suspected: Sequence["Case"], unsigned: Sequence["Case"], signed: Sequence["Case"]
) -> Iterator[tuple[str, list[str]]]:
    scans = [case.scans.earliest("created_at") for case in suspected]
    yield "a case", [f"/cases/{case.pk}/" for case in suspected]
    yield "its timeline", [f"/cases/{case.pk}/history/" for case in suspected]
    yield "adding scans to it", [f"/cases/{case.pk}/upload/" for case in suspected]
    yield "the next case", [f"/cases/{case.pk}/next/" for case in suspected]
    yield "the viewer", [f"/scans/{scan.pk}/" for scan in scans]
    yield "the result, for the viewer", [_of_analysis(scan, "result.json") for scan in scans]
    yield "reviewing", [_of_analysis(scan, "review/") for scan in scans]
    yield "signing", [f"/cases/{case.pk}/report/" for case in unsigned]
    yield "a signed case", [f"/cases/{case.pk}/" for case in signed]
    yield "its report", [f"/cases/{case.pk}/report/" for case in signed]


def _of_the_largest(case: "Case") -> Iterator[tuple[str, list[str]]]:
    from classifier.services.results import PAGE

    scans = list(case.scans.order_by("created_at")[:REQUESTS])
    beside = [f"/scans/{one.pk}/?beside={other.pk}" for one, other in pairwise(scans)]
    yield "the largest case", [f"/cases/{case.pk}/"]
    yield "the largest case, later scans", [f"/cases/{case.pk}/?start={SCANS_OF_THE_LARGEST - PAGE}"]
    yield "the largest case, its timeline", [f"/cases/{case.pk}/history/"]
    yield "adding scans to the largest case", [f"/cases/{case.pk}/upload/"]
    yield "the viewer, a series with priors", [f"/scans/{scan.pk}/" for scan in scans]
    yield "the viewer, two series", beside
    yield "reviewing a series", [_of_analysis(scan, "review/") for scan in scans]
    yield "the report on the largest case", [f"/cases/{case.pk}/report/"]


def _of_nobody() -> Iterator[tuple[str, list[str]]]:
    from classifier.models import ModelVersion

    yield "a new case", ["/cases/new/"]
    yield "one's own settings", ["/settings/"]
    yield "a model card", [f"/models/{ModelVersion.objects.get(is_active=True).version}/"]


def _figures(clinician: "User") -> dict[str, Page]:
    """Counted for the first time, but for the last line."""
    everywhere = clinician_of(every_department(), "everywhere")
    twice = _where_two_persons_read()
    counted = {
        f"figures of {whose}, {weeks} weeks": Page(user, [f"/figures/?weeks={weeks}"], anew=True)
        for whose, user in (("one department", clinician), ("two readers", twice), ("five", everywhere))
        for weeks in (4, 12, 26, 52)
    }
    return {**counted, "figures of five, 52 weeks, again": Page(everywhere, ["/figures/?weeks=52"])}


def _where_two_persons_read() -> "User":
    from classifier.models import DepartmentPolicy

    departments = every_department()[:1]
    DepartmentPolicy.objects.get_or_create(department=departments[0], defaults={"second_reader": True})
    return clinician_of(departments, "twice")


def _administration(admin: "User", cases: Sequence["Case"], largest: "Case") -> dict[str, Page]:
    lists = ["case", "patient", "scan", "analysis", "review", "auditevent", "user"]
    ids = [str(case.pk)[:8] for case in cases]
    references = [f"SEED-{number:08}" for number in range(0, 3 * REQUESTS, 3)]
    case, trail = "/admin/classifier/case/", "/admin/classifier/auditevent/"
    addresses = {
        "administration": ["/admin/"],
        **{f"administration, list of {name}": [f"/admin/classifier/{name}/"] for name in lists},
        "administration, cases of a department": [f"{case}?department={cases[0].department_id}"],
        "administration, cases of a patient": [f"{case}?q={one}" for one in references],
        "administration, an unknown patient": [f"{case}?q=nobody"],
        "administration, a case": [f"{case}{one.pk}/change/" for one in cases],
        "administration, the largest case": [f"{case}{largest.pk}/change/"],
        "trail of one action": [f"{trail}?action__exact=scan_uploaded"],
        "trail of a rare action": [f"{trail}?action__exact=report_signed"],
        "trail of a person": [f"{trail}?q=clinician"],
        "trail of nobody": [f"{trail}?q=nobody"],
        "trail of a case": [f"{trail}?q={one}" for one in ids],
        "trail of a month": [f"{trail}?created_at__gte=2026-01-01&created_at__lt=2026-02-01"],
    }
    return {name: Page(admin, paths) for name, paths in addresses.items()}


def _of_analysis(scan: "Scan", page: str) -> str:
    return f"/analyses/{scan.analyses.latest('created_at').pk}/{page}"


def _write_trail() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(TRAIL)
        cursor.execute("ANALYZE classifier_auditevent")


def _large(user: "User", reference: str, *, read: bool) -> "Case":
    """Its scans are each other's priors, each a series that was analysed twice."""
    from classifier.audit import Actor
    from classifier.models import Case
    from classifier.services.cases import open_case

    actor = Actor(user=user, via="page")
    case = open_case(actor=actor, patient_reference=reference, department=user.departments[0].name)
    for number in range(SCANS_OF_THE_LARGEST):
        _series(case, user, number, read)
    Case.objects.filter(pk=case.pk).update(triage=Case.Triage.SUSPECTED, outcome="glioma")
    return case


def _series(case: "Case", user: "User", number: int, read: bool) -> None:
    from classifier.models import Review, ScanFile

    facts = {"kind": "dicom", "frames": SLICES, "width": 256, "height": 256, "mean_brightness": 0.2}
    scan = case.scans.create(digest=f"{number:064}", facts=facts, uploaded_by=user)
    ScanFile.objects.bulk_create(_file(scan, position) for position in range(SLICES))
    for _again in range(2):
        analysis = _analysis(scan, user)
    if read:
        Review.objects.create(analysis=analysis, reviewer=user, verdict="agree", label="glioma")


def _file(scan: "Scan", position: int) -> "ScanFile":
    from classifier.models import ScanFile

    name = f"large/{scan.pk}-{position}"
    facts = {"kind": "dicom", "size": 130_000, "sha256": f"{position:064}"}
    return ScanFile(scan=scan, position=position, name=name, original_name=f"IM{position:03}", **facts)


def _analysis(scan: "Scan", user: "User") -> "Analysis":
    from django.utils import timezone

    from classifier.models import ModelVersion

    probabilities = {"glioma": 0.9, "meningioma": 0.05, "notumor": 0.03, "pituitary": 0.02}
    row = {"probabilities": probabilities, "tumour_probability": 0.97, "mask_area_px": 90, "refusal": None}
    finding = {"slice_index": 90, "box": [60, 60, 90, 90], "slices": list(range(60, 120))}
    finding |= {"diameter_mm": 31.0, "area_mm2": 700.0, "side": "left", "components": 1}
    now = timezone.now()
    analysis: Analysis = scan.analyses.create(
        requested_by=user,
        model_version=ModelVersion.objects.get(is_active=True),
        status="succeeded",
        outcome="glioma",
        label="glioma",
        probabilities=probabilities,
        tumour_probability=0.97,
        slice_index=90,
        slices=[{"index": index, **row} for index in range(SLICES)],
        finding=finding,
        started_at=now,
        finished_at=now,
    )
    return analysis


def _sign(user: "User", cases: Sequence["Case"]) -> None:
    from classifier.audit import Actor
    from classifier.services import reports

    actor = Actor(user=user, via="page")
    for case in cases:
        sign_off = reports.sign_off_of(actor=actor, case=case)
        if not sign_off.obstacle:
            reports.sign_report(actor=actor, case=case, answer=sign_off.answers[0])
