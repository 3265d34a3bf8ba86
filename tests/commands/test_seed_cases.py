"""Made-up cases for measuring: as the worklist expects them, and never among real ones."""

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from classifier.models import Analysis, Case, ModelVersion, Review, Scan, ScanFile, User
from classifier.services.triage import refresh_triage
from classifier.services.worklist import find_worklist
from classifier.services.worklist_selection import Filters


def test_every_made_up_case_stands_where_its_analyses_put_it(alice: User, active_model: ModelVersion) -> None:
    call_command("seed_cases", cases=120, user="alice", departments=1)
    columns = ("pk", "triage", "urgency", "outcome", "reviewer", "search_text")
    places = set(Case.objects.values_list(*columns))
    for case in Case.objects.select_related("patient"):
        refresh_triage(case_id=case.pk)
        case.save(update_fields=["search_text"])
    assert set(Case.objects.values_list(*columns)) == places
    assert len(places) == 120 and len({place[1] for place in places}) > 3


def test_made_up_cases_are_whole_and_spread_over_the_departments(
    alice: User, active_model: ModelVersion
) -> None:
    call_command("seed_cases", cases=60, user="alice", departments=1)
    assert Case.objects.values("department").distinct().count() == 2
    assert Scan.objects.count() == ScanFile.objects.count() == Analysis.objects.count() > 60
    assert Review.objects.exists()
    assert {row.case.department for row in find_worklist(user=alice, filters=Filters()).rows} == {
        alice.departments[0]
    }


def test_made_up_cases_came_over_years_and_their_answers_after_them(
    alice: User, active_model: ModelVersion
) -> None:
    call_command("seed_cases", cases=60, user="alice", departments=1)
    assert len(Case.objects.dates("created_at", "month")) > 12
    assert not Analysis.objects.filter(finished_at__lte=F("created_at")).exists()
    assert not Review.objects.filter(created_at__lte=F("analysis__created_at")).exists()


def test_a_database_that_holds_cases_is_refused_unless_forced(
    alice: User, active_model: ModelVersion, case: Case
) -> None:
    with pytest.raises(CommandError, match="holds cases"):
        call_command("seed_cases", cases=3, user="alice")
    assert Case.objects.count() == 1
    call_command("seed_cases", cases=3, user="alice", force=True)
    assert Case.objects.count() == 4
