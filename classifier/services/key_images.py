"""The one picture of a report: the slice that decided, with the model's outline where it drew one."""

from dataclasses import dataclass

from classifier import inference
from classifier.models import Analysis, Report
from classifier.services.masks import read_masks
from classifier.services.originals import storage_may_be_away
from classifier.services.results import edges_of
from classifier.services.volumes import volume_of


@dataclass(frozen=True)
class KeyImage:
    """A PNG, whether an outline is in it, and the letters of the patient's sides at its edges."""

    png: bytes
    is_outlined: bool
    edges: dict[str, str]


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
    return KeyImage(png, is_outlined, dict(edges_of(analysis.scan)))


def shown_slice(report: Report) -> int:
    """The slice of the finding, else the one that decided, else the middle one; counted from 0."""
    key = report.content["scans"][report.content["key"]]
    finding = key["finding"] or {}
    for index in (finding.get("slice_index"), key["slice_index"]):
        if index is not None:
            return int(index)
    return int(key["slices"]) // 2
