"""DICOM files: what is accepted, every transfer syntax, and nothing that identifies a patient."""

import io
import json
import subprocess
import sys
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gdcm
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from ml import dicom_pixels
from ml.images import ImageError, Limits, read, sniff
from tests.ml.pictures import (
    brain,
    brain_dicom,
    bytes_of,
    changed,
    data_set,
    dicom_without_pixels,
    saved,
    written,
)

HEAD = brain()
STORED = np.rint(HEAD * 1200).astype(np.uint16)
GREY = bytes_of(HEAD)


def slices(data: bytes) -> tuple[NDArray[np.float32], ...]:
    return read(data).slices


def only(data: bytes) -> NDArray[np.float32]:
    (pixels,) = slices(data)
    assert pixels.dtype == np.float32
    assert pixels.flags.c_contiguous
    assert 0 <= pixels.min() <= pixels.max() <= 1
    return pixels


def code_of(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(ImageError) as caught:
        read(data, limits or Limits())
    return caught.value.code


def same(pixels: NDArray[Any], expected: NDArray[Any], tolerance: float = 0.03) -> bool:
    return pixels.shape == expected.shape and float(np.abs(pixels - expected).max()) < tolerance


def compressed(syntax: uid.UID, pixels: NDArray[Any] = STORED, **attributes: Any) -> bytes:
    """A file whose pixels GDCM, pydicom or Pillow has compressed."""
    if syntax == uid.JPEGBaseline8Bit:
        frame = saved(GREY, "jpeg", quality=95)
        return brain_dicom(pixels=GREY, syntax=syntax, frames=[frame], **attributes)
    file = pydicom.dcmread(io.BytesIO(brain_dicom(pixels=pixels, **attributes)))
    if syntax == uid.RLELossless:
        file.compress(syntax, generate_instance_uid=False)
        return written(file)
    return recoded(written(file), syntax)


def recoded(data: bytes, syntax: uid.UID) -> bytes:
    """``data`` in another transfer syntax, by GDCM, which wants files."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        source.write_bytes(data)
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(source))
        writer.SetFileName(str(target))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return target.read_bytes()


NATIVE = [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian]
LOSSLESS = [uid.RLELossless, uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless]


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.keyword)
def test_every_uncompressed_syntax_gives_the_head(syntax: uid.UID) -> None:
    assert same(only(brain_dicom(syntax=syntax)), HEAD)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.keyword)
def test_a_lossless_syntax_gives_exactly_what_was_stored(syntax: uid.UID) -> None:
    assert np.array_equal(only(compressed(syntax)), only(brain_dicom()))


LEFT_ALIGNED = {"BitsStored": 12, "HighBit": 15}


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("lowest", [0, -600])
def test_samples_in_the_upper_bits_of_their_cells_are_read(syntax: uid.UID, lowest: int) -> None:
    stored = STORED if lowest == 0 else STORED.astype(np.int16) + lowest
    left = brain_dicom(pixels=stored << 4, syntax=syntax, **LEFT_ALIGNED)
    assert np.array_equal(only(left), only(brain_dicom(pixels=stored)))
    assert read(left).facts.bits == 12


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.keyword)
def test_samples_in_the_upper_bits_are_read_however_they_are_compressed(syntax: uid.UID) -> None:
    whole = compressed(syntax, STORED << 4)
    assert np.array_equal(only(changed(whole, **LEFT_ALIGNED)), only(brain_dicom()))


def test_what_lies_below_a_sample_is_no_part_of_it() -> None:
    crowded = (STORED << 4) | np.arange(STORED.size, dtype=np.uint16).reshape(STORED.shape) % 16
    assert np.array_equal(only(brain_dicom(pixels=crowded, **LEFT_ALIGNED)), only(brain_dicom()))


@pytest.mark.parametrize("high", [None, 10, 15, 16, 200])
@pytest.mark.parametrize("lowest", [0, -600])
def test_samples_in_the_lower_bits_are_read_though_the_highest_bit_is_wrong(
    high: int | None, lowest: int
) -> None:
    stored = STORED if lowest == 0 else STORED.astype(np.int16) + lowest
    assert np.array_equal(
        only(brain_dicom(pixels=stored, BitsStored=12, HighBit=high)), only(brain_dicom(pixels=stored))
    )


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.keyword)
def test_a_compressed_sample_is_never_looked_for_above_its_own_bits(syntax: uid.UID) -> None:
    narrow = compressed(syntax, STORED, BitsStored=12, HighBit=11)
    assert np.array_equal(only(changed(narrow, HighBit=15)), only(brain_dicom()))


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda syntax: syntax.keyword)
def test_signed_values_survive_compression(syntax: uid.UID) -> None:
    signed = STORED.astype(np.int16) - 600
    attributes = {} if syntax != uid.JPEG2000Lossless else {"BitsStored": 16, "HighBit": 15}
    assert same(only(compressed(syntax, signed, **attributes)), HEAD)


@pytest.mark.parametrize(
    "syntax", [uid.JPEGBaseline8Bit, uid.JPEGLSNearLossless, uid.JPEG2000], ids=lambda syntax: syntax.keyword
)
def test_a_lossy_syntax_gives_nearly_what_was_stored(syntax: uid.UID) -> None:
    assert np.abs(only(compressed(syntax)) - HEAD).mean() < 0.02


def test_a_deflated_data_set_is_read() -> None:
    plain = brain_dicom(syntax=uid.DeflatedExplicitVRLittleEndian)
    assert len(plain) < len(brain_dicom())
    assert same(only(plain), HEAD)


def test_a_deflation_bomb_is_refused() -> None:
    meta = written(data_set("MR", uid.DeflatedExplicitVRLittleEndian))
    start = 144 + int.from_bytes(meta[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = meta[:start] + packer.compress(b"\0" * 2**22) + packer.flush()
    assert code_of(bomb, Limits(max_bytes=2**20, max_pixels=2**16)) == "image_too_large"
    assert code_of(bomb[:-50]) == "image_truncated"


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.keyword)
def test_a_data_set_without_preamble_is_recognised(syntax: uid.UID) -> None:
    data = brain_dicom(syntax=syntax, preamble=False) if syntax.is_little_endian else None
    if data is None:
        whole = brain_dicom(syntax=syntax)
        data = whole[whole.index(b"\x00\x08\x00\x16") :]
    assert sniff(data[:4096]) == "dicom"
    assert same(only(data), HEAD)


def test_a_compressed_volume_gives_every_frame() -> None:
    volume = np.stack([STORED, STORED // 2])
    for syntax in (uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEG2000Lossless):
        got, wanted = slices(compressed(syntax, volume)), slices(brain_dicom(pixels=volume))
        assert all(np.array_equal(one, other) for one, other in zip(got, wanted, strict=True))


def test_a_colour_jpeg_inside_dicom_becomes_its_luma() -> None:
    layers = np.dstack([GREY, GREY // 2, GREY // 4])
    frame = saved(layers, "jpeg", quality=95, subsampling=0)
    ybr = {"PhotometricInterpretation": "YBR_FULL"}
    data = brain_dicom(pixels=layers, syntax=uid.JPEGBaseline8Bit, frames=[frame], **ybr)
    expected = layers @ np.array([0.299, 0.587, 0.114]) / 255
    assert np.abs(only(data) - expected).mean() < 0.01


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
@pytest.mark.parametrize("modality", ["CT", "CR", "DX", "US", "PT", "NM", "MG", "XA", "ct ", "SEG", "RTDOSE"])
def test_a_picture_of_another_modality_is_refused(modality: str) -> None:
    assert code_of(brain_dicom(modality=modality)) == "dicom_wrong_modality"


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
@pytest.mark.parametrize("modality", ["MR", "mr ", "OT", "SC", "", None])
def test_magnetic_resonance_and_unnamed_modalities_are_accepted(modality: str | None) -> None:
    assert same(only(brain_dicom(modality=modality)), HEAD)


@pytest.mark.parametrize(
    ("kind", "modality"),
    [
        (uid.BasicTextSRStorage, "SR"),
        (uid.RTStructureSetStorage, "RTSTRUCT"),
        (uid.MediaStorageDirectoryStorage, ""),
        (uid.EncapsulatedPDFStorage, "DOC"),
        (uid.TwelveLeadECGWaveformStorage, "ECG"),
    ],
)
def test_a_data_set_without_pixels_is_refused(kind: uid.UID, modality: str) -> None:
    assert code_of(dicom_without_pixels(kind, modality)) == "dicom_without_pixels"


def test_less_pixel_data_than_announced_is_a_truncated_file() -> None:
    assert code_of(brain_dicom(PixelData=STORED.tobytes()[:-2])) == "image_truncated"
    assert code_of(brain_dicom(Rows=400)) == "image_truncated"


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEG2000Lossless])
def test_a_compressed_file_cut_anywhere_is_refused(syntax: uid.UID) -> None:
    data = compressed(syntax)
    for length in range(200, len(data) - 8, len(data) // 20):
        assert code_of(data[:length]) in ("image_truncated", "dicom_unreadable", "dicom_without_pixels")
    assert code_of(data[:-100]) == "image_truncated"


@pytest.mark.parametrize(
    "syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.JPEGBaseline8Bit]
)
def test_a_frame_of_another_size_than_announced_never_reaches_a_decoder(syntax: uid.UID) -> None:
    file = pydicom.dcmread(io.BytesIO(compressed(syntax)))
    file.Rows = 64
    assert code_of(written(file)) == "dicom_unreadable"


def test_a_frame_that_crashes_gdcm_is_a_refusal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    crash = tmp_path / "crash.py"
    crash.write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    monkeypatch.setattr(dicom_pixels, "GDCM_PROCESS", crash)
    assert code_of(compressed(uid.JPEGLosslessSV1)) == "dicom_unreadable"


def test_a_frame_that_keeps_gdcm_busy_for_ever_is_a_refusal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    endless = tmp_path / "endless.py"
    endless.write_text("while True: pass")
    monkeypatch.setattr(dicom_pixels, "GDCM_PROCESS", endless)
    monkeypatch.setattr(dicom_pixels, "GDCM_SECONDS", 0.3)
    assert code_of(compressed(uid.JPEGLosslessSV1)) == "dicom_unreadable"


def test_the_gdcm_process_never_loads_the_project() -> None:
    source = dicom_pixels.GDCM_PROCESS.read_text(encoding="utf-8")
    assert "import ml" not in source
    assert "from ml" not in source


def test_damaged_jpeg_frames_are_read_or_refused_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    data = compressed(uid.JPEGLosslessSV1)
    start = data.index(b"\xff\xd8\xff")
    for seed in range(6):
        changed, random = bytearray(data), np.random.default_rng(seed)
        for place in random.integers(start, start + 300, 3):
            changed[place] = random.integers(256)
        try:
            assert np.isfinite(only(bytes(changed))).all()
        except ImageError as error:
            assert error.code in ("dicom_unreadable", "image_truncated")
    assert capfd.readouterr() == ("", "")


def test_a_syntax_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ImageError) as caught:
        read(brain_dicom(syntax=uid.MPEG2MPML, frames=[b"\0" * 100]))
    assert caught.value.code == "dicom_unreadable"
    assert "MPEG2" in caught.value.detail


def test_run_lengths_that_could_expand_without_end_are_refused() -> None:
    frame = b"\2\0\0\0" + (64).to_bytes(4, "little") + b"\0" * 56 + b"\x81\0" * (5 * 2**20)
    data = brain_dicom(syntax=uid.RLELossless, frames=[frame])
    assert code_of(data) == "image_too_large"


def test_a_jpeg2000_picture_of_sixteen_bits_is_read() -> None:
    frame = saved(STORED, "jpeg2000", no_jp2=True, irreversible=False)
    assert same(only(brain_dicom(syntax=uid.JPEG2000Lossless, frames=[frame])), HEAD)


def test_facts_say_what_was_stored_and_nothing_about_the_patient() -> None:
    facts = read(brain_dicom(BitsStored=12, HighBit=11)).facts
    assert facts.as_dict() == {
        "kind": "dicom",
        "width": 128,
        "height": 160,
        "frames": 1,
        "bits": 12,
        "mode": "MONOCHROME2",
        "modality": "MR",
        "sequence": "t1 axial",
        "spacing_mm": (0.5, 0.75),
        "plane": None,
        "slice_spacing_mm": None,
        "orientation": None,
        "gaps": False,
        "sheet": False,
    }


def test_the_sequence_is_the_first_description_that_can_be_one() -> None:
    assert read(brain_dicom(SeriesDescription="", ProtocolName="t2 tse")).facts.sequence == "t2 tse"
    scanning = {"SeriesDescription": None, "ScanningSequence": ["SE", "IR"]}
    assert read(brain_dicom(**scanning)).facts.sequence == "SE IR"
    overrun = {"SeriesDescription": "t1\x10\x00Secret^Person"}
    assert read(brain_dicom(**overrun)).facts.sequence is None


@pytest.mark.parametrize("spacing", [None, [0, 1], [-1, 1], "0.5", [1e200, 1e200], [1e-200, 1e-200]])
def test_a_spacing_that_makes_no_sense_is_left_out(spacing: Any) -> None:
    assert read(brain_dicom(PixelSpacing=spacing)).facts.spacing_mm is None


@pytest.mark.parametrize(
    "name",
    [
        "MR_small.dcm",
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_padded.dcm",
    ],
)
def test_the_same_real_slice_comes_out_of_every_syntax(name: str) -> None:
    first, other = (read(Path(str(get_testdata_file(n, download=False)))) for n in ("MR_small.dcm", name))
    assert np.array_equal(first.slices[0], other.slices[0])


@pytest.mark.data
def test_the_real_files_of_one_slice_agree_across_syntaxes(data: Path) -> None:
    paths = sorted((data / "dicom").glob("MR4_*.dcm"))
    assert len(paths) == 7
    pictures = [read(path).slices[0] for path in paths]
    for path, picture in zip(paths, pictures, strict=True):
        assert np.abs(picture - pictures[-1]).mean() < 0.02, path.name


@pytest.mark.data
def test_the_real_enhanced_files_agree_across_syntaxes(data: Path) -> None:
    volumes = [np.stack(read(path).slices) for path in sorted((data / "dicom").glob("emri_*.dcm"))]
    assert {volume.shape for volume in volumes} == {(10, 64, 64)}
    assert all(np.array_equal(volume, volumes[0]) for volume in volumes)


def test_a_decoded_frame_of_another_length_than_asked_for_ends_the_process_with_an_error() -> None:
    file = pydicom.dcmread(io.BytesIO(compressed(uid.JPEGLosslessSV1)))
    frame = next(generate_frames(file.PixelData, number_of_frames=1))
    request = {"syntax": file.file_meta.TransferSyntaxUID, "photometric": "MONOCHROME2", "samples": 1}
    request |= {
        "rows": 160,
        "columns": 128,
        "allocated": 16,
        "stored": 16,
        "signed": 0,
        "lengths": [len(frame)],
    }

    def status(expected: int) -> int:
        line = json.dumps([request | {"frame_bytes": expected}]).encode() + b"\n"
        command = [sys.executable, "-I", dicom_pixels.GDCM_PROCESS]
        return subprocess.run(command, input=line + frame, capture_output=True, check=False).returncode

    assert status(STORED.nbytes) == 0
    assert status(STORED.nbytes + 2) == 1


def test_no_thread_sets_free_the_warnings_that_quote_a_file() -> None:
    """Filters of warnings belong to the process: what one thread puts back holds for all."""
    code = (
        "import ml.images\n"
        "from pydicom.dataelem import DataElement\n"
        "DataElement('SeriesInstanceUID', 'UI', '1.2.Doe^Jane')\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stderr == ""
