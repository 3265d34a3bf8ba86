"""Forms of the pages. They shape input; the services decide what is right."""

from datetime import date
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from classifier.models import Patient, User
from classifier.models.preferences import Theme
from classifier.models.tokens import Scope
from classifier.services.clock import today_somewhere
from classifier.services.preferences import time_zones
from classifier.services.tokens import DEFAULT_DAYS, MAX_DAYS
from classifier.services.worklist import departments_of

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self, **attrs: Any) -> None:
        super().__init__(format="%Y-%m-%d", attrs=attrs)


class DayField(forms.DateField):
    """A day that has a midnight in every time zone."""

    widget = DayInput

    def __init__(self, **options: Any) -> None:
        days = [MinValueValidator(date(1900, 1, 1)), MaxValueValidator(date(2999, 12, 31))]
        super().__init__(validators=days, **options)


class SignInForm(AuthenticationForm):
    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": _("The name or the password is wrong. Both are case-sensitive."),
    }


class OwnPasswordForm(PasswordChangeForm):
    """Django's, saved by a service instead of by the form. A wrong old password counts as a failed sign-in:
    a session that was left open is no place to guess it.
    """

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        given: str = self.cleaned_data["old_password"]
        if authenticate(self.request, username=self.user.get_username(), password=given) is None:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return given


class FiguresForm(forms.Form):
    """Of whom, and over how long; what cannot be understood is as if it were not there."""

    department = forms.TypedChoiceField(label=_("Department"), coerce=int, empty_value=None, required=False)
    weeks = forms.TypedChoiceField(
        label=_("Period"),
        coerce=int,
        required=False,
        choices=[("4", _("4 weeks")), ("12", _("12 weeks")), ("26", _("26 weeks")), ("52", _("52 weeks"))],
    )

    def __init__(self, data: Any, *, user: User) -> None:
        super().__init__({"weeks": "12", **data.dict()})
        departments = [(group.pk, group.name) for group in departments_of(user)]
        self.has_departments = len(departments) > 1
        department = self.fields["department"]
        assert isinstance(department, forms.ChoiceField)  # noqa: S101 - declared above
        department.choices = [("", _("All departments")), *departments]

    def chosen(self) -> dict[str, Any]:
        self.is_valid()
        given = self.cleaned_data
        return {"department": given.get("department"), "weeks": given.get("weeks") or 12}


class CaseForm(forms.Form):
    patient = forms.CharField(
        label=_("Patient reference"),
        max_length=64,
        help_text=_("The record number or a pseudonym. The same reference means the same patient."),
    )
    question = forms.CharField(
        label=_("Clinical question"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What should be answered? For example: headache for six weeks, mass?"),
    )
    study_date = DayField(label=_("Study date"), required=False)
    department = forms.ChoiceField(label=_("Department"))
    name = forms.CharField(label=_("Name"), max_length=200, required=False)
    birth_year = forms.IntegerField(label=_("Year of birth"), required=False, min_value=Patient.BORN_FROM)
    sex = forms.ChoiceField(label=_("Sex"), required=False, choices=Patient.Sex.choices)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [group.name for group in user.departments]
        if len(names) > 1:
            department = self.fields["department"]
            assert isinstance(department, forms.ChoiceField)  # noqa: S101 - declared above
            department.choices = [("", _("Choose…")), *((name, name) for name in names)]
        else:
            del self.fields["department"]
        for field in ("patient", "name", "birth_year"):
            self.fields[field].widget.attrs["autocomplete"] = "off"

    def clean_study_date(self) -> Any:
        return _not_in_the_future(
            self.cleaned_data["study_date"], today_somewhere(), _("The study date lies in the future.")
        )

    def clean_birth_year(self) -> Any:
        return _not_in_the_future(
            self.cleaned_data["birth_year"],
            today_somewhere().year,
            _("The year of birth lies in the future."),
        )


class LookForm(forms.Form):
    """What can be chosen on every page, the sign-in included."""

    language = forms.ChoiceField(required=False, choices=settings.LANGUAGES)
    theme = forms.ChoiceField(required=False, choices=Theme.choices)


class PreferencesForm(forms.Form):
    language = forms.ChoiceField(
        label=_("Language"), required=False, choices=[("", _("As the browser asks")), *settings.LANGUAGES]
    )
    theme = forms.ChoiceField(label=_("Colours"), required=False, choices=Theme.choices)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)
    single_keys = forms.BooleanField(
        label=_("Keys of one letter"),
        required=False,
        help_text=_("Switch them off if you dictate or hit keys by accident."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = self.fields["time_zone"]
        assert isinstance(zone, forms.ChoiceField)  # noqa: S101 - declared above
        own = _("As the portal has it: %(zone)s") % {"zone": settings.TIME_ZONE}
        zone.choices = [("", own), *((name, name.replace("_", " ")) for name in time_zones())]


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=100, help_text=_("What will use it, for example “PACS bridge”.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple
    )
    days = forms.IntegerField(
        label=_("Valid for (days)"), min_value=1, max_value=MAX_DAYS, initial=DEFAULT_DAYS
    )


def _not_in_the_future(value: Any, now: Any, otherwise: "StrOrPromise") -> Any:
    if value is not None and value > now:
        raise ValidationError(otherwise)
    return value
