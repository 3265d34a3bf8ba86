"""Rows as programs list them: what the actor may see, narrowed by filters; each look is one event."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import Exists, Model, OuterRef, Prefetch, QuerySet, prefetch_related_objects

from classifier.audit import Action, Actor, record
from classifier.models import Analysis, Case, Patient, Review, Scan

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
        latest = Analysis.objects.filter(~Exists(newer), scan=OuterRef("pk"), **answer)
        scans = scans.filter(Exists(latest))
    others = {name: value for name, value in filters.items() if name not in answer}
    return _narrowed(scans, SCAN_FILTERS, others).prefetch_related(*_parts())


def list_analyses(*, scan: Scan) -> QuerySet[Analysis]:
    return _light_analyses().filter(scan=scan)


def latest_state(*, scan: Scan) -> Analysis:
    """The scan's latest analysis with no more than how far it is."""
    return scan.analyses.order_by("-created_at", "-pk").only("status", "attempts")[0]


def list_reviews(*, analysis: Analysis) -> QuerySet[Review]:
    return Review.objects.filter(analysis=analysis).select_related("reviewer")


def complete(scans: Sequence[Scan]) -> None:
    """Fetch files and analyses of scans that were not listed here."""
    prefetch_related_objects(scans, *_parts())


def record_list(*, actor: Actor, kind: str, filters: Mapping[str, Any], rows: int) -> None:
    """The names of the filters only: their values may name a patient."""
    record(Action.WORKLIST_VIEWED, actor=actor, list=kind, filters=sorted(filters), rows=rows)


def _narrowed(rows: QuerySet[M], lookups: Mapping[str, str], filters: Mapping[str, Any]) -> QuerySet[M]:
    conditions = {lookups[name]: value for name, value in filters.items()}
    for lookup in [name for name in conditions if name.endswith("reference")]:
        # The folded copy has the index; the reference itself is compared as it is written.
        conditions[f"{lookup}_folded"] = str(conditions[lookup]).casefold()[:64]
    return rows.filter(**conditions)


def _light_analyses() -> QuerySet[Analysis]:
    analyses = Analysis.objects.select_related("model_version")
    return analyses.defer("slices", "timings", "model_version__card")


def _parts() -> tuple[str, "Prefetch[Any]"]:
    return "files", Prefetch("analyses", _light_analyses())
