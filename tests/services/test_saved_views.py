"""Saved views of the worklist: a person's own, named, one of them chosen."""

import pytest

from classifier.audit import Actor
from classifier.errors import Conflict, NotFound, UserFacingError
from classifier.models import SavedView
from classifier.services import saved_views


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
