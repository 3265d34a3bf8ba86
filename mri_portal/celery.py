"""The Celery application. Neither the parent process nor the web process imports TensorFlow."""

import os
import sys
from typing import Any

from celery import Celery
from celery.signals import (
    after_task_publish,
    beat_init,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
)
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mri_portal.settings")

app = Celery("mri_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery would open the database anew for every task.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize
app.autodiscover_tasks()


@task_prerun.connect
def renew_database(**_: Any) -> None:
    """As before every request: a connection that is old or broken is replaced."""
    from django.db import close_old_connections

    close_old_connections()


@worker_process_init.connect
def load_model(**_: Any) -> None:
    """Each pool child loads its own predictor: a model built before a fork hangs the child."""
    from classifier.services.workers import start_worker

    start_worker()


@worker_process_shutdown.connect
def forget_worker(**_: Any) -> None:
    from classifier.services.workers import stop_worker

    stop_worker()


@beat_init.connect
def note_each_ring(**_: Any) -> None:
    """For the sweeper's health check: when it last reached the broker."""
    after_task_publish.connect(_rang)


def _rang(**_: Any) -> None:
    settings.SWEEPER_RANG.touch()
