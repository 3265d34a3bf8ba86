"""The filters of the worklist as they stand in an address, and as chips that take one away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import QueryDict
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from classifier.models import Case, User
from classifier.models.analysis import Outcome
from classifier.pages.forms import DayField
from classifier.services.assignments import readers_for
from classifier.services.worklist import departments_of
from classifier.services.worklist_selection import Filters

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

ME, NOBODY = "me", "nobody"
ALL = "all"
POSITIONS = ("after", "before")


@dataclass(frozen=True)
class Chip:
    """``rest`` is the address without this filter."""

    label: StrOrPromise
    value: StrOrPromise
    rest: str


class WorklistForm(forms.Form):
    """What cannot be understood is as if it were not there, and the form says so."""

    q = forms.CharField(label=_("Reference or question"), max_length=100, required=False)
    status = forms.TypedChoiceField(
        label=_("Status"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("", _("Any status")), *reversed(Case.Triage.choices)],
    )
    outcome = forms.ChoiceField(
        label=_("Result"), required=False, choices=[("", _("Any result")), *Outcome.choices]
    )
    assigned = forms.ChoiceField(label=_("Assigned to"), required=False)
    reviewer = forms.TypedChoiceField(label=_("Read by"), coerce=int, empty_value=None, required=False)
    department = forms.TypedChoiceField(label=_("Department"), coerce=int, empty_value=None, required=False)
    since = DayField(label=_("Received from"), required=False)
    until = DayField(label=_("Received until"), required=False)
    studied_since = DayField(label=_("Study from"), required=False)
    studied_until = DayField(label=_("Study until"), required=False)

    FIRST = ("q", "status", "outcome", "assigned")

    def __init__(self, data: QueryDict, *, user: User) -> None:
        super().__init__(data)
        self.user = user
        departments = [(group.pk, group.name) for group in departments_of(user)]
        self.readers = [(reader.pk, reader.get_username()) for reader in readers_for(user)]
        self._offer("department", [("", _("All departments")), *departments])
        self._offer("reviewer", [("", _("Anybody")), *self.readers])
        self._offer("assigned", [("", _("Anybody")), (ME, _("Me")), (NOBODY, _("Nobody")), *self.readers])
        if len(departments) < 2:
            del self.fields["department"]
        self.fields["q"].widget.attrs |= {"data-key": "/"}
        self.is_valid()

    def filters(self) -> Filters:
        given = self.cleaned_data
        assigned = given.get("assigned", "")
        return Filters(
            triage=given.get("status"),
            outcome=given.get("outcome", ""),
            text=given.get("q", ""),
            department=given.get("department"),
            reviewer=given.get("reviewer"),
            assignee=self.user.pk if assigned == ME else int(assigned) if assigned.isdecimal() else None,
            unassigned=assigned == NOBODY,
            since=given.get("since"),
            until=given.get("until"),
            studied_since=given.get("studied_since"),
            studied_until=given.get("studied_until"),
        )

    def query(self) -> str:
        """The filters that hold, as they stand in an address."""
        return self._without("")

    def chips(self) -> Iterator[Chip]:
        for name in self._held():
            yield Chip(self.fields[name].label or "", self._words(name), self._without(name))

    def first_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.FIRST]

    def more_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in self.FIRST]

    def more_is_used(self) -> bool:
        more = {name for name in self.fields if name not in self.FIRST}
        return bool(more & {*self._held(), *self.errors})

    def _offer(self, name: str, choices: list[tuple[Any, StrOrPromise]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - declared above
        field.choices = choices

    def _held(self) -> list[str]:
        return [name for name in self.fields if self.cleaned_data.get(name) not in (None, "")]

    def _words(self, name: str) -> StrOrPromise:
        value, field = self.cleaned_data[name], self.fields[name]
        if isinstance(field, forms.DateField):
            return date_format(value, "SHORT_DATE_FORMAT")
        if isinstance(field, forms.ChoiceField):
            words: dict[str, StrOrPromise] = {str(key): text for key, text in field.choices}  # type: ignore[misc,union-attr]
            return words[str(value)]
        return str(value)

    def _without(self, left_out: str) -> str:
        kept = QueryDict(mutable=True)
        for name in self._held():
            if name != left_out:
                kept[name] = str(self.cleaned_data[name])
        return kept.urlencode()


def address_of(query: str) -> str:
    """Of the worklist with these filters, or with none even for who has a view to begin with."""
    return f"{reverse('worklist')}?{query or f'{ALL}=1'}"


def place_of(form: WorklistForm, query: QueryDict) -> str:
    """Filters and position, for an address that asks for the same rows."""
    kept = QueryDict(form.query(), mutable=True)
    for name in POSITIONS:
        if value := query.get(name, ""):
            kept[name] = value
    return kept.urlencode()
