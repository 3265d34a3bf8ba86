"""Loaded into a worker with ``--include``: its analyses do what the file SLOW_MODEL_ORDER says.

``hold`` waits until the order changes, ``loop`` runs for ever, ``deaf`` runs for ever and hears no
signal, as code stuck in a C library would; anything else analyses as usual.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

from classifier import inference

ORDER = Path(os.environ["SLOW_MODEL_ORDER"])
analyse_at_once = inference.analyse


def analyse(*files: Any, **asked: Any) -> dict[str, Any]:
    order = ORDER.read_text("utf-8")
    if order == "deaf":
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    while order in {"loop", "deaf"} or ORDER.read_text("utf-8") == "hold":
        time.sleep(0.01)
    return analyse_at_once(*files, **asked)


inference.analyse = analyse
