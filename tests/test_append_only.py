"""A medical fact and an audit event never change: not through the ORM, not by SQL."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.migrations.loader import MigrationLoader

from classifier.audit import Actor
from classifier.migrations._append_only import REFUSALS
from classifier.models import (
    Adjudication,
    Analysis,
    AuditEvent,
    ModelVersion,
    Report,
    ReportedAnalysis,
    Review,
    Scan,
    ScanFile,
    User,
)
from classifier.services.analyses import request_analysis
from tests.signed import read_and_signed
from tests.worker import Worker, worker  # noqa: F401

WRITTEN_ONCE = [Adjudication, AuditEvent, Report, ReportedAnalysis, Review, Scan, ScanFile]


@pytest.fixture
def facts(scan: Scan, alice: User, worker: Worker) -> Analysis:  # noqa: F811
    """One row of everything, with a finished analysis."""
    analysis = worker.finish(scan)
    read_and_signed(analysis, alice)
    return analysis


def refused(statement: str, parameters: list[Any]) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, parameters)
    except IntegrityError as error:
        return "refuses" in str(error)
    return False


def update(model: Any, column: str) -> str:
    return f'UPDATE {model._meta.db_table} SET "{column}" = "{column}"'


def delete(model: Any) -> str:
    return f"DELETE FROM {model._meta.db_table}"


@pytest.mark.parametrize("model", WRITTEN_ONCE, ids=lambda model: model.__name__)
def test_the_orm_refuses_to_change_or_delete_what_is_written_once(model: Any, facts: Analysis) -> None:
    row = model.objects.first()
    attempts: list[Callable[[], object]] = [
        row.save,
        row.delete,
        model.objects.all().delete,
        lambda: model.objects.update(pk=row.pk),
        lambda: model.objects.bulk_update([row], [model._meta.fields[1].name]),
    ]
    for attempt in attempts:
        with pytest.raises(TypeError, match="never"), transaction.atomic():
            attempt()
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", WRITTEN_ONCE, ids=lambda model: model.__name__)
def test_the_database_refuses_to_change_any_column_of_what_is_written_once(
    model: Any, facts: Analysis
) -> None:
    for field in model._meta.concrete_fields:
        assert refused(update(model, field.column), [])


@pytest.mark.parametrize("model", [*WRITTEN_ONCE, Analysis, ModelVersion], ids=lambda model: model.__name__)
def test_the_database_refuses_to_delete(model: Any, facts: Analysis) -> None:
    assert model.objects.exists()
    assert refused(delete(model), [])


@pytest.mark.parametrize("same", ["first_reader", "second_reader"])
def test_nobody_decides_between_reads_of_their_own(same: str, facts: Analysis) -> None:
    decided = Adjudication.objects.get()
    decided.pk, decided._state.adding = uuid.uuid4(), True
    decided.adjudicator = getattr(decided, same)
    with pytest.raises(IntegrityError, match="third_person"), transaction.atomic():
        decided.save(force_insert=True)


def test_a_signed_report_takes_no_more_reviews(facts: Analysis, alice: User) -> None:
    with pytest.raises(IntegrityError, match="refuses"), transaction.atomic():
        Review.objects.create(analysis=facts, reviewer=alice, verdict="agree", label="glioma")


@pytest.mark.parametrize("answer", [None, ValueError("broken")])
def test_a_finished_analysis_never_changes(
    answer: Exception | None,
    scan: Scan,
    worker: Worker,  # noqa: F811
    settings: Any,
) -> None:
    settings.MAX_ATTEMPTS = 1
    analysis = worker.finish(scan, answer)
    assert analysis.is_finished
    for field in Analysis._meta.concrete_fields:
        assert refused(update(Analysis, field.column), [])


def test_an_analysis_under_way_may_change(scan: Scan) -> None:
    assert Analysis.objects.filter(scan=scan).update(attempts=1) == 1


def test_of_a_model_version_only_its_being_active_changes(facts: Analysis) -> None:
    for field in ModelVersion._meta.concrete_fields:
        changeable = field.column == "is_active"
        assert refused(update(ModelVersion, field.column), []) is not changeable


def test_a_scan_can_be_analysed_again_and_the_first_result_stays(
    facts: Analysis,
    alice: User,
    worker: Worker,  # noqa: F811
) -> None:
    request_analysis(actor=Actor(user=alice, via="page"), scan=facts.scan)
    second = worker.finish(facts.scan)
    assert second.pk != facts.pk
    assert Analysis.objects.get(pk=facts.pk).finished_at == facts.finished_at


def test_every_trigger_has_survived_the_migrations_that_came_after_it(db: None) -> None:
    """SQLite makes a table anew when a migration alters it, and its triggers are lost."""
    query = {
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(query)
        present = {name for (name,) in cursor.fetchall()}
    assert {refusal.name for refusal in REFUSALS} <= present


def test_the_triggers_name_every_column_of_a_model_version(db: None) -> None:
    [event] = [
        r.event for r in REFUSALS if r.table == "classifier_modelversion" and r.event.startswith("UPDATE")
    ]
    named = set(event.removeprefix("UPDATE OF ").split(", "))
    columns = {field.column for field in ModelVersion._meta.concrete_fields}
    assert named == columns - {"is_active"}


@pytest.mark.django_db(transaction=True)
def test_a_test_database_can_still_be_emptied(facts: Analysis) -> None:
    call_command("flush", interactive=False, verbosity=0)
    assert not AuditEvent.objects.exists()
    AuditEvent.objects.create(action="exported")
    assert refused(delete(AuditEvent), [])


def test_no_migration_is_missing(db: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
    assert not MigrationLoader(connection).detect_conflicts()
