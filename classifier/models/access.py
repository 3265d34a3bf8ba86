"""The one question of access: ``Model.objects.visible_to(user)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from django.db import models

from .users import Role, User

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

M = TypeVar("M", bound=models.Model, covariant=True)


class DepartmentQuerySet(models.QuerySet[M]):
    """Rows that hang on a department; ``department_path`` leads to it."""

    department_path: ClassVar[str]

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """What ``user`` may know exists: all for overseers, own departments for readers, else nothing."""
        if not isinstance(user, User):
            return self.none()
        if user.sees_every_department:
            return self
        if not user.has_role(Role.CLINICIAN, Role.REVIEWER):
            return self.none()
        return self.filter(**{f"{self.department_path}__in": user.department_keys})
