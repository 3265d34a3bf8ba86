"""Saved views of the worklist: a person's own, named, one of them chosen."""

import pytest

from classifier.audit import Actor
from classifier.errors import Conflict, NotFound, UserFacingError
from classifier.models import SavedView
from classifier.services import saved_views
from tests.services.locks import WHERE_ROWS_ARE_LOCKED, as_a_row_is_written


def test_a_view_is_a_persons_own(as_alice: Actor, as_bob: Actor) -> None:
    view = saved_views.save_view(actor=as_alice, name=" My  list ", query="assigned=me")
    assert (view.name, saved_views.views_of(as_bob.require_user())) == ("My list", [])
    for act in (
        lambda: saved_views.rename_view(actor=as_bob, view_id=view.pk, name="His"),
        lambda: saved_views.delete_view(actor=as_bob, view_id=view.pk),
        lambda: saved_views.choose_default_view(actor=as_bob, view_id=view.pk),
    ):
        with pytest.raises(NotFound):
            act()
    again = saved_views.save_view(actor=as_alice, name="My list", query="status=60")
    assert (again.pk, again.query) == (view.pk, "status=60")


def test_views_are_renamed_chosen_and_deleted(as_alice: Actor) -> None:
    first = saved_views.save_view(actor=as_alice, name="First", query="status=60")
    second = saved_views.save_view(actor=as_alice, name="Second", query="status=50")
    with pytest.raises(Conflict):
        saved_views.rename_view(actor=as_alice, view_id=second.pk, name="First")
    saved_views.rename_view(actor=as_alice, view_id=second.pk, name="Other")
    for view in (first, second):
        saved_views.choose_default_view(actor=as_alice, view_id=view.pk)
    assert list(SavedView.objects.values_list("name", "is_default")) == [("First", False), ("Other", True)]
    saved_views.choose_default_view(actor=as_alice, view_id=second.pk, chosen=False)
    saved_views.delete_view(actor=as_alice, view_id=first.pk)
    assert list(SavedView.objects.values_list("name", "is_default")) == [("Other", False)]


def test_so_many_views_are_kept_and_no_more(as_alice: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_views, "MOST", 2)
    for name in ("First", "Second"):
        saved_views.save_view(actor=as_alice, name=name, query="")
    with pytest.raises(Conflict, match="At most 2 views"):
        saved_views.save_view(actor=as_alice, name="Third", query="")
    saved_views.save_view(actor=as_alice, name="Second", query="status=60")


@pytest.mark.parametrize(
    ("name", "query", "code"),
    [(" ", "", "view_name_invalid"), ("x" * 61, "", "view_name_invalid"), ("x", "q" * 1001, "view_too_long")],
)
def test_a_view_that_cannot_be_kept_is_refused(name: str, query: str, code: str, as_alice: Actor) -> None:
    with pytest.raises(UserFacingError) as refused:
        saved_views.save_view(actor=as_alice, name=name, query=query)
    assert refused.value.code == code and not SavedView.objects.exists()


@pytest.mark.django_db(transaction=True)
@WHERE_ROWS_ARE_LOCKED
def test_a_view_that_is_kept_twice_at_once_is_one_view(as_alice: Actor) -> None:
    keep, mine = saved_views.save_view, {"actor": as_alice, "name": "Mine"}
    with as_a_row_is_written(SavedView, keep, query="status=60", **mine) as begun:
        first = keep(query="status=50", **mine)
    assert begun[0].result().pk == first.pk
    assert SavedView.objects.get().query == "status=60"


@pytest.fixture
def two_views(as_alice: Actor) -> list[SavedView]:
    return [saved_views.save_view(actor=as_alice, name=name, query="") for name in ("First", "Second")]


@pytest.mark.django_db(transaction=True)
@WHERE_ROWS_ARE_LOCKED
def test_of_two_views_that_are_chosen_at_once_the_list_opens_with_one(
    as_alice: Actor, two_views: list[SavedView]
) -> None:
    choose, (first, second) = saved_views.choose_default_view, two_views
    with as_a_row_is_written(SavedView, choose, actor=as_alice, view_id=second.pk) as begun:
        choose(actor=as_alice, view_id=first.pk)
    begun[0].result()
    assert SavedView.objects.get(is_default=True) == second


@pytest.mark.django_db(transaction=True)
@WHERE_ROWS_ARE_LOCKED
def test_of_two_views_that_get_one_name_at_once_the_later_is_refused(
    as_alice: Actor, two_views: list[SavedView]
) -> None:
    rename, (first, second) = saved_views.rename_view, two_views
    with as_a_row_is_written(SavedView, rename, actor=as_alice, view_id=second.pk, name="Both") as begun:
        rename(actor=as_alice, view_id=first.pk, name="Both")
    with pytest.raises(Conflict):
        begun[0].result()


@pytest.mark.django_db(transaction=True)
@WHERE_ROWS_ARE_LOCKED
def test_a_view_that_is_deleted_while_it_is_renamed_is_gone(
    as_alice: Actor, two_views: list[SavedView]
) -> None:
    first, second = two_views
    with as_a_row_is_written(SavedView, saved_views.delete_view, actor=as_alice, view_id=first.pk) as begun:
        saved_views.rename_view(actor=as_alice, view_id=first.pk, name="Other")
    begun[0].result()
    assert SavedView.objects.get() == second
