"""Celery tasks: each calls its services."""

import uuid

from celery import shared_task

from classifier.services import analyses, sign_ins, spool, workers


@shared_task
def run_analysis(analysis_id: str) -> None:
    analyses.run_analysis(analysis_id=uuid.UUID(analysis_id))


@shared_task
def sweep() -> None:
    analyses.recover_analyses()
    workers.forget_lost_workers()
    sign_ins.forget_ended_sessions()
    spool.forget_remains()
