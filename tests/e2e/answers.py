"""`python -m tests.e2e.answers`: an answer of the test's choice, given in the worker's place.

What a model finds in a drawn head is its own affair; a viewer needs an outline to show.
"""

import os
import uuid
from typing import Any
from unittest import mock

from tests.e2e.portal import RunningPortal

SLICES, DECIDED, OUTLINED = 12, 7, (6, 7, 8)
HEIGHT = WIDTH = 96


def answer_in_the_workers_place(portal: RunningPortal) -> None:
    """Every analysis that waits; hold the workers meanwhile."""
    portal.run("-m", "tests.e2e.answers")


def main() -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "mri_portal.settings"
    django.setup()
    from classifier.models import Analysis

    for analysis in Analysis.objects.filter(status="queued").select_related("scan"):
        _answer(analysis.pk, int(analysis.scan.facts["frames"]))


def _answer(key: uuid.UUID, slices: int) -> None:
    from classifier import inference
    from classifier.models import ModelVersion
    from classifier.services import analyses

    active = ModelVersion.objects.get(is_active=True)
    with (
        mock.patch.object(analyses, "prepare_model", return_value=active),
        mock.patch.object(inference, "analyse", return_value=_prediction(slices)),
    ):
        analyses.run_analysis(analysis_id=key)


def _prediction(count: int) -> dict[str, Any]:
    from tests.worker import PROBABILITIES, outlined

    suspicion = [0.02, 0.03, 0.05, 0.08, 0.15, 0.42, 0.88, 0.997, 0.91, 0.35, 0.1, 0.04]
    suspicion += [0.02] * (count - SLICES)
    slices = [
        {
            "index": index,
            "tumour_probability": share,
            "refusal": "no_brain" if index == 0 else None,
            "mask_area_px": 320 if index in OUTLINED else 0,
            "probabilities": PROBABILITIES,
        }
        for index, share in enumerate(suspicion)
    ]
    answer = outlined(*OUTLINED, height=HEIGHT, width=WIDTH, slice_index=DECIDED, slices=slices)
    answer["finding"] |= {"area_mm2": 1280.0, "diameter_mm": 51.2, "slice_index": DECIDED, "side": "right"}
    return answer


if __name__ == "__main__":
    main()
