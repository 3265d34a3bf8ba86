"""Gunicorn's settings, from the portal's: https://docs.gunicorn.org/en/stable/settings.html

Read in Gunicorn's parent, so a refused setting stops it here, before any child is started.
"""

import gc
import resource
import sys
from typing import Any

from django.core.exceptions import ImproperlyConfigured

try:
    from mri_portal import settings
except ImproperlyConfigured as error:
    sys.exit(f"The portal does not start: {error}")

# An upload of a series has a spooled file open for each of its slices.
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
wanted = 65_536 if most == resource.RLIM_INFINITY else min(65_536, most)
resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))

bind = f"[{settings.HOST}]:{settings.PORT}" if ":" in settings.HOST else f"{settings.HOST}:{settings.PORT}"
worker_class = "gthread"
workers = settings.WEB_PROCESSES
threads = settings.WEB_THREADS
# Above the 30 s that /api/v1/predict/ waits for a result; a stopping server finishes those answers too.
timeout = 60
graceful_timeout = 35
# Longer than a status badge's polling interval, so that a page keeps its connection.
keepalive = 10
# A fresh process now and then bounds what a leak in a library can cost.
max_requests = 20_000
max_requests_jitter = 2_000
control_socket_disable = True
loglevel = "warning"


def post_worker_init(worker: Any) -> None:
    # Django is ready now. A machine that serves pages may have no worker, which does this with each sweep.
    from classifier.services.spool import forget_remains

    forget_remains()
    # What has been loaded by now stays: the garbage collector need not look through it again and again.
    gc.freeze()
