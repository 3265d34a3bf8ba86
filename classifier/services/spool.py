"""What a killed process leaves where files are on their way: halves of uploads, copies out of a bucket."""

import shutil
import time

from django.conf import settings

A_DAY_S = 86_400


def forget_remains() -> None:
    """Remove what is a day old; no upload and no analysis lasts that long."""
    if settings.FILE_UPLOAD_TEMP_DIR is None:
        return
    for path in settings.FILE_UPLOAD_TEMP_DIR.iterdir():
        try:
            if time.time() - path.stat().st_mtime < A_DAY_S:
                continue
        except FileNotFoundError:  # another process was faster
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
