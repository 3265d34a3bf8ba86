"""ApiToken: programs sign in with a random secret of which only the SHA-256 is kept."""

import hashlib
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .cases import Scan


class Scope(models.TextChoices):
    SCANS_READ = "scans:read", _("Read cases, scans and analyses")
    SCANS_WRITE = "scans:write", _("Upload scans")
    REVIEWS_WRITE = "reviews:write", _("Submit reviews")
    REPORTS_SIGN = "reports:sign", _("Sign and amend reports")


def hash_secret(secret: str) -> str:
    """A 256-bit random secret needs no slow hash; PBKDF2 would cost 0.4 s on every request."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self, now: datetime | None = None) -> Self:
        return self.filter(
            revoked_at__isnull=True, expires_at__gt=now or timezone.now(), user__is_active=True
        )


class ApiToken(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, help_text=_("the secret's first letters, to tell tokens apart"))
    secret_sha256 = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["user", "-created_at"], name="token_of_user")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_usable(self) -> bool:
        return self.revoked_at is None and self.expires_at > timezone.now()


class IdempotencyKey(models.Model):
    """What a retried upload with the same ``Idempotency-Key`` gets back."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=255)
    request_digest = models.CharField(max_length=64)
    scans = models.ManyToManyField(Scan, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_of_user")]

    def __str__(self) -> str:
        return f"Idempotency key {self.pk}"
