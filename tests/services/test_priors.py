"""Other scans of a patient: which, and in what order."""

from datetime import date

from classifier.audit import Actor
from classifier.models import Scan
from classifier.services.cases import open_case
from classifier.services.priors import priors_of
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png


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
