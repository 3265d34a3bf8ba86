"""The doorbell: telling the workers that an analysis waits.

A broker that does not answer costs a moment of one request, never a scan: the sweeper rings again.
"""

import logging
import time
import uuid
from typing import Any

from celery import current_app
from django.conf import settings

logger = logging.getLogger(__name__)
QUIET_FOR_S = 5.0
_quiet_until = 0.0


def ring(analysis_id: uuid.UUID) -> bool:
    """Whether the broker took the message. After a failure this process spares it for a few seconds."""
    global _quiet_until  # noqa: PLW0603 - one bell per process
    if time.monotonic() < _quiet_until:
        return False
    try:
        _send(analysis_id)
    except Exception as error:
        # Whatever is wrong with a queue must not fail an upload whose rows are committed.
        logger.warning("The broker does not answer (%r); analysis %s waits", error, analysis_id)
        _quiet_until = time.monotonic() + QUIET_FOR_S
        return False
    return True


def messages_waiting() -> int:
    """How many rings the workers have not taken yet; 0 where the broker knows of none or is away."""
    try:
        with current_app.connection_for_read() as connection:
            channel: Any = connection.default_channel
            return int(channel.queue_declare(settings.QUEUE, passive=True).message_count)
    except Exception:
        # Redis calls an empty queue an error, and each transport calls being away by another name.
        return 0


def _send(analysis_id: uuid.UUID) -> None:
    from classifier import tasks

    tasks.run_analysis.delay(str(analysis_id))
