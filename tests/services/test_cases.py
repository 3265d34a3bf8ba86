from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from classifier.audit import Actor
from classifier.errors import NotAllowed, NotFound, UserFacingError
from classifier.models import AuditEvent, Case, Patient, Role, User
from classifier.services import cases
from classifier.services.cases import PatientDetails, find_case, open_case, view_case, view_patient
from tests.conftest import NEURO, ORTHO
from tests.services.locks import WHERE_ROWS_ARE_LOCKED, meanwhile


def refusal(actor: Actor, **asked: object) -> str:
    with pytest.raises(UserFacingError) as refused:
        open_case(actor=actor, **{"patient_reference": "MRN-1", **asked})  # type: ignore[arg-type]
    assert not Case.objects.exists() and not Patient.objects.exists()
    return refused.value.code


def test_a_case_belongs_to_its_clinicians_department_and_waits_for_images(as_alice: Actor) -> None:
    case = open_case(actor=as_alice, patient_reference="MRN-1", question="Mass?", study_date=date(2026, 3, 1))
    assert (case.department.name, case.opened_by, case.triage) == (NEURO, as_alice.user, Case.Triage.EMPTY)
    assert (case.question, case.study_date) == ("Mass?", date(2026, 3, 1))


def test_the_same_reference_in_a_department_is_the_same_patient_as_first_described(as_alice: Actor) -> None:
    first = open_case(actor=as_alice, patient_reference="MRN-1", details=PatientDetails("Ann", 1980))
    second = open_case(actor=as_alice, patient_reference=" MRN-1 ", details=PatientDetails(" ann", sex="F"))
    third = open_case(actor=as_alice, patient_reference="MRN-1")
    assert first.patient == second.patient == third.patient
    patient = Patient.objects.get()
    assert (patient.name, patient.birth_year, patient.sex) == ("Ann", 1980, "F")


@pytest.mark.parametrize(
    ("details", "facts"),
    [
        (PatientDetails("Bea", 1980), "name"),
        (PatientDetails(birth_year=1990), "year of birth"),
        (PatientDetails("Bea", 1990, "M"), "name, year of birth, sex"),
    ],
)
def test_a_reference_that_is_known_with_other_details_is_most_likely_another_persons(
    details: PatientDetails, facts: str, as_alice: Actor
) -> None:
    open_case(actor=as_alice, patient_reference="MRN-1", details=PatientDetails("Ann", 1980, "F"))
    with pytest.raises(UserFacingError, match=rf"\({facts}\)") as refused:
        open_case(actor=as_alice, patient_reference="MRN-1", details=details)
    assert (refused.value.code, refused.value.status) == ("patient_differs", 409)
    assert Case.objects.count() == 1 and Patient.objects.get().name == "Ann"


def test_nobody_in_particular_gets_no_name(as_alice: Actor) -> None:
    open_case(actor=as_alice, patient_reference=Patient.UNASSIGNED)
    with pytest.raises(UserFacingError) as refused:
        open_case(actor=as_alice, patient_reference="UNASSIGNED", details=PatientDetails("Ann"))
    assert refused.value.code == "patient_unassigned" and Patient.objects.get().name == ""


def test_the_same_reference_in_another_department_is_another_patient(as_alice: Actor, as_bob: Actor) -> None:
    hers = open_case(actor=as_alice, patient_reference="MRN-1")
    his = open_case(actor=as_bob, patient_reference="MRN-1")
    assert hers.patient != his.patient


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"patient_reference": ""}, "patient_required"),
        ({"patient_reference": " \t\n"}, "patient_required"),
        ({"patient_reference": "x" * 65}, "patient_too_long"),
        ({"patient_reference": "MRN\0-1"}, "patient_invalid"),
        ({"patient_reference": "MRN\u202e1"}, "patient_invalid"),
        ({"question": "?" * 501}, "question_too_long"),
        ({"details": PatientDetails("Ann\u202ennA")}, "name_invalid"),
        ({"details": PatientDetails("x" * 201)}, "name_too_long"),
        ({"department": ORTHO}, "department_unknown"),
        ({"department": "clinician"}, "department_unknown"),
    ],
)
def test_what_cannot_be_a_case_is_refused_and_leaves_no_row(
    asked: dict[str, object], code: str, as_alice: Actor
) -> None:
    assert refusal(as_alice, **asked) == code


def test_a_name_is_kept_in_one_line(as_alice: Actor) -> None:
    case = open_case(actor=as_alice, patient_reference="MRN-1", details=PatientDetails(" Ann\r\n Smith\t"))
    assert case.patient.name == "Ann Smith"


def test_a_reference_and_a_question_may_be_as_long_as_is_said(as_alice: Actor) -> None:
    case = open_case(actor=as_alice, patient_reference="x" * 64, question="?" * 500)
    assert (len(case.patient.reference), len(case.question)) == (64, 500)


@pytest.mark.django_db(transaction=True)
@WHERE_ROWS_ARE_LOCKED
def test_of_two_who_tell_different_details_at_once_the_second_is_refused(
    case: Case, as_alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = cases._learn

    def learn_meanwhile(patient: Patient, told: Mapping[str, Any]) -> None:
        monkeypatch.setattr(cases, "_learn", learn)
        begun.append(meanwhile(pool, open_case, details=PatientDetails("Bea"), **known))
        learn(patient, told)

    known = {"actor": as_alice, "patient_reference": case.patient.reference}
    begun: list[Future[Case]] = []
    monkeypatch.setattr(cases, "_learn", learn_meanwhile)
    with ThreadPoolExecutor(1) as pool:
        open_case(details=PatientDetails("Ann"), **known)
    with pytest.raises(UserFacingError) as refused:
        begun[0].result()
    assert refused.value.code == "patient_differs" and Patient.objects.get().name == "Ann"


def test_who_belongs_to_several_departments_names_one(make_user: Callable[..., User]) -> None:
    actor = Actor(user=make_user("both", Role.CLINICIAN, NEURO, ORTHO), via="page")
    assert refusal(actor) == "department_required"
    assert open_case(actor=actor, patient_reference="MRN-1", department=ORTHO).department.name == ORTHO


def test_who_belongs_to_no_department_opens_no_case(make_user: Callable[..., User]) -> None:
    assert refusal(Actor(user=make_user("lone", Role.CLINICIAN), via="page")) == "not_allowed"


@pytest.mark.parametrize("who", ["rita", "otto", "ada"])
def test_only_clinicians_open_cases(who: str, request: pytest.FixtureRequest) -> None:
    assert refusal(Actor(user=request.getfixturevalue(who), via="page")) == "not_allowed"


def test_a_member_of_the_department_without_a_role_sees_nothing_of_it(
    case: Case, make_user: Callable[..., User]
) -> None:
    with pytest.raises(NotFound):
        find_case(actor=Actor(user=make_user("porter", NEURO), via="page"), case_id=case.pk)


def test_a_deactivated_clinician_opens_and_sees_nothing(case: Case, alice: User) -> None:
    alice.is_active = False
    actor = Actor(user=alice, via="page")
    with pytest.raises(NotAllowed):
        open_case(actor=actor, patient_reference="MRN-2")
    with pytest.raises(NotFound):
        find_case(actor=actor, case_id=case.pk)


def test_a_look_at_a_case_and_a_patient_is_recorded_and_finding_one_is_not(
    case: Case, as_rita: Actor
) -> None:
    last = AuditEvent.objects.latest("pk").pk
    assert find_case(actor=as_rita, case_id=case.pk) == case
    assert view_case(actor=as_rita, case_id=case.pk) == case
    assert view_patient(actor=as_rita, patient_id=case.patient_id) == case.patient
    looks = AuditEvent.objects.filter(pk__gt=last).order_by("pk")
    assert [(look.action, look.actor_name) for look in looks] == [
        ("case_viewed", "rita"),
        ("patient_viewed", "rita"),
    ]


def test_a_stranger_cannot_tell_a_case_from_one_that_never_was(case: Case, as_bob: Actor) -> None:
    for find in (find_case, view_case):
        with pytest.raises(NotFound) as stranger:
            find(actor=as_bob, case_id=case.pk)
        with pytest.raises(NotFound) as nobody:
            find(actor=as_bob, case_id="00000000-0000-0000-0000-000000000000")
        assert str(stranger.value) == str(nobody.value)
    with pytest.raises(NotFound):
        view_patient(actor=as_bob, patient_id=case.patient_id)


def test_overseers_see_the_cases_of_every_department(case: Case, as_otto: Actor, as_ada: Actor) -> None:
    assert find_case(actor=as_otto, case_id=case.pk) == case
    assert find_case(actor=as_ada, case_id=case.pk) == case
