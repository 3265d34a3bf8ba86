"""A share in words, the same ones on pages, in the admin site and in reports."""

from django.utils.translation import gettext as _


def percent(share: float) -> str:
    """Without false certainty: only what is 0 or 1 reads as such."""
    if 0 < share < 0.01:
        return _("<%(number)s%%") % {"number": 1}
    if 0.99 < share < 1:
        return _(">%(number)s%%") % {"number": 99}
    return _("%(number)s%%") % {"number": f"{share * 100:.0f}"}
