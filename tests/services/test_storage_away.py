"""An analysis whose storage is full or away waits for it, and its attempts do not count."""

from datetime import timedelta
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError
from django.conf import settings
from django.utils import timezone

from classifier.models import Analysis, Scan
from classifier.sentences import FAILURES
from classifier.storage import LocalScanStorage
from tests.services.test_scans import stored_files
from tests.worker import Worker, lose, outlined

Status = Analysis.Status
MAX_ATTEMPTS = settings.MAX_ATTEMPTS


def test_a_full_disk_costs_no_attempt_and_leaves_no_half_file(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    save = LocalScanStorage.save

    def fills_up(self: LocalScanStorage, name: str, content: object) -> str:
        save(self, name, content)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(LocalScanStorage, "save", fills_up)
        for _ in range(MAX_ATTEMPTS + 1):
            analysis = worker.finish(scan, outlined(0))
            assert (analysis.status, analysis.attempts, analysis.lease_until) == ("queued", 0, None)
            assert len(stored_files(tmp_path)) == 1
    assert (worker.finish(scan, outlined(0)).status, len(stored_files(tmp_path))) == ("succeeded", 2)


def out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://objects")

    monkeypatch.setattr("classifier.services.originals._on_disk", refuse)


def test_a_scan_out_of_reach_waits_until_its_storage_is_back(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        out_of_reach(away)
        seen = [worker.finish(scan) for _ in range(MAX_ATTEMPTS + 1)]
    assert {(analysis.status, analysis.attempts) for analysis in seen} == {("queued", 0)}
    before = seen[-1].rung_at
    assert before > seen[0].rung_at  # the sweeper's pause begins anew
    assert worker.finish(scan).status == "succeeded"


def test_a_storage_that_is_away_for_a_day_fails_the_analysis_with_its_code(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_reach(monkeypatch)
    Analysis.objects.update(created_at=timezone.now() - timedelta(days=1, seconds=1))
    analysis = worker.finish(scan)
    assert (analysis.status, analysis.error_code) == ("failed", "storage_unavailable")
    assert analysis.error_detail == FAILURES["storage_unavailable"]


def test_an_attempt_that_was_lost_meanwhile_puts_nothing_off(
    scan: Scan, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost_meanwhile(*_: object) -> None:
        lose(Analysis.objects.get(), attempts=2)
        raise EndpointConnectionError(endpoint_url="https://objects")

    monkeypatch.setattr("classifier.services.originals._on_disk", lost_meanwhile)
    analysis = worker.finish(scan)
    assert (analysis.status, analysis.attempts) == ("running", 2)
