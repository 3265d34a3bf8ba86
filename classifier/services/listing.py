"""Rows as programs list them: what the actor may see, narrowed by filters; each look is one event."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import Exists, Model, OuterRef, Prefetch, QuerySet, prefetch_related_objects

from classifier.audit import Action, Actor, case_id_of, record
from classifier.models import Analysis, Case, Patient, Review, Scan
from classifier.services.reading import veil, veil_scans, with_open_answer

M = TypeVar("M", bound=Model)

PERIOD = {"created_since": "created_at__gte", "created_before": "created_at__lt"}
PATIENT_FILTERS = PERIOD | {"reference": "reference", "department": "department__name"}
CASE_FILTERS = PERIOD | {
    "patient": "patient__reference",
    "department": "department__name",
    "triage": "triage",
}
SCAN_FILTERS = PERIOD | {
    "case": "case",
    "patient": "case__patient__reference",
}


def list_patients(*, actor: Actor, filters: Mapping[str, Any]) -> QuerySet[Patient]:
    """``filters`` are named in PATIENT_FILTERS, as with the other lists."""
    patients = Patient.objects.visible_to(actor.require_user()).select_related("department")
    return _narrowed(patients, PATIENT_FILTERS, filters)


def list_cases(*, actor: Actor, filters: Mapping[str, Any]) -> QuerySet[Case]:
    cases = Case.objects.visible_to(actor.require_user()).select_related("department", "patient")
    return _narrowed(cases, CASE_FILTERS, filters)


def list_scans(*, actor: Actor, filters: Mapping[str, Any]) -> QuerySet[Scan]:
    """Status and outcome are those of a scan's latest analysis."""
    scans: QuerySet[Scan] = Scan.objects.visible_to(actor.require_user()).select_related("case__patient")
    if answer := {name: filters[name] for name in ("status", "outcome") if name in filters}:
        newer = Analysis.objects.filter(scan=OuterRef("scan"), created_at__gt=OuterRef("created_at"))
        latest: QuerySet[Analysis] = Analysis.objects.filter(~Exists(newer), scan=OuterRef("pk"), **answer)
        if "outcome" in answer:
            latest = with_open_answer(latest, actor.require_user())
        scans = scans.filter(Exists(latest))
    others = {name: value for name, value in filters.items() if name not in answer}
    return _narrowed(scans, SCAN_FILTERS, others).prefetch_related(*_parts())


def list_analyses(*, scan: Scan) -> QuerySet[Analysis]:
    return _light_analyses().filter(scan=scan).select_related("scan__case", "model_version")


def latest_state(*, actor: Actor, scan: Scan) -> Analysis:
    """The scan's latest analysis with no more than how far it is, and whether its answer is hidden."""
    latest = scan.analyses.order_by("-created_at", "-pk").only("status", "attempts", "slices_done")[0]
    veil(user=actor.require_user(), analyses=[latest])
    return latest


def list_reviews(*, analysis: Analysis) -> QuerySet[Review]:
    """None while the reads are hidden from whom ``analysis`` was found for."""
    found = Review.objects.filter(analysis=analysis).select_related("reviewer")
    return found.none() if analysis.reads_hidden else found


def complete(*, actor: Actor, scans: Sequence[Scan]) -> None:
    """Fetch files and analyses of scans that were not listed here, as ``actor`` may see them."""
    prefetch_related_objects(scans, "case", *_parts())
    veil_scans(user=actor.require_user(), scans=scans)


def hide_answers(*, actor: Actor, rows: Sequence[Model]) -> None:
    """What ``actor`` is not to see yet, on a page of scans or analyses from these lists."""
    user = actor.require_user()
    veil_scans(user=user, scans=[row for row in rows if isinstance(row, Scan)])
    veil(user=user, analyses=[row for row in rows if isinstance(row, Analysis)])


def record_list(*, actor: Actor, kind: str, filters: Mapping[str, Any], rows: Sequence[Model]) -> None:
    """Whose rows were shown. The names of the filters only: their values may name a patient."""
    record(Action.WORKLIST_VIEWED, actor=actor, list=kind, filters=sorted(filters), **_whose(rows))


def _whose(rows: Sequence[Model]) -> dict[str, list[str]]:
    """The cases of the rows, or the patients where those are listed; in the order of the list."""
    patients = [row.pk.hex for row in rows if isinstance(row, Patient)]
    cases = [case_id.hex for row in rows if (case_id := case_id_of(row))]
    return {"patients": patients} if patients else {"cases": list(dict.fromkeys(cases))}


def _narrowed(rows: QuerySet[M], lookups: Mapping[str, str], filters: Mapping[str, Any]) -> QuerySet[M]:
    conditions = {lookups[name]: value for name, value in filters.items()}
    for lookup in [name for name in conditions if name.endswith("reference")]:
        # The folded copy has the index; the reference itself is compared as it is written.
        conditions[f"{lookup}_folded"] = str(conditions[lookup]).casefold()[:64]
    return rows.filter(**conditions)


def _light_analyses() -> QuerySet[Analysis]:
    analyses = Analysis.objects.select_related("model_version", "requested_version")
    return analyses.defer("slices", "timings", "model_version__card", "requested_version__card")


def _parts() -> tuple[str, "Prefetch[Any]"]:
    return "files", Prefetch("analyses", _light_analyses())
