"""Small pictures of scans beside the cases of a list.

The look at the list is one audit event that names its cases. The word that it hands out (`services.looks`)
opens the scan's thumbnail without another event; asked for in any other way, a thumbnail is a look at an
image like every other.
"""

import uuid
from dataclasses import dataclass
from functools import lru_cache

from classifier import inference
from classifier.audit import Action, Actor, record
from classifier.models import Scan, User
from classifier.services.looks import is_recorded, word_of
from classifier.services.originals import storage_may_be_away
from classifier.services.scans import find_scan
from classifier.services.volumes import volume_of

SIDE = 96
KEPT = 1000  # a few kilobytes each


@dataclass(frozen=True)
class Thumbnail:
    """``word`` tells that the list which shows it has been recorded."""

    scan_id: uuid.UUID
    word: str


def thumbnail_of(scan: Scan, user: User) -> Thumbnail:
    return Thumbnail(scan.pk, word_of(user, "thumbnail", scan.pk))


def look_at_thumbnail(*, actor: Actor, scan_id: uuid.UUID, word: str) -> Scan:
    """The scan whose thumbnail may be shown; recorded unless a recorded list has led here today."""
    scan = find_scan(actor=actor, scan_id=scan_id)
    if not is_recorded(word, actor.require_user(), "thumbnail", scan.pk):
        record(Action.IMAGE_VIEWED, actor=actor, about=scan, index=middle_of(scan), shown="thumbnail")
    return scan


def thumbnail_png(scan: Scan) -> bytes:
    """The middle slice, not the one that decided, in a PNG of at most ``SIDE`` pixels a side."""
    with storage_may_be_away():
        return _drawn(scan.pk)


def middle_of(scan: Scan) -> int:
    return scan.slices // 2


@lru_cache(maxsize=KEPT)
def _drawn(scan_id: uuid.UUID) -> bytes:
    """A scan never changes, nor does its picture."""
    scan = Scan.objects.get(pk=scan_id)
    volume = volume_of(scan)
    index = min(middle_of(scan), len(volume.slices) - 1)
    return inference.picture(volume, index=index, max_side=SIDE)
