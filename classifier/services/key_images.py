"""The one picture of a report, with the model's outline and the readers' boxes where they drew any."""

from collections.abc import Sequence
from dataclasses import dataclass

from classifier import inference
from classifier.models import Analysis, Report
from classifier.services.masks import read_masks
from classifier.services.originals import storage_may_be_away
from classifier.services.report_content import places
from classifier.services.results import edges_of
from classifier.services.volumes import volume_of


@dataclass(frozen=True)
class KeyImage:
    """A PNG, whether an outline is in it, and the letters of the patient's sides at its edges.

    ``boxes`` are the readers': left, top, width and height as shares of the square that the picture fits in.
    """

    png: bytes
    is_outlined: bool
    edges: dict[str, str]
    boxes: list[list[float]]


def key_image(report: Report) -> KeyImage | None:
    """None for a scan that could not be decoded."""
    key = report.content["scans"][report.content["key"]]
    analysis = Analysis.objects.select_related("scan").get(pk=key["analysis"])
    try:
        with storage_may_be_away():
            volume = volume_of(analysis.scan)
            masks = inference.masks(read_masks(analysis)) if analysis.masks_name else {}
    except inference.BadImage:
        return None
    index = shown_slice(report)
    is_outlined = index in masks
    if is_outlined:
        png = inference.overlay(volume, masks, index=index, opacity=1.0, outline=True)
    else:
        png = inference.picture(volume, index=index)
    height, width = volume.slice(index).shape
    boxes = [_in_square(place["box"], width, height) for place in places(key) if place["slice"] == index]
    return KeyImage(png, is_outlined, dict(edges_of(analysis.scan)), boxes)


def shown_slice(report: Report) -> int:
    """The slice a reader marked, else the finding's, the one that decided, the middle one; counted from 0."""
    key = report.content["scans"][report.content["key"]]
    finding = key["finding"] or {}
    marked = [place["slice"] for place in places(key)]
    for index in (*marked, finding.get("slice_index"), key["slice_index"]):
        if index is not None:
            return int(index)
    return int(key["slices"]) // 2


def _in_square(box: Sequence[int], width: int, height: int) -> list[float]:
    """The picture lies in the middle of its square."""
    left, top, right, bottom = box
    side = max(width, height)
    return [
        (left + (side - width) / 2) / side,
        (top + (side - height) / 2) / side,
        (right - left) / side,
        (bottom - top) / side,
    ]
