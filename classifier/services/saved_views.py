"""Views of the worklist that a person keeps under a name. Nobody else sees them, and no fact hangs on them,
so they are not in the audit trail.
"""

from django.db import transaction
from django.utils.translation import gettext as _

from classifier.audit import Actor
from classifier.errors import Conflict, NotFound, UserFacingError
from classifier.models import SavedView, User

MOST = 50
LONGEST_NAME, LONGEST_QUERY = 60, 1000


def views_of(user: User) -> list[SavedView]:
    return list(SavedView.objects.filter(user=user))


@transaction.atomic
def save_view(*, actor: Actor, name: str, query: str) -> SavedView:
    """Keep ``query``, the filters as they stand in an address; the same name again replaces them."""
    user = _one_at_a_time(actor)
    name = _clean_name(name)
    if len(query) > LONGEST_QUERY:
        raise UserFacingError("view_too_long", _("These filters are too long to be kept."))
    if (view := SavedView.objects.filter(user=user, name=name).first()) is not None:
        view.query = query
        view.save(update_fields=["query"])
        return view
    if SavedView.objects.filter(user=user).count() >= MOST:
        raise Conflict("too_many_views", _("At most %d views can be kept; delete one first.") % MOST)
    return SavedView.objects.create(user=user, name=name, query=query)


@transaction.atomic
def rename_view(*, actor: Actor, view_id: int, name: str) -> SavedView:
    view = _own(actor, view_id)
    name = _clean_name(name)
    if SavedView.objects.filter(user=view.user, name=name).exclude(pk=view.pk).exists():
        raise Conflict("view_name_taken", _("You have a view of that name already."))
    view.name = name
    view.save(update_fields=["name"])
    return view


@transaction.atomic
def delete_view(*, actor: Actor, view_id: int) -> None:
    _own(actor, view_id).delete()


@transaction.atomic
def choose_default_view(*, actor: Actor, view_id: int, chosen: bool = True) -> SavedView:
    """What the worklist opens with; one view at most."""
    view = _own(actor, view_id)
    SavedView.objects.filter(user=view.user, is_default=True).update(is_default=False)
    view.is_default = chosen
    view.save(update_fields=["is_default"])
    return view


def _one_at_a_time(actor: Actor) -> User:
    """Views hang together by their names and the one that is chosen: a second click waits for the first."""
    return User.objects.select_for_update(no_key=True).get(pk=actor.require_user().pk)


def _own(actor: Actor, view_id: int) -> SavedView:
    view = SavedView.objects.filter(user=_one_at_a_time(actor), pk=view_id).first()
    if view is None:
        raise NotFound("view")
    return view


def _clean_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UserFacingError(
            "view_name_invalid", _("A view needs a name of at most %d characters.") % LONGEST_NAME
        )
    return name
