"""What a new person has done already, so that their first steps can be ticked off."""

from typing import Any

from django.contrib.auth.models import Group
from django.db.models import QuerySet

from classifier.models import Case, ModelVersion, Review, Role, User


def steps_done(*, user: User) -> set[str]:
    """Names of first steps; asked only while somebody wants to see them."""
    asked: dict[str, QuerySet[Any]] = {}
    if user.may_administer:
        asked |= {
            "department": Group.objects.exclude(name__in=Role.values),
            "people": User.objects.exclude(pk=user.pk),
            "model": ModelVersion.objects.filter(is_active=True),
        }
    if user.may_upload:
        asked["case"] = Case.objects.filter(opened_by=user)
    if user.may_review:
        asked["review"] = Review.objects.filter(reviewer=user)
    return {name for name, rows in asked.items() if rows.exists()}
