"""Decoded scans, kept for a while in this process: a viewer asks for one slice after the other."""

import threading
import uuid
from collections import OrderedDict

from django.conf import settings

from classifier import inference
from classifier.models import Scan
from classifier.services.originals import originals

LARGE_PIXELS = 4_000_000
_kept: OrderedDict[uuid.UUID, inference.Volume] = OrderedDict()
_keeping = threading.Lock()
_decoding_large = threading.Lock()


def volume_of(scan: Scan) -> inference.Volume:
    """The slices of a scan, which never change; whoever calls has checked the access.

    Large scans are decoded one at a time, so that those who ask for many of their slices at once wait
    for one decoding, and memory holds one.
    """
    if volume := _find(scan):
        return volume
    if _pixels(scan) < LARGE_PIXELS:
        return _decode(scan)
    with _decoding_large:
        return _find(scan) or _decode(scan)


def _find(scan: Scan) -> inference.Volume | None:
    with _keeping:
        volume = _kept.get(scan.pk)
        if volume is not None:
            _kept.move_to_end(scan.pk)
        return volume


def _decode(scan: Scan) -> inference.Volume:
    with originals(scan) as files:
        volume = inference.read_volume(files)
    with _keeping:
        _kept[scan.pk] = volume
        while len(_kept) > 1 and sum(one.nbytes for one in _kept.values()) > settings.PICTURE_CACHE_BYTES:
            _kept.popitem(last=False)
    return volume


def _pixels(scan: Scan) -> int:
    facts = scan.facts
    return int(facts.get("width", 0)) * int(facts.get("height", 0)) * scan.slices
