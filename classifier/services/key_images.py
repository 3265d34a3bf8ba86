"""The one picture of a report: the slice that decided, with the model's outline where it drew one."""

from classifier import inference
from classifier.models import Analysis, Report
from classifier.services.masks import read_masks
from classifier.services.originals import storage_may_be_away
from classifier.services.volumes import volume_of


def key_image(report: Report) -> tuple[bytes, bool]:
    """PNG, and whether an outline is in it; empty for a scan that could not be decoded."""
    key = report.content["scans"][report.content["key"]]
    analysis = Analysis.objects.select_related("scan").get(pk=key["analysis"])
    try:
        with storage_may_be_away():
            volume = volume_of(analysis.scan)
            masks = inference.masks(read_masks(analysis)) if analysis.masks_name else {}
    except inference.BadImage:
        return b"", False
    index = shown_slice(report)
    if index in masks:
        return inference.overlay(volume, masks, index=index, opacity=1.0, outline=True), True
    return inference.picture(volume, index=index), False


def shown_slice(report: Report) -> int:
    """The slice of the finding, else the one that decided, else the middle one; counted from 0."""
    key = report.content["scans"][report.content["key"]]
    finding = key["finding"] or {}
    for index in (finding.get("slice_index"), key["slice_index"]):
        if index is not None:
            return int(index)
    return int(key["slices"]) // 2
