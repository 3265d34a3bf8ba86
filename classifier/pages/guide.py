"""The first steps of a new person, by what their role lets them do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.translation import gettext as _

from classifier.models import User
from classifier.services.guide import steps_done

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True)
class Step:
    """``done`` is None for what nobody can tick off."""

    title: StrOrPromise
    text: StrOrPromise
    url: str = ""
    done: bool | None = None


def first_steps(user: User) -> list[Step]:
    done = steps_done(user=user)
    steps: list[Step] = []
    if user.may_administer:
        steps += _of_an_administrator(done)
    if user.may_upload:
        steps += _of_a_clinician(done)
    if user.may_review:
        steps += _of_a_reader(done)
    if user.may_audit and not user.may_administer:
        steps += _of_an_auditor()
    return [*steps, *_of_everybody()]


def _of_an_administrator(done: set[str]) -> Iterator[Step]:
    yield Step(
        _("Add your departments"),
        _("A department is the border of access: its members see its cases, and nobody else's members do."),
        reverse("admin:auth_group_changelist"),
        "department" in done,
    )
    yield Step(
        _("Add people and give them roles"),
        _("Clinicians open cases, upload and review; reviewers review; auditors read the trail."),
        reverse("admin:classifier_user_changelist"),
        "people" in done,
    )
    yield Step(
        _("Look at the model that answers"),
        _("Read its card: what it was measured on, and where not to trust it."),
        reverse("admin:classifier_modelversion_changelist"),
        "model" in done,
    )


def _of_a_clinician(done: set[str]) -> Iterator[Step]:
    yield Step(
        _("Open a case and add its images"),
        _("A patient reference is enough. Drop the files on the page; the answer comes by itself."),
        reverse("new_case"),
        "case" in done,
    )


def _of_a_reader(done: set[str]) -> Iterator[Step]:
    yield Step(
        _("Review an answer"),
        _("Open the case at the top of the worklist and say whether you agree with the answer."),
        done="review" in done,
    )


def _of_an_auditor() -> Iterator[Step]:
    yield Step(
        _("Look into the audit trail"),
        _("Every act and every look at a patient is there, with who, when and from where."),
        reverse("admin:classifier_auditevent_changelist"),
    )


def _of_everybody() -> Iterator[Step]:
    yield Step(
        _("Choose your language, colours and time zone"),
        _("They stay with your account on every device. Change your password there too."),
        reverse("own_settings"),
    )
    yield Step(
        _("Learn the keys"),
        _("The ? key shows those of the page you are on; everything can be done without a mouse."),
    )
