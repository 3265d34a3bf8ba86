"""How a person wants the pages to look and speak; no medical fact and no right hangs on it."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Theme(models.TextChoices):
    DARK = "dark", _("Dark, for a reading room")
    LIGHT = "light", _("Light")
    DEVICE = "device", _("As this device prefers")


class Preferences(models.Model):
    """Columns of `User`, which every request has read anyway. Empty means: not chosen."""

    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES, blank=True)
    theme = models.CharField(_("colours"), max_length=8, choices=Theme.choices, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    # WCAG 2.1.4: whoever dictates or has a tremor must be able to switch keys of one letter off.
    single_keys = models.BooleanField(_("keys of one letter"), default=True)
    guide_hidden = models.BooleanField(_("guide hidden"), default=False)

    class Meta:
        abstract = True
