"""People. Roles and departments are both Django groups; the four role names are reserved."""

from functools import cached_property

from django.contrib.auth.models import AbstractUser, Group
from django.db import models
from django.utils.translation import gettext_lazy as _

from .preferences import Preferences


class Role(models.TextChoices):
    CLINICIAN = "clinician", _("Clinician")
    REVIEWER = "reviewer", _("Reviewer")
    AUDITOR = "auditor", _("Auditor")
    ADMINISTRATOR = "administrator", _("Administrator")


class User(AbstractUser, Preferences):
    @cached_property
    def _groups(self) -> list[Group]:
        """A request asks for its user's groups several times; the database is asked once."""
        return list(self.groups.select_related("reading_policy").order_by("name"))

    @property
    def group_names(self) -> frozenset[str]:
        return frozenset(group.name for group in self._groups)

    def has_role(self, *roles: Role) -> bool:
        return self.is_active and not self.group_names.isdisjoint(roles)

    @property
    def departments(self) -> list[Group]:
        """The groups that are departments, by name."""
        return [group for group in self._groups if group.name not in Role.values]

    @property
    def department_keys(self) -> list[int]:
        return [group.pk for group in self.departments]

    @property
    def sees_every_department(self) -> bool:
        return self.is_active and (self.is_superuser or self.has_role(Role.AUDITOR, Role.ADMINISTRATOR))

    @property
    def may_upload(self) -> bool:
        return self.has_role(Role.CLINICIAN)

    @property
    def may_review(self) -> bool:
        return self.has_role(Role.CLINICIAN, Role.REVIEWER)

    @property
    def may_sign(self) -> bool:
        """Whoever may read a case may answer for its report."""
        return self.may_review

    @property
    def may_administer(self) -> bool:
        return self.is_active and (self.is_superuser or self.has_role(Role.ADMINISTRATOR))

    @property
    def may_audit(self) -> bool:
        return self.may_administer or self.has_role(Role.AUDITOR)
