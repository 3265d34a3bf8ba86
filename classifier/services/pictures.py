"""Looking at scans: slices, outlines laid over them, whole volumes. Each look is one event."""

import uuid

from classifier import inference
from classifier.audit import Action, Actor, record
from classifier.errors import NotFound
from classifier.models import Analysis, Scan
from classifier.services.masks import read_masks
from classifier.services.originals import storage_may_be_away
from classifier.services.reading import answer_is_hidden
from classifier.services.reviews import find_analysis
from classifier.services.scans import find_scan
from classifier.services.volumes import volume_of


def view_picture(
    *, actor: Actor, scan_id: uuid.UUID | str, index: int = 0, max_side: int | None = None
) -> bytes:
    """A slice of the scan as grey PNG for a browser."""
    scan = find_scan(actor=actor, scan_id=scan_id)
    volume = _volume(scan)
    _check_slice(volume, index)
    png = inference.picture(volume, index=index, max_side=max_side)
    record(Action.IMAGE_VIEWED, actor=actor, about=scan, index=index)
    return png


def view_overlay(
    *,
    actor: Actor,
    analysis_id: uuid.UUID | str,
    index: int,
    opacity: float = 0.4,
    outline: bool = False,
) -> bytes:
    """The same slice in colour, with what the analysis has outlined.

    ``opacity`` of the filled mask from 0 to 1; ``outline`` draws its border instead.
    """
    analysis, masks, volume = _outlined(actor, analysis_id)
    _check_slice(volume, index)
    png = inference.overlay(volume, masks, index=index, opacity=opacity, outline=outline)
    record(Action.IMAGE_VIEWED, actor=actor, about=analysis, index=index, shown="overlay")
    return png


def view_mask(*, actor: Actor, analysis_id: uuid.UUID | str, index: int) -> bytes:
    """The mask alone as PNG of the slice's size, clear outside it, to be laid over the slice."""
    analysis, masks, volume = _outlined(actor, analysis_id)
    _check_slice(volume, index)
    png = inference.mask_picture(volume, masks, index=index)
    record(Action.IMAGE_VIEWED, actor=actor, about=analysis, index=index, shown="mask")
    return png


def view_border(*, actor: Actor, analysis_id: uuid.UUID | str, index: int, side: int) -> bytes:
    """A border around the mask as PNG, clear elsewhere, to be laid over the slice.

    ``side`` pixels on the longer side; `NotFound` where nothing is outlined on this slice.
    """
    analysis, masks = _masks(actor, analysis_id)
    if index not in masks:
        raise NotFound("outline")
    png = inference.border_picture(masks, index=index, side=side)
    record(Action.IMAGE_VIEWED, actor=actor, about=analysis, index=index, shown="border")
    return png


def view_volume(*, actor: Actor, scan_id: uuid.UUID | str) -> bytes:
    """All slices of the scan as gzipped NIfTI, for a viewer in three planes."""
    scan = find_scan(actor=actor, scan_id=scan_id)
    nifti = inference.nifti(_volume(scan))
    record(Action.IMAGE_VIEWED, actor=actor, about=scan, shown="volume")
    return nifti


def view_mask_volume(*, actor: Actor, analysis_id: uuid.UUID | str) -> bytes:
    """All masks as gzipped NIfTI in the space of `view_volume`."""
    analysis, masks, volume = _outlined(actor, analysis_id)
    nifti = inference.mask_nifti(volume, masks)
    record(Action.IMAGE_VIEWED, actor=actor, about=analysis, shown="mask volume")
    return nifti


def _volume(scan: Scan) -> inference.Volume:
    with storage_may_be_away():
        return volume_of(scan)


def _check_slice(volume: inference.Volume, index: int) -> None:
    if index >= len(volume.slices):
        raise NotFound("slice")


def _outlined(
    actor: Actor, analysis_id: uuid.UUID | str
) -> tuple[Analysis, inference.Masks, inference.Volume]:
    """`NotFound` where the analysis has outlined nothing."""
    analysis, masks = _masks(actor, analysis_id)
    return analysis, masks, _volume(analysis.scan)


def _masks(actor: Actor, analysis_id: uuid.UUID | str) -> tuple[Analysis, inference.Masks]:
    analysis = find_analysis(actor=actor, analysis_id=analysis_id)
    if analysis.answer_hidden:
        raise answer_is_hidden()
    with storage_may_be_away():
        return analysis, inference.masks(read_masks(analysis))
