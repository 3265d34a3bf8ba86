"""Looking at slices, outlines and volumes: what is shown, to whom, and what it costs."""

import gzip
from functools import partial
from io import BytesIO
from pathlib import Path
from unittest.mock import MagicMock

import nibabel
import numpy as np
import PIL.Image
import pytest
from pytest_django.fixtures import Settings
from scipy import ndimage

from classifier import inference
from classifier.audit import Actor
from classifier.errors import NotFound, UserFacingError
from classifier.models import AuditEvent, Case, Scan
from classifier.services import pictures, volumes
from ml.findings import COLOUR
from tests.intake import upload_scans
from tests.ml.volumes import CORONAL, dicom_slices, grades
from tests.services.test_scans import stored_files
from tests.services.test_series import sent
from tests.worker import SQUARE, Worker, outlined

HEIGHT, WIDTH = grades(1).shape[1:]


@pytest.fixture
def series(as_alice: Actor, case: Case, rung: list[str]) -> Scan:
    [result] = upload_scans(actor=as_alice, case=case, files=sent(dicom_slices(5, PixelSpacing=[0.5, 0.25])))
    return result.scan


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "LARGE_PIXELS", 0)


def opened(png: bytes) -> PIL.Image.Image:
    return PIL.Image.open(BytesIO(png))


def loaded(data: bytes) -> nibabel.Nifti1Image:
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(data))


def test_each_slice_of_a_series_has_its_picture(as_alice: Actor, series: Scan) -> None:
    grey = [
        np.asarray(opened(pictures.view_picture(actor=as_alice, scan_id=series.pk, index=index))).mean()
        for index in range(5)
    ]
    assert grey == sorted(grey) and grey[0] < grey[-1]
    with pytest.raises(NotFound):
        pictures.view_picture(actor=as_alice, scan_id=series.pk, index=5)


@pytest.mark.usefixtures("large")
def test_a_scan_is_decoded_once_for_all_its_slices(
    as_alice: Actor, series: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, decoded = inference.read_volume, []
    monkeypatch.setattr(inference, "read_volume", lambda files: decoded.append(1) or read(files))
    for index in range(5):
        pictures.view_picture(actor=as_alice, scan_id=series.pk, index=index)
    assert len(decoded) == 1


def test_decoded_scans_are_kept_within_their_memory(
    as_alice: Actor, case: Case, rung: list[str], settings: Settings
) -> None:
    settings.PICTURE_CACHE_BYTES = 5 * HEIGHT * WIDTH * 2 + 1
    scans = [
        upload_scans(actor=as_alice, case=case, files=sent(dicom_slices(5, series=f"1.2.{number}")))[0].scan
        for number in range(3)
    ]
    for scan in scans:
        pictures.view_picture(actor=as_alice, scan_id=scan.pk)
    assert [scan.pk in volumes._kept for scan in scans] == [False, False, True]


def test_who_waited_for_the_decoding_of_a_large_scan_gets_what_was_decoded(
    as_alice: Actor, series: Scan, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = volumes.volume_of(series)
    volumes._kept.clear()
    waiting = MagicMock()
    waiting.__enter__.side_effect = lambda: volumes._kept.update({series.pk: decoded})
    monkeypatch.setattr(volumes, "_decoding_large", waiting)
    assert volumes.volume_of(series) is decoded


def test_a_mask_is_laid_over_the_slice_or_shown_alone(as_alice: Actor, series: Scan, worker: Worker) -> None:
    analysis = worker.finish(series, outlined(2, height=HEIGHT, width=WIDTH))
    mask = np.asarray(opened(pictures.view_mask(actor=as_alice, analysis_id=analysis.pk, index=2)))
    assert mask.shape == (HEIGHT, WIDTH, 4)
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[SQUARE] = True
    assert (mask[inside] == (*COLOUR, 255)).all() and not mask[~inside].any()
    nothing = np.asarray(opened(pictures.view_mask(actor=as_alice, analysis_id=analysis.pk, index=0)))
    assert not nothing.any()
    shown = pictures.view_overlay(actor=as_alice, analysis_id=analysis.pk, index=2, opacity=1.0)
    overlay = np.asarray(opened(shown))
    assert (overlay[inside] == COLOUR).all()
    assert np.ptp(overlay[~inside], axis=-1).max() == 0
    border = np.asarray(
        opened(pictures.view_overlay(actor=as_alice, analysis_id=analysis.pk, index=2, outline=True))
    )
    assert 0 < (border == COLOUR).all(axis=-1).sum() < inside.sum()


def test_a_border_to_be_laid_over_the_slice_lies_around_the_mask(
    as_alice: Actor, series: Scan, worker: Worker
) -> None:
    analysis = worker.finish(series, outlined(2, height=HEIGHT, width=WIDTH))
    shown = opened(pictures.view_border(actor=as_alice, analysis_id=analysis.pk, index=2, side=512))
    border = np.asarray(shown)[..., 3] > 0
    inside = np.zeros((HEIGHT, WIDTH), np.uint8)
    inside[SQUARE] = 255
    large = np.asarray(PIL.Image.fromarray(inside).resize(shown.size, PIL.Image.Resampling.NEAREST)) > 0
    one_pixel = 512 // HEIGHT + 1
    assert max(shown.size) == 512 and border.any()
    assert not border[ndimage.binary_erosion(large, iterations=one_pixel)].any()
    assert not border[~ndimage.binary_dilation(large, iterations=one_pixel)].any()
    with pytest.raises(NotFound):
        pictures.view_border(actor=as_alice, analysis_id=analysis.pk, index=0, side=512)


def test_a_volume_lies_in_space_as_its_files_say(as_alice: Actor, series: Scan) -> None:
    volume = loaded(pictures.view_volume(actor=as_alice, scan_id=series.pk))
    assert volume.shape == (WIDTH, HEIGHT, 5)
    assert nibabel.aff2axcodes(volume.affine) == ("L", "P", "S")
    assert np.allclose(volume.header.get_zooms(), (0.25, 0.5, 4.0))
    data = np.asarray(volume.dataobj)
    assert data.min() >= 0 and data.max() <= inference.LEVELS
    assert np.all(np.diff(data.mean(axis=(0, 1))) > 0)


def test_a_coronal_volume_is_told_from_an_axial_one(as_alice: Actor, case: Case, rung: list[str]) -> None:
    [result] = upload_scans(actor=as_alice, case=case, files=sent(dicom_slices(3, directions=CORONAL)))
    volume = loaded(pictures.view_volume(actor=as_alice, scan_id=result.scan.pk))
    assert nibabel.aff2axcodes(volume.affine) == ("L", "I", "P")


def test_a_single_picture_is_a_volume_too(as_alice: Actor, scan: Scan) -> None:
    volume = loaded(pictures.view_volume(actor=as_alice, scan_id=scan.pk))
    assert volume.shape == (128, 160, 1)
    assert nibabel.aff2axcodes(volume.affine) == ("L", "P", "S")


def test_the_masks_fill_the_space_of_the_volume(as_alice: Actor, series: Scan, worker: Worker) -> None:
    analysis = worker.finish(series, outlined(1, 3, height=HEIGHT, width=WIDTH))
    masks = loaded(pictures.view_mask_volume(actor=as_alice, analysis_id=analysis.pk))
    volume = loaded(pictures.view_volume(actor=as_alice, scan_id=series.pk))
    assert masks.shape == volume.shape and np.allclose(masks.affine, volume.affine)
    data = np.asarray(masks.dataobj)
    assert [int(data[..., index].sum()) for index in range(5)] == [0, area(), 0, area(), 0]


def area() -> int:
    mask = np.zeros((HEIGHT, WIDTH))
    mask[SQUARE] = 1
    return int(mask.sum())


def test_an_analysis_that_outlined_nothing_has_no_overlay(
    as_alice: Actor, series: Scan, worker: Worker
) -> None:
    analysis = worker.finish(series)
    for look in (pictures.view_overlay, pictures.view_mask, partial(pictures.view_border, side=512)):
        with pytest.raises(NotFound):
            look(actor=as_alice, analysis_id=analysis.pk, index=0)
    with pytest.raises(NotFound):
        pictures.view_mask_volume(actor=as_alice, analysis_id=analysis.pk)


def test_every_look_is_one_event(as_alice: Actor, series: Scan, worker: Worker) -> None:
    analysis = worker.finish(series, outlined(2, height=HEIGHT, width=WIDTH))
    last = AuditEvent.objects.latest("pk").pk
    pictures.view_picture(actor=as_alice, scan_id=series.pk, index=1)
    pictures.view_overlay(actor=as_alice, analysis_id=analysis.pk, index=2)
    pictures.view_mask(actor=as_alice, analysis_id=analysis.pk, index=2)
    pictures.view_border(actor=as_alice, analysis_id=analysis.pk, index=2, side=512)
    pictures.view_volume(actor=as_alice, scan_id=series.pk)
    pictures.view_mask_volume(actor=as_alice, analysis_id=analysis.pk)
    looks = AuditEvent.objects.filter(pk__gt=last).order_by("pk")
    assert {(look.action, look.case_id) for look in looks} == {("image_viewed", series.case_id)}
    assert [(look.object_type, look.detail) for look in looks] == [
        ("scan", {"index": 1}),
        ("analysis", {"index": 2, "shown": "overlay"}),
        ("analysis", {"index": 2, "shown": "mask"}),
        ("analysis", {"index": 2, "shown": "border"}),
        ("scan", {"shown": "volume"}),
        ("analysis", {"shown": "mask volume"}),
    ]


def test_a_stranger_sees_nothing_even_of_what_is_kept_in_memory(
    as_alice: Actor, as_bob: Actor, series: Scan, worker: Worker
) -> None:
    analysis = worker.finish(series, outlined(2, height=HEIGHT, width=WIDTH))
    pictures.view_overlay(actor=as_alice, analysis_id=analysis.pk, index=2)
    for look, asked in (
        (pictures.view_picture, {"scan_id": series.pk}),
        (pictures.view_volume, {"scan_id": series.pk}),
        (pictures.view_overlay, {"analysis_id": analysis.pk, "index": 2}),
        (pictures.view_mask, {"analysis_id": analysis.pk, "index": 2}),
        (pictures.view_border, {"analysis_id": analysis.pk, "index": 2, "side": 512}),
        (pictures.view_mask_volume, {"analysis_id": analysis.pk}),
    ):
        with pytest.raises(NotFound):
            look(actor=as_bob, **asked)


def test_masks_that_were_altered_are_not_shown(
    as_alice: Actor, series: Scan, worker: Worker, tmp_path: Path
) -> None:
    analysis = worker.finish(series, outlined(2, height=HEIGHT, width=WIDTH))
    [path] = [path for path in stored_files(tmp_path) if analysis.masks_name.endswith(path.name)]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserFacingError) as refused:
        pictures.view_mask(actor=as_alice, analysis_id=analysis.pk, index=2)
    assert refused.value.code == "file_altered"
