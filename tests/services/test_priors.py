"""Other scans of a patient: which, and in what order."""

from datetime import date

from classifier.audit import Actor
from classifier.models import Patient, Scan
from classifier.services.cases import open_case
from classifier.services.priors import priors_of, view_prior
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png
from tests.services.readers import refusal


def add(actor: Actor, seed: int, reference: str = "MRN-1", study: date | None = None) -> Scan:
    case = open_case(actor=actor, patient_reference=reference, study_date=study)
    [result] = upload_scans(actor=actor, case=case, files=[upload(brain_png(seed))])
    return result.scan


def test_the_latest_study_comes_first_and_one_without_a_date_last(as_alice: Actor, rung: list[str]) -> None:
    old, undated, new = (
        add(as_alice, seed, study=study)
        for seed, study in enumerate((date(2024, 5, 1), None, date(2025, 5, 1)))
    )
    assert priors_of(actor=as_alice, scan=undated) == [new, old]
    assert priors_of(actor=as_alice, scan=new) == [old, undated]


def test_the_patient_of_the_same_reference_in_another_department_is_another(
    as_alice: Actor, as_bob: Actor, as_otto: Actor, rung: list[str]
) -> None:
    ours, _ = add(as_alice, 1), add(as_bob, 2)
    for actor in (as_alice, as_otto):
        assert priors_of(actor=actor, scan=ours) == []


def test_only_another_scan_of_the_same_person_is_shown_beside_one(as_alice: Actor, rung: list[str]) -> None:
    ours, earlier, of_another = add(as_alice, 1), add(as_alice, 2), add(as_alice, 3, "MRN-2")
    assert view_prior(actor=as_alice, scan=ours, prior_id=earlier.pk) == earlier
    for wrong in (of_another, ours):
        assert refusal(view_prior, actor=as_alice, scan=ours, prior_id=wrong.pk) == "not_found"


def test_scans_of_nobody_known_are_not_shown_beside_each_other(as_alice: Actor, rung: list[str]) -> None:
    one, other = (add(as_alice, seed, Patient.UNASSIGNED) for seed in (1, 2))
    assert priors_of(actor=as_alice, scan=one) == []
    assert refusal(view_prior, actor=as_alice, scan=one, prior_id=other.pk) == "not_found"
