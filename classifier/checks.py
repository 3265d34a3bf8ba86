"""System checks: what Django cannot know about this portal's settings."""

import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register
def data_dir_is_writable(**_: Any) -> list[CheckMessage]:
    folder = settings.DATA_DIR
    if settings.STORAGE == "s3" or (folder.is_dir() and os.access(folder, os.W_OK)):
        return []
    return [Error(f"PORTAL_DATA_DIR {folder} is not a folder the portal can write to.", id="portal.E001")]
