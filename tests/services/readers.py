"""Readers of a department, how it reads, and what each of them does and sees."""

from collections.abc import Callable
from typing import Any

import pytest

from classifier.audit import Actor
from classifier.errors import UserFacingError
from classifier.models import (
    Analysis,
    Case,
    Review,
    User,
)
from classifier.services.reviews import find_analysis, submit_review


def fresh(actor: Actor) -> Actor:
    """The same person in another request: what is known of their groups is asked anew."""
    return Actor(user=User.objects.get(pk=actor.require_user().pk), via=actor.via)


def read(actor: Actor, analysis: Analysis, label: str = "glioma", **more: Any) -> Review:
    return submit_review(actor=fresh(actor), analysis=analysis, verdict="correct", label=label, **more)


def seen(actor: Actor, analysis: Analysis) -> Analysis:
    return find_analysis(actor=fresh(actor), analysis_id=analysis.pk)


def refusal(act: Callable[..., Any], **given: Any) -> str:
    with pytest.raises(UserFacingError) as refused:
        act(**given)
    return refused.value.code


def standing() -> int:
    return Case.objects.get().triage
