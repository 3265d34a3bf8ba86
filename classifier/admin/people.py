"""Users with their roles and departments, and the departments themselves. Nobody is ever deleted."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from classifier.admin.base import Act, AdministratorsAdmin, Table, Tool, admin_actor
from classifier.admin.links import admin_url, link
from classifier.admin.people_forms import (
    AccessForm,
    DepartmentForm,
    DetailsForm,
    NewUserForm,
    PasswordForm,
    ReadingPolicyForm,
)
from classifier.models import Role, User
from classifier.services import departments, people

admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(AdministratorsAdmin):
    fields = (
        "username",
        ("first_name", "last_name", "email"),
        ("is_active", "is_superuser"),
        ("roles", "departments"),
        ("date_joined", "last_login"),
    )
    readonly_fields = ("roles", "departments")
    list_display = ("username", "first_name", "last_name", "roles", "departments", "is_active", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")
    ordering = ("username",)
    search_fields = ("username", "first_name", "last_name", "email")

    def get_urls(self) -> list[URLPattern]:
        return [
            self.act_url("add/", self.create_view, "add"),
            self.act_url("<int:pk>/details/", self.details_view, "details"),
            self.act_url("<int:pk>/access/", self.access_view, "access"),
            self.act_url("<int:pk>/password/", self.password_view, "password"),
            self.act_url("<int:pk>/unlock/", self.unlock_view, "unlock"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return "password" not in lookup and super().lookup_allowed(lookup, value, request)

    def trail_term(self, obj: User) -> str:
        return obj.username

    @admin.display(description=_("roles"))
    def roles(self, user: User) -> str:
        names = (group.name for group in user.groups.all())
        return ", ".join(sorted(str(Role(name).label) for name in names if name in Role.values))

    @admin.display(description=_("departments"))
    def departments(self, user: User) -> str:
        return ", ".join(sorted(group.name for group in user.groups.all() if group.name not in Role.values))

    def tools(self, request: HttpRequest, obj: User) -> list[Tool]:
        if not people.may_manage(actor=admin_actor(request), user=obj):
            return super().tools(request, obj)
        return [
            (_("Edit"), reverse("admin:classifier_user_details", args=[obj.pk])),
            (_("Roles and departments"), reverse("admin:classifier_user_access", args=[obj.pk])),
            (_("Set password"), reverse("admin:classifier_user_password", args=[obj.pk])),
            (_("Unlock"), reverse("admin:classifier_user_unlock", args=[obj.pk])),
            (_("Issue a token"), f"{reverse('admin:classifier_apitoken_add')}?user={obj.pk}"),
            *super().tools(request, obj),
        ]

    def list_tools(self, request: HttpRequest) -> list[Tool]:
        return [(_("Add a user"), reverse("admin:classifier_user_add"))]

    def tables(self, obj: User) -> list[Table]:
        headers = (_("Token"), _("Scopes"), _("Created"), _("Expires"), _("Last used"), _("Revoked"))
        return [
            Table.of(
                _("API tokens"),
                headers,
                obj.api_tokens.order_by("-created_at"),
                lambda token: (
                    link(token),
                    ", ".join(token.scopes),
                    token.created_at,
                    token.expires_at,
                    token.last_used_at or "-",
                    token.revoked_at or "-",
                ),
            )
        ]

    @sensitive_variables()
    def create_view(self, request: HttpRequest) -> HttpResponse:
        actor = admin_actor(request)

        @sensitive_variables()
        def do(given: dict[str, Any]) -> HttpResponse:
            user = people.create_user(actor=actor, **given)
            messages.success(request, _("User %(user)s was created.") % {"user": user})
            return redirect(admin_url(user))

        act = Act(
            title=_("Add a user"),
            submit=_("Add"),
            do=do,
            form_class=NewUserForm,
            form_options={"may_grant_superuser": actor.require_user().is_superuser},
        )
        return self.act(request, act)

    def details_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = self._manageable(request, pk)

        def do(given: dict[str, Any]) -> str:
            people.change_user(actor=admin_actor(request), user=user, **given)
            return _("User %(user)s is as you wanted.") % {"user": given["username"]}

        now = {name: getattr(user, name) for name in DetailsForm.base_fields}
        act = Act(
            title=_("Edit user %(user)s") % {"user": user},
            submit=_("Save"),
            intro=_("An account is never deleted; one that is not active cannot sign in and its tokens end."),
            do=do,
            form_class=DetailsForm,
            form_options={"initial": now},
        )
        return self.act(request, act, about=user)

    def access_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = self._manageable(request, pk)
        actor = admin_actor(request)

        def do(given: dict[str, Any]) -> str:
            people.change_access(actor=actor, user=user, **given)
            return _("User %(user)s has these roles and departments now.") % {"user": user}

        names = user.group_names
        now = {
            "roles": sorted(names & set(Role.values)),
            "departments": sorted(names - set(Role.values)),
            "is_superuser": user.is_superuser,
        }
        act = Act(
            title=_("Roles and departments of %(user)s") % {"user": user},
            submit=_("Save"),
            do=do,
            form_class=AccessForm,
            form_options={"initial": now, "may_grant_superuser": actor.require_user().is_superuser},
        )
        return self.act(request, act, about=user)

    def password_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = self._manageable(request, pk)

        @sensitive_variables()
        def do(given: dict[str, Any]) -> str:
            people.reset_password(actor=admin_actor(request), user=user, password=given["password"])
            return _("User %(user)s has a new password.") % {"user": user}

        act = Act(
            title=_("Set the password of %(user)s") % {"user": user},
            submit=_("Set password"),
            intro=_("Every session of this user ends."),
            do=do,
            form_class=PasswordForm,
        )
        return self.act(request, act, about=user)

    def unlock_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = self._manageable(request, pk)

        def do(_given: object) -> str:
            unlocked = people.unlock_user(actor=admin_actor(request), user=user)
            said = _("User %(user)s may try again.") if unlocked else _("User %(user)s was not locked out.")
            return said % {"user": user}

        act = Act(
            title=_("Unlock %(user)s") % {"user": user},
            submit=_("Unlock"),
            intro=_("Failed sign-ins under this name are forgotten, and it may be tried again at once."),
            do=do,
        )
        return self.act(request, act, about=user)

    def _manageable(self, request: HttpRequest, pk: int) -> User:
        user = get_object_or_404(User, pk=pk)
        people.check_may_manage(actor=admin_actor(request), user=user)
        return user


@admin.register(Group)
class DepartmentAdmin(AdministratorsAdmin):
    fields = ("name", "kind", "reading")
    readonly_fields = ("kind", "reading")
    list_display = ("name", "kind", "reading", "members")
    list_select_related = ("reading_policy",)
    ordering = ("name",)
    search_fields = ("name",)

    def get_urls(self) -> list[URLPattern]:
        return [
            self.act_url("add/", self.create_view, "add"),
            self.act_url("<int:pk>/rename/", self.rename_view, "rename"),
            self.act_url("<int:pk>/reading/", self.reading_view, "reading"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        groups: QuerySet[Group] = super().get_queryset(request)
        return groups.annotate(members=Count("user"))

    @admin.display(description=_("kind"))
    def kind(self, group: Group) -> str:
        return str(_("role") if group.name in Role.values else _("department"))

    @admin.display(description=_("how it reads"))
    def reading(self, group: Group) -> str:
        names = {"second_reader": _("two independent reads"), "blind": _("blind reading")}
        policy = departments.reading_policy_of(group)
        return ", ".join(str(name) for key, name in names.items() if policy[key]) or "-"

    @admin.display(description=_("members"))
    def members(self, group: Any) -> int:
        return int(group.members)

    def tools(self, request: HttpRequest, obj: Group) -> list[Tool]:
        if obj.name in Role.values:
            return []
        return [
            (_("Rename"), reverse("admin:auth_group_rename", args=[obj.pk])),
            (_("How it reads"), reverse("admin:auth_group_reading", args=[obj.pk])),
        ]

    def list_tools(self, request: HttpRequest) -> list[Tool]:
        return [(_("Add a department"), reverse("admin:auth_group_add"))]

    def tables(self, obj: Group) -> list[Table]:
        found = User.objects.filter(groups=obj).order_by("username")
        return [
            Table.of(
                _("Members"),
                (_("User"), _("Name"), _("Active")),
                found,
                lambda user: (link(user), user.get_full_name(), _("yes") if user.is_active else _("no")),
            )
        ]

    def create_view(self, request: HttpRequest) -> HttpResponse:
        def do(given: dict[str, Any]) -> str:
            department = departments.create_department(actor=admin_actor(request), **given)
            return _("%(department)s was added.") % {"department": department}

        act = Act(title=_("Add a department"), submit=_("Add"), do=do, form_class=DepartmentForm)
        return self.act(request, act)

    def rename_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        department = get_object_or_404(Group.objects.exclude(name__in=Role.values), pk=pk)

        def do(given: dict[str, Any]) -> str:
            departments.rename_department(actor=admin_actor(request), department=department, **given)
            return _("The department is called %(name)s now.") % {"name": given["name"]}

        act = Act(
            title=_("Rename %(department)s") % {"department": department},
            submit=_("Rename"),
            do=do,
            form_class=DepartmentForm,
            form_options={"initial": {"name": department.name}},
        )
        return self.act(request, act, about=department)

    def reading_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        department = get_object_or_404(Group.objects.exclude(name__in=Role.values), pk=pk)

        def do(given: dict[str, Any]) -> str:
            departments.set_reading_policy(actor=admin_actor(request), department=department, **given)
            return _("%(department)s reads like this from now on.") % {"department": department}

        act = Act(
            title=_("How %(department)s reads") % {"department": department},
            submit=_("Save"),
            intro=_("It holds at once for every case that is not signed; what was read and signed stays."),
            do=do,
            form_class=ReadingPolicyForm,
            form_options={"initial": departments.reading_policy_of(department)},
        )
        return self.act(request, act, about=department)
