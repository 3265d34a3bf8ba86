"""Opening a case in a page."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from classifier.models import AuditEvent, Case, Patient, User
from tests.conftest import NEURO, ORTHO
from tests.pages.reading import actions, words

NEW = "/cases/new/"


def test_a_case_is_opened_and_leads_to_the_upload(browser: Client) -> None:
    response = browser.post(
        NEW,
        {
            "patient": " MRN-7 ",
            "question": "Mass?",
            "study_date": "2026-01-31",
            "name": "Ana Ejemplo",
            "birth_year": "1968",
            "sex": "F",
        },
    )
    case = Case.objects.select_related("patient", "department").get()
    assert response["Location"] == reverse("upload", args=[case.pk])
    assert (case.question, case.study_date, case.department.name) == ("Mass?", date(2026, 1, 31), NEURO)
    patient = case.patient
    assert (patient.reference, patient.name, patient.birth_year, patient.sex) == (
        "MRN-7",
        "Ana Ejemplo",
        1968,
        "F",
    )
    assert actions() == [AuditEvent.Action.CASE_OPENED]


def test_a_known_reference_is_the_same_patient_and_keeps_what_was_told_first(
    browser: Client, case: Case
) -> None:
    browser.post(NEW, {"patient": "MRN-1", "name": "Ann Example"})
    assert Patient.objects.get().name == "Ann Example"
    response = browser.post(NEW, {"patient": "MRN-1", "name": "Somebody Else"})
    assert response.status_code == 400
    assert "known with other details (name)" in words(response)
    assert Patient.objects.get().name == "Ann Example"
    assert Patient.objects.get().cases.count() == 2


def test_the_department_is_asked_for_only_where_there_are_several(browser: Client, alice: User) -> None:
    assert 'name="department"' not in browser.get(NEW).content.decode()
    alice.groups.add(Group.objects.create(name=ORTHO))
    assert 'name="department"' in browser.get(NEW).content.decode()
    assert browser.post(NEW, {"patient": "MRN-7"}).status_code == 400
    browser.post(NEW, {"patient": "MRN-7", "department": ORTHO})
    assert Case.objects.get().department.name == ORTHO


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("patient", "", "required"),
        ("patient", "x" * 65, "at most 64"),
        ("patient", "a\u0007b", "cannot be shown"),
        ("question", "x" * 501, "at most 500"),
        ("study_date", "yesterday", "valid date"),
        ("study_date", str(timezone.localdate() + timedelta(days=2)), "in the future"),
        ("birth_year", "1200", "greater than or equal"),
        ("birth_year", "2999", "in the future"),
        ("sex", "Q", "valid choice"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_opened(
    field: str, value: str, reason: str, browser: Client
) -> None:
    response = browser.post(NEW, {"patient": "MRN-7", field: value})
    assert response.status_code == 400
    assert reason in words(response)
    assert not Case.objects.exists()


def test_a_study_of_today_is_taken_wherever_the_day_has_begun(browser: Client, settings: Settings) -> None:
    settings.TIME_ZONE = "Pacific/Pago_Pago"
    today = timezone.localdate(timezone=ZoneInfo("Pacific/Kiritimati"))
    assert browser.post(NEW, {"patient": "MRN-7", "study_date": today.isoformat()}).status_code == 302


def test_the_page_takes_every_year_of_birth_that_programs_may_send(browser: Client) -> None:
    assert browser.post(NEW, {"patient": "MRN-7", "birth_year": "1850"}).status_code == 302


def test_a_clinician_without_a_department_is_told_who_can_help(browser: Client, alice: User) -> None:
    alice.groups.remove(Group.objects.get(name=NEURO))
    response = browser.post(NEW, {"patient": "MRN-7"})
    assert "an administrator can add you to one" in words(response)
