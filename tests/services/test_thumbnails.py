"""Thumbnails of the worklist: small, and a look of their own unless the list's."""

import io
from datetime import timedelta

import PIL.Image
import pytest
from django.utils import timezone

from classifier.audit import Actor
from classifier.errors import NotFound
from classifier.models import AuditEvent, Case, Scan, User
from classifier.services.thumbnails import SIDE, look_at_thumbnail, thumbnail_of, thumbnail_png
from tests.conftest import upload
from tests.intake import upload_scans
from tests.ml.pictures import brain_png

Action = AuditEvent.Action


def test_a_thumbnail_from_todays_list_is_part_of_that_look_and_any_other_a_look_of_its_own(
    scan: Scan, as_alice: Actor, as_rita: Actor, as_bob: Actor, alice: User, rita: User
) -> None:
    def looks() -> int:
        return AuditEvent.objects.filter(action=Action.IMAGE_VIEWED).count()

    word = thumbnail_of(scan, alice).word
    look_at_thumbnail(actor=as_alice, scan_id=scan.pk, word=word)
    assert looks() == 0
    look_at_thumbnail(actor=as_rita, scan_id=scan.pk, word=word)
    look_at_thumbnail(actor=as_alice, scan_id=scan.pk, word="")
    assert looks() == 2
    with pytest.raises(NotFound):
        look_at_thumbnail(actor=as_bob, scan_id=scan.pk, word=word)


def test_the_word_of_a_list_opens_neither_another_scan_nor_another_day(
    scan: Scan, case: Case, as_alice: Actor, alice: User, rung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [other] = upload_scans(actor=as_alice, case=case, files=[upload(brain_png(seed=1))])
    word = thumbnail_of(scan, alice).word
    look_at_thumbnail(actor=as_alice, scan_id=other.scan.pk, word=word)
    tomorrow = timezone.localdate() + timedelta(days=1)
    monkeypatch.setattr("django.utils.timezone.localdate", lambda: tomorrow)
    look_at_thumbnail(actor=as_alice, scan_id=scan.pk, word=word)
    looked_at = AuditEvent.objects.filter(action=Action.IMAGE_VIEWED).values_list("object_id", flat=True)
    assert sorted(looked_at) == sorted([str(scan.pk), str(other.scan.pk)])


def test_a_thumbnail_is_small(scan: Scan) -> None:
    png = thumbnail_png(scan)
    assert max(PIL.Image.open(io.BytesIO(png)).size) == SIDE == 96
    assert len(png) < 12_000
