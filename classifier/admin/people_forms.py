"""Forms about people. They shape input; the services decide what is right."""

from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from classifier.errors import UserFacingError
from classifier.models import Role
from classifier.services.people import check_password_strength


class NameForm(forms.Form):
    username = forms.CharField(label=_("Username"), max_length=150)
    first_name = forms.CharField(label=_("First name"), max_length=150, required=False)
    last_name = forms.CharField(label=_("Last name"), max_length=150, required=False)
    email = forms.EmailField(label=_("Email"), required=False)


class DetailsForm(NameForm):
    is_active = forms.BooleanField(label=_("Active"), required=False)


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=_("Password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
    repeated = forms.CharField(
        label=_("Password again"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        given = {**(super().clean() or self.cleaned_data)}
        password, repeated = given.get("password"), given.pop("repeated", None)
        if password and password != repeated:
            self.add_error("repeated", _("The two passwords differ."))
        return given

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        try:
            check_password_strength(password=password)
        except UserFacingError as error:
            raise ValidationError(error.detail) from error
        return password


class AccessForm(forms.Form):
    """``may_grant_superuser`` is for superusers; nobody else is even asked."""

    roles = forms.MultipleChoiceField(
        label=_("Roles"), choices=Role.choices, required=False, widget=forms.CheckboxSelectMultiple
    )
    departments = forms.ModelMultipleChoiceField(
        label=_("Departments"),
        queryset=Group.objects.exclude(name__in=Role.values).order_by("name"),
        to_field_name="name",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    is_superuser = forms.BooleanField(label=_("Superuser"), required=False)

    def __init__(self, *args: Any, may_grant_superuser: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_grant_superuser:
            del self.fields["is_superuser"]

    def clean_departments(self) -> list[str]:
        return [group.name for group in self.cleaned_data["departments"]]


class NewUserForm(AccessForm, PasswordForm, NameForm):
    field_order = ("username", "first_name", "last_name", "email", "password", "repeated")


class DepartmentForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=150)


class ReadingPolicyForm(forms.Form):
    second_reader = forms.BooleanField(
        label=_("Two independent reads"),
        required=False,
        help_text=_("Every scan is read by two persons; who reads second does not see the first read."),
    )
    blind = forms.BooleanField(
        label=_("Blind reading"),
        required=False,
        help_text=_("The machine's answer stays hidden from each reader until their own read is recorded."),
    )
