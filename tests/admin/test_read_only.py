"""The admin site shows every medical fact and changes none, whoever asks."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.forms import model_to_dict
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from classifier.audit import Actor
from classifier.models import (
    Adjudication,
    Analysis,
    ApiToken,
    AuditEvent,
    Case,
    ModelVersion,
    Patient,
    Report,
    Review,
    Scan,
    User,
    WorkerHeartbeat,
)
from classifier.services.analyses import request_analysis
from tests.admin.conftest import History
from tests.worker import Worker, prediction

pytestmark = pytest.mark.usefixtures("signed")
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
HISTORY_MODELS = [Patient, Case, Scan, Analysis, Review, Adjudication, Report, AuditEvent, ModelVersion]


def address(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def a_row(model: Any) -> Any:
    if model is WorkerHeartbeat:
        now = timezone.now()
        return WorkerHeartbeat.objects.create(
            name="host:1", model_version="1", load_seconds=1, rss_bytes=1, loaded_at=now, seen_at=now
        )
    return model._default_manager.first()


@pytest.fixture(params=MODELS, ids=lambda model: model.__name__)
def model(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_every_table_of_the_history_is_there(history: History) -> None:
    expected = {*HISTORY_MODELS, WorkerHeartbeat, ApiToken, User}
    assert expected <= set(MODELS)


def test_a_superuser_sees_every_list_and_every_row(
    model: Any, history: History, root: User, browser: Callable[[User], Client]
) -> None:
    client, row = browser(root), a_row(model)
    assert client.get(address(model, "changelist")).status_code == 200
    assert client.get(address(model, "change", row.pk)).status_code == 200


def test_not_even_a_superuser_changes_a_row(
    model: Any, history: History, root: User, browser: Callable[[User], Client]
) -> None:
    client, row = browser(root), a_row(model)
    before = model_to_dict(row, fields=[field.name for field in row._meta.fields])
    posted = {name: str(value) for name, value in before.items()} | {"_save": "Save"}
    assert client.post(address(model, "change", row.pk), posted).status_code == 403
    row.refresh_from_db()
    assert model_to_dict(row, fields=[field.name for field in row._meta.fields]) == before


def test_not_even_a_superuser_deletes_a_row(
    model: Any, history: History, root: User, browser: Callable[[User], Client]
) -> None:
    client, row = browser(root), a_row(model)
    assert client.get(address(model, "delete", row.pk)).status_code == 403
    assert client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


def test_no_list_offers_an_action_on_many_rows(
    model: Any, history: History, root: User, browser: Callable[[User], Client]
) -> None:
    row = a_row(model)
    posted = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
    browser(root).post(address(model, "changelist"), posted)
    assert model._default_manager.filter(pk=row.pk).exists()
    assert b"delete_selected" not in browser(root).get(address(model, "changelist")).content


@pytest.mark.parametrize("model", HISTORY_MODELS, ids=lambda model: model.__name__)
def test_not_even_a_superuser_adds_a_medical_fact(
    model: Any, history: History, root: User, browser: Callable[[User], Client]
) -> None:
    before = model._default_manager.count()
    assert browser(root).get(address(model, "add")).status_code == 403
    assert browser(root).post(address(model, "add"), {"_save": "Save"}).status_code == 403
    assert model._default_manager.count() == before


def test_a_page_of_the_history_has_nothing_to_fill_in(
    history: History, root: User, browser: Callable[[User], Client]
) -> None:
    for row in (history.patient, history.case, history.scan, history.analysis, history.review):
        page = browser(root).get(address(type(row), "change", row.pk)).content.decode()
        content = page[page.index('id="content-main"') :]
        assert "<select" not in content and "<textarea" not in content
        assert 'type="submit"' not in content


@pytest.mark.parametrize("who", ["otto", "ada"])
def test_auditors_and_administrators_see_the_history(
    who: str, history: History, request: pytest.FixtureRequest, browser: Callable[[User], Client]
) -> None:
    client = browser(request.getfixturevalue(who))
    for model in HISTORY_MODELS:
        assert client.get(address(model, "change", a_row(model).pk)).status_code == 200


def test_auditors_do_not_see_people_and_tokens(
    history: History, otto: User, browser: Callable[[User], Client]
) -> None:
    for model in (User, ApiToken):
        assert browser(otto).get(address(model, "changelist")).status_code == 403
        assert browser(otto).get(address(model, "change", a_row(model).pk)).status_code == 403


@pytest.mark.parametrize("who", ["alice", "rita", "bob"])
def test_clinicians_do_not_enter_the_admin_site(
    who: str, history: History, request: pytest.FixtureRequest, browser: Callable[[User], Client]
) -> None:
    user = request.getfixturevalue(who)
    User.objects.filter(pk=user.pk).update(is_staff=True)
    client = browser(user)
    assert client.get(reverse("admin:index")).status_code == 403
    assert client.get(address(Case, "change", history.case.pk)).status_code == 403


def test_the_case_shows_its_scans_analyses_and_reviews(
    history: History, otto: User, browser: Callable[[User], Client]
) -> None:
    page = browser(otto).get(address(Case, "change", history.case.pk)).content.decode()
    for row in (history.scan, history.analysis, history.review):
        assert address(type(row), "change", row.pk) in page
    assert "Glioma suspected" in page and "Meningioma" in page
    assert f"{address(AuditEvent, 'changelist')}?q={history.case.pk}" in page


def test_probabilities_are_told_as_on_the_pages_and_never_as_certain(
    history: History, worker: Worker, as_alice: Actor, otto: User, browser: Callable[[User], Client]
) -> None:
    shares = {"glioma": 0.9996, "meningioma": 0.0002, "notumor": 0.0002, "pituitary": 0.0}
    request_analysis(actor=as_alice, scan=history.scan)
    analysis = worker.finish(history.scan, prediction(probabilities=shares, tumour_probability=0.9998))
    page = browser(otto).get(address(Analysis, "change", analysis.pk)).content.decode()
    assert all(told in page for told in ("glioma &gt;99%", "notumor &lt;1%", "pituitary 0%"))


def test_the_secret_of_a_token_is_nowhere_on_its_page(
    history: History, ada: User, browser: Callable[[User], Client]
) -> None:
    page = browser(ada).get(address(ApiToken, "change", history.token.pk)).content.decode()
    assert history.token.secret_sha256 not in page
    assert history.token.prefix in page


@pytest.mark.parametrize(
    ("model", "lookup"), [(User, "password__startswith"), (ApiToken, "secret_sha256__startswith")]
)
def test_a_hash_cannot_be_guessed_by_filtering(
    model: Any, lookup: str, history: History, ada: User, browser: Callable[[User], Client]
) -> None:
    answer = browser(ada).get(address(model, "changelist"), {lookup: "a"})
    assert answer.status_code == 400


def test_the_history_of_a_row_is_its_audit_trail(
    history: History, otto: User, browser: Callable[[User], Client]
) -> None:
    answer = browser(otto).get(address(Analysis, "history", history.analysis.pk), follow=True)
    actions = {event.action for event in answer.context["cl"].result_list}
    assert {"case_opened", "scan_uploaded", "analysis_finished", "review_submitted"} <= actions


def test_django_keeps_no_second_log(root: User, browser: Callable[[User], Client]) -> None:
    client = browser(root)
    client.post(reverse("admin:auth_group_add"), {"name": "Cardiology"})
    assert not LogEntry.objects.exists()
