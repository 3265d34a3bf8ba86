"""Opening cases and looking at them."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from classifier.audit import Action, Actor, record
from classifier.errors import Conflict, NotAllowed, NotFound, UserFacingError
from classifier.models import Case, Patient, User


@dataclass(frozen=True)
class PatientDetails:
    """What may be told of a patient beside the reference; kept from the first time it is told.

    What differs from what is known is refused: the reference is most likely another person's.
    """

    name: str = ""
    birth_year: int | None = None
    sex: str = ""


FIELD_NAMES = {
    "patient": gettext_lazy("patient reference"),
    "question": gettext_lazy("clinical question"),
    "name": gettext_lazy("name"),
    "birth_year": gettext_lazy("year of birth"),
    "sex": gettext_lazy("sex"),
}


def department_for(*, user: User, name: str = "") -> Group:
    """The named department of ``user``, or the only one when none is named."""
    departments = user.departments
    if name:
        departments = [group for group in departments if group.name == name]
        if not departments:
            raise UserFacingError("department_unknown", _("You do not belong to a department of that name."))
    if not departments:
        raise NotAllowed(_("You do not belong to any department; an administrator can add you to one."))
    if len(departments) > 1:
        raise UserFacingError("department_required", _("You belong to several departments; name one."))
    return departments[0]


@transaction.atomic
def open_case(
    *,
    actor: Actor,
    patient_reference: str,
    department: str = "",
    question: str = "",
    study_date: date | None = None,
    details: PatientDetails | None = None,
) -> Case:
    """Open a case on the patient of that reference, who is created when new to the department.

    Raises Conflict patient_differs where ``details`` are not those of the patient who is known by it.
    """
    user = actor.require_user()
    if not user.may_upload:
        raise NotAllowed(_("Only clinicians open cases."))
    group = department_for(user=user, name=department)
    patient = _patient(group, clean_reference(patient_reference), details or PatientDetails())
    case = Case.objects.create(
        department=group,
        patient=patient,
        question=_clean_text(question, "question", 500),
        study_date=study_date,
        opened_by=user,
    )
    record(Action.CASE_OPENED, actor=actor, about=case)
    return case


def find_case(*, actor: Actor, case_id: uuid.UUID | str) -> Case:
    """The case if ``actor`` may know of it; reading it is for `view_case`."""
    return _visible(actor, case_id)


def view_case(*, actor: Actor, case_id: uuid.UUID | str) -> Case:
    """The case, with the look at it recorded."""
    case = _visible(actor, case_id)
    record_case_view(actor=actor, case=case)
    return case


def record_case_view(*, actor: Actor, case: Case, others: Iterable[Case] = ()) -> None:
    """``others`` are the cases that are told of beside it."""
    shown = [other.pk.hex for other in others]
    record(Action.CASE_VIEWED, actor=actor, about=case, **({"cases": shown} if shown else {}))


def view_patient(*, actor: Actor, patient_id: uuid.UUID | str) -> Patient:
    """The patient, with the look at them recorded."""
    patients = Patient.objects.visible_to(actor.require_user()).select_related("department")
    patient = patients.filter(pk=patient_id).first()
    if patient is None:
        raise NotFound("patient")
    record(Action.PATIENT_VIEWED, actor=actor, about=patient)
    return patient


def _visible(actor: Actor, case_id: uuid.UUID | str) -> Case:
    visible = Case.objects.visible_to(actor.require_user()).select_related("patient", "department")
    case = visible.filter(pk=case_id).first()
    if case is None:
        raise NotFound("case")
    return case


def _patient(department: Group, reference: str, details: PatientDetails) -> Patient:
    details = replace(details, name=_clean_text(details.name, "name", 200))
    told = {name: value for name, value in asdict(details).items() if value}
    if told and reference == Patient.UNASSIGNED:
        detail = _("%(reference)s stands for scans that came without a patient and takes no details.")
        raise UserFacingError("patient_unassigned", detail % {"reference": reference})
    patient, created = Patient.objects.select_for_update(no_key=True).get_or_create(
        department=department, reference=reference, defaults=told
    )
    if not created:
        _learn(patient, told)
    return patient


def _learn(patient: Patient, told: Mapping[str, Any]) -> None:
    """Add what was not known of the patient."""
    known = {name: getattr(patient, name) for name in told}
    if differing := [name for name in told if known[name] and _folded(known[name]) != _folded(told[name])]:
        facts = ", ".join(str(FIELD_NAMES[name]) for name in differing)
        detail = _(
            "The patient of this reference is known with other details (%(facts)s). "
            "Check the reference, or leave the details empty to keep those that are known."
        )
        raise Conflict("patient_differs", detail % {"facts": facts})
    if new := [name for name in told if not known[name]]:
        for name in new:
            setattr(patient, name, told[name])
        patient.save(update_fields=new)


def _folded(value: Any) -> str:
    return " ".join(str(value).casefold().split())


def clean_reference(reference: str) -> str:
    cleaned = _clean_text(reference, "patient", 64)
    if not cleaned:
        raise UserFacingError("patient_required", _("A patient reference is needed."))
    return cleaned


def _clean_text(text: str, field: str, limit: int) -> str:
    cleaned = " ".join(text.split())
    named = FIELD_NAMES[field]
    if len(cleaned) > limit:
        raise UserFacingError(
            f"{field}_too_long",
            _("The %(field)s may have at most %(limit)d characters.") % {"field": named, "limit": limit},
        )
    if not cleaned.isprintable():
        raise UserFacingError(
            f"{field}_invalid", _("The %(field)s holds characters that cannot be shown.") % {"field": named}
        )
    return cleaned
