"""Search that stays on an index with a million rows: a patient's reference from its start, or an id.

Lists show the first eight digits of an id, so those are enough to find it.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.translation import gettext_lazy as _

from classifier.models import Adjudication, Analysis, Case, Patient, Report, Review, Scan

SHOWN_DIGITS = 8
HELP = _("The beginning of a patient reference, or at least eight digits of an id.")
PATH_TO_CASE: dict[type[Model], str] = {
    Scan: "case",
    Analysis: "scan__case",
    Review: "analysis__scan__case",
    Adjudication: "analysis__scan__case",
    Report: "case",
}


def clinical_search(rows: QuerySet[Any], term: str, patient_path: str) -> QuerySet[Any]:
    """Of ``rows``, which lead to their patient by ``patient_path``, those that ``term`` means."""
    reference = term.casefold()
    ids = id_range(term)
    if ids is None or Patient.objects.filter(reference_folded__startswith=reference).exists():
        lookup = "__".join(filter(None, (patient_path, "reference_folded__startswith")))
        return rows.filter(**{lookup: reference})
    return rows.filter(pk__range=ids)


def id_range(term: str) -> tuple[uuid.UUID, uuid.UUID] | None:
    """All ids that begin with these hexadecimal digits, or None if it is not a beginning of an id."""
    digits = term.strip().replace("-", "").lower()
    if not re.fullmatch(rf"[0-9a-f]{{{SHOWN_DIGITS},32}}", digits):
        return None
    return uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))


def case_of(ids: tuple[uuid.UUID, uuid.UUID]) -> uuid.UUID | None:
    """The case whose id lies in ``ids``, or to which what was found there belongs."""
    case_id: uuid.UUID | None = Case.objects.filter(pk__range=ids).values_list("pk", flat=True).first()
    for model, path in PATH_TO_CASE.items():
        if case_id is None:
            rows = model._default_manager.filter(pk__range=ids)
            case_id = rows.values_list(f"{path}__pk", flat=True).first()
    return case_id
