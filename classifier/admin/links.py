"""Addresses inside the admin site."""

from urllib.parse import urlencode

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString


def admin_url(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def link(row: Model | None, text: object = None) -> SafeString | str:
    if row is None:
        return "-"
    return format_html('<a href="{}">{}</a>', admin_url(row), row if text is None else text)


def list_url(model: type[Model], **query: object) -> str:
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{urlencode(query)}" if query else address


def trail_url(about: object) -> str:
    """The audit trail of a case, or of the case that a scan, analysis or review belongs to."""
    return f"{reverse('admin:classifier_auditevent_changelist')}?{urlencode({'q': about})}"
